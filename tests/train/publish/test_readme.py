"""README files with generated parts: what people wrote stays, byte for byte."""

import pytest

from train.publish import readme
from train.publish.readme import InvalidReadme, hand_written, merged_front, parse, render, with_blocks

BLOCK = "<!-- generated: a -->\nold\n<!-- end of a -->"


def test_front_matter_and_text_come_apart_and_together_and_what_people_wrote_is_all_but_the_blocks():
    content = f"---\nlicense: mit\ntags:\n- cats\n---\n\n# Title\n{BLOCK}\n"
    front, text = parse(content, "card")
    assert (front, text) == ({"license": "mit", "tags": ["cats"]}, f"\n# Title\n{BLOCK}\n")
    assert render(front, text) == content
    assert hand_written(text) == "# Title" and hand_written(f"\n{BLOCK}\n") == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# Title\n", ({}, "\n# Title\n")),
        ("\ufeff# Title\n", ({}, "\n# Title\n")),
        ("---\n\n---\n\n# Title\n", ({}, "\n# Title\n")),
        ("---\r\na: 1\r\n---\r\nText\r\n", ({"a": 1}, "Text\n")),
    ],
)
def test_a_readme_without_front_matter_or_with_line_ends_of_windows(content, expected):
    assert parse(content, "card") == expected


def test_a_block_is_replaced_where_it_stands_and_those_of_others_are_left_alone():
    assert with_blocks(f"before\n{BLOCK}\nafter\n", {"a": r"new \1"}) == (
        "before\n<!-- generated: a -->\nnew \\1\n<!-- end of a -->\nafter\n"
    )
    assert with_blocks(f"{BLOCK}\n", {}) == f"{BLOCK}\n"


def test_a_block_without_a_place_comes_last_and_stays_there():
    once = with_blocks("mine\n", {"a": "x", "b": "", "c": "y"})
    assert once == (
        "mine\n\n<!-- generated: a -->\nx\n<!-- end of a -->\n\n<!-- generated: c -->\ny\n<!-- end of c -->\n"
    )
    assert with_blocks(once, {"a": "x", "b": "", "c": "y"}) == once


def test_hand_written_keys_win_over_defaults_and_owned_ones_over_all():
    front = merged_front(
        [{"license": "mit", "tags": ["b"], "model-index": 1}, {"license": "bsd", "emoji": "x", "tags": "c"}],
        {"license": "apache-2.0", "tags": ["a", "b"], "library_name": "keras"},
        {"model-index": 2},
    )
    assert front == {
        "license": "mit", "tags": ["b", "c", "a"], "model-index": 2, "emoji": "x", "library_name": "keras",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("---\na: [\n---\n", "card.*not a YAML mapping"),
        ("---\n- a\n---\n", "card.*not a YAML mapping"),
        ("<!-- generated: a -->\n", "card.*end of NAME"),
        ("<!-- end of a -->\n", "card.*end of NAME"),
        ("<!-- generated: a -->\n<!-- end of b -->\n", "card.*end of NAME"),
        (f"{BLOCK}\n{BLOCK}\n", "card.*NAME once"),
        ("<!-- generated: a -->\n<!-- generated: b -->\n<!-- end of b -->\n<!-- end of a -->\n", "card.*end of NAME"),
    ],
)
def test_a_readme_that_cannot_be_kept_whole_is_refused(content, said):
    with pytest.raises(InvalidReadme, match=said):
        parse(content, "card")


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "README.md").write_bytes(b"# \xff")
    with pytest.raises(InvalidReadme, match=r"README.md.*UTF-8"):
        readme.load(tmp_path / "README.md")
