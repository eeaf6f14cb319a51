"""Every command line of this project that a page shows is one that its program or the Makefile takes."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest
import typer

import catdog.__main__
import train.__main__
from tests.conftest import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
PROGRAMS = {
    name: typer.main.get_command(room.app) for name, room in (("catdog", catdog.__main__), ("train", train.__main__))
}
# Lines of a block of code, and code in a sentence unless it shows the usage, whose brackets mean choices.
COMMAND = re.compile(
    r"^(?:[A-Z_]+=\S+ )*python -m (catdog|train) (.+)$|`python -m (catdog|train) ([^`\[|]+)`", re.MULTILINE
)
TARGET = re.compile(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)|`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", re.MULTILINE)


def commands() -> set[tuple[str, str]]:
    found = (match.groups() for match in COMMAND.finditer(TEXT))
    return {(a or c, b or d) for a, b, c, d in found}


def test_commands_are_found():
    assert len(commands()) > 25
    assert {"predict", "classify", "fit", "distill", "average", "publish"} < {line.split()[0] for _, line in commands()}


@pytest.mark.parametrize(("program", "line"), sorted(commands()))
def test_a_command_is_understood(program, line):
    words = shlex.split(line.replace("\n", " "), comments=True)
    if len(words) == 1 or "--help" in words:  # by itself, a command in a sentence is only named
        return
    if "--trial" in words:  # whose study, which is not here, would say the rest
        place = words.index("--trial")
        words[place : place + 2] = ["scratch_cnn", "--data", "data"]
    assert PROGRAMS[program].commands[words[0]].make_context(words[0], words[1:])


def test_every_target_of_make_is_there():
    shown = {a or b for a, b in TARGET.findall(TEXT)}
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    assert {"demo", "test", "train-setup"} < shown <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    for link in re.findall(r"\]\((?!\w+:)([^)]*)\)", page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in headings}, link


@pytest.mark.browser
def test_the_command_for_screenshots_finds_what_it_needs():
    assert importlib.import_module("docs.screenshots.take").__doc__
