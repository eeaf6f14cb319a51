"""Models to the Hub and back: the real client and a stand-in Hub, through the command line."""

import hashlib
import re
import shutil

import pytest
from huggingface_hub import ModelCard

from catdog import Settings
from catdog.models.locate import locate
from tests.conftest import EXAMPLES
from tests.hub.metadata import problems_of
from tests.specs import minimal
from tests.train.conftest import files_of
from train.__main__ import main

REPO = "user/cats-and-dogs"
MODELS = ["scratch_cnn.h5", "scratch_cnn.json", "xception.h5", "xception.json"]


@pytest.fixture
def folder(tiny_weights, tmp_path):
    return shutil.copytree(tiny_weights, tmp_path / "weights")


@pytest.fixture
def publish(folder, tmp_path, command, monkeypatch):
    """`command` on `folder`, where there is no `data`."""
    monkeypatch.chdir(tmp_path)

    def run(*more: str, repo: str = REPO):
        report = ["--report", "report"] if (tmp_path / "report").exists() else []
        return command("publish", "--repo", repo, "--weights", str(folder), *report, *more)

    return run


def commits_of(stand_in, repo=REPO):
    return len(stand_in.repositories[repo].commits) - 1  # the first one is the Hub's own


# What is published


def test_everything_goes_in_one_commit_and_comes_back_byte_for_byte(stand_in, publish, folder, tmp_path):
    code, said, result = publish()
    assert code == 0
    assert commits_of(stand_in) == 1
    assert sorted(files_of(stand_in, REPO)) == [".gitattributes", "README.md", *MODELS]
    assert sorted(result["files"]) == ["README.md", *MODELS]
    commit = stand_in.repositories[REPO].refs["main"]
    first = {"repo": REPO, "commit": commit, "created": True, "committed": True, "files": result["files"]}
    assert result == first
    assert f"--space USER/NAME --repo {REPO} --revision {commit}" in said
    located = locate(Settings(weights=tmp_path / "none", hub_repo=REPO, hub_revision=commit))
    assert (located.source, located.problems) == (f"hub {REPO}@{commit[:12]}", ())
    for model in located.models:
        for name in (model.path.name, model.path.with_suffix(".json").name):
            assert (model.path.parent / name).read_bytes() == (folder / name).read_bytes()
    code, said, again = publish()
    assert code == 0 and "nothing had changed" in said
    assert again == first | {"created": False, "committed": False, "files": []}
    assert commits_of(stand_in) == 1


def test_a_dry_run_shows_and_publishes_nothing(stand_in, publish, monkeypatch):
    code, said, result = publish("--dry-run")
    assert code == 0 and stand_in.repositories == {}
    assert result["dry_run"] and result["commit"] is None and sorted(result["files"]) == ["README.md", *MODELS]
    for name in MODELS:
        assert re.search(rf"new +[\d.]+ kB +{re.escape(name)}\n", said)
    _, _, done = publish()
    monkeypatch.delenv("HF_TOKEN")
    code, said, result = publish("--dry-run")
    assert (code, result["commit"], result["files"]) == (0, done["commit"], [])


def test_a_dry_run_needs_no_hub(stand_in, publish):
    stand_in.close()
    code, said, result = publish("--dry-run")
    assert code == 0 and "Not compared with the Hub" in said
    assert sorted(result["files"]) == ["README.md", *MODELS]


def test_models_are_measured_again_with_data_or_the_folder_data_unless_asked_not_to(
    stand_in, publish, tiny_data, tmp_path
):
    code, said, _ = publish("--data", str(tiny_data))
    assert code == 1 and "16 photos" in said and "recorded for 10" in said
    (tmp_path / "data").symlink_to(tiny_data)
    code, said, _ = publish()
    assert code == 1 and "16 photos" in said and "--unmeasured" in said
    assert stand_in.repositories == {}
    code, said, _ = publish("--unmeasured")
    assert code == 0 and "were not measured again" in said


def test_files_of_others_stay_and_models_among_them_are_named(stand_in, publish):
    stand_in.publish(REPO, {"old.h5": b"old", "old.json": b"{}", "notes.md": b"mine", "runs/x.json": b"{}"})
    _, said, _ = publish()
    assert {"old.h5", "old.json", "notes.md", "runs/x.json"} <= files_of(stand_in, REPO).keys()
    assert "also holds old.h5, old.json, which" in said


@pytest.mark.parametrize("command", ["publish --repo user/new", "card"])
def test_a_report_that_is_named_must_be_there(hub, folder, capsys, command):
    before = sorted(folder.iterdir())
    assert main([*command.split(), "--weights", str(folder), "--report", str(folder / "nope")]) == 1
    assert "nope" in capsys.readouterr().err
    assert hub.requests == [] and sorted(folder.iterdir()) == before


@pytest.mark.parametrize("there", ["of other classes", "without a spec"])
def test_another_model_there_is_replaced_only_when_told_to(stand_in, publish, folder, there):
    other = {"xception.h5": b"another model"}
    if there == "of other classes":
        spec = minimal("xception", classes=("cow", "horse"), sha256=hashlib.sha256(other["xception.h5"]).hexdigest())
        other["xception.json"] = spec.model_dump_json().encode()
    commit = stand_in.publish(REPO, other)
    code, said, _ = publish()
    assert code == 1 and "--overwrite" in said and stand_in.repositories[REPO].refs["main"] == commit
    assert publish("--overwrite")[0] == 0
    assert files_of(stand_in, REPO)["xception.h5"] == (folder / "xception.h5").read_bytes()


# The card


def test_the_card_on_the_hub_is_one_that_the_hub_takes_and_its_lines_load_a_model(stand_in, publish):
    publish()
    content = files_of(stand_in, REPO)["README.md"].decode()
    assert list(problems_of(content, "model")) == []
    assert {result.metric_value for result in ModelCard(content).data.eval_results} == {0.9, 0.95}
    lines, _ = re.findall(r"```python\n(.*?)```", content, re.DOTALL)
    names = {}
    exec(lines, names)
    assert names["model"].input_shape == (None, 40, 40, 3)  # the one that is better on validation photos


def test_what_was_written_on_the_hub_is_kept(stand_in, publish):
    publish()
    mine = files_of(stand_in, REPO)["README.md"].decode().replace("## Limits", "Written on the Hub.\n\n## Limits")
    mine = mine.replace("license: apache-2.0", "license: mit").replace("95.00%", "99.99%")
    stand_in.publish(REPO, {**files_of(stand_in, REPO), "README.md": mine.encode()})
    _, _, result = publish()
    card = files_of(stand_in, REPO)["README.md"].decode()
    assert result["files"] == ["README.md"]
    assert "Written on the Hub." in card and "license: mit" in card
    assert "95.00%" in card and "99.99%" not in card
    assert publish()[2]["files"] == []


def test_the_folders_text_goes_where_nobody_wrote_and_elsewhere_on_request(stand_in, publish, folder):
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: bsd\n---\n\nOur text\n")
    stand_in.publish(REPO, {"README.md": b"---\nlicense: mit\n---\n"})
    publish()
    card = files_of(stand_in, REPO)["README.md"].decode()
    assert "Our text" in card and "license: mit" in card and "language: en" in card
    (folder / "README.md").write_text("New text\n")
    _, said, result = publish()
    assert result["files"] == [] and "is kept" in said and "--replace-card" in said
    publish("--replace-card")
    assert "New text" in files_of(stand_in, REPO)["README.md"].decode()
    assert "Our text" not in files_of(stand_in, REPO)["README.md"].decode()


def test_the_report_goes_along(stand_in, publish, folder, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    shutil.copy(EXAMPLES / "cat.jpg", report / "curves.png")
    shutil.copy(EXAMPLES / "dog.jpg", report / "odd name.png")
    (report / "figures.json").write_text("{}")
    (report / "unused.json").write_text("{}")
    (folder / "README.md").write_text("See [the figures](../report/figures.json) and [this](../report/curves.png).\n")
    _, _, result = publish()
    assert {"report/curves.png", "report/odd name.png", "report/figures.json"} <= set(result["files"])
    assert "report/unused.json" not in result["files"]
    card = files_of(stand_in, REPO)["README.md"].decode()
    assert "[the figures](report/figures.json)" in card and "![Curves](report/curves.png)" in card
    assert "![Odd name](report/odd%20name.png)" in card
    assert publish()[2]["files"] == []
    (folder / "README.md").write_text("[gone](../report/gone.json)\n")
    code, said, _ = publish("--replace-card")
    assert code == 1 and "gone.json, which does not exist" in said


@pytest.mark.parametrize("name", ["../secret.txt", "{folder}/secret.txt", "%2F{folder}/secret.txt", "link.txt"])
def test_a_card_cannot_make_files_from_elsewhere_go_along(stand_in, publish, tmp_path, name):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "link.txt").symlink_to(tmp_path / "secret.txt")
    stand_in.publish(REPO, {"README.md": f"[see](report/{name.format(folder=tmp_path)})\n".encode()})
    code, said, _ = publish()
    assert code == 1 and "secret.txt, which is outside" in said.replace("link", "secret")
    assert set(files_of(stand_in, REPO)) == {"README.md"}


# What goes wrong; the rest is in test_upload


def test_who_may_not_publish_is_told_before_models_are_loaded(hub, publish, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_read_only")
    code, text, _ = publish()
    assert code == 1 and "may only read" in text and text.rstrip().endswith("Nothing was published.")
    assert "loads" not in text and hub.repositories == {}


@pytest.mark.parametrize("repo", ["cats", "user/ca ts", "https://x/user/cats"])
def test_a_name_that_is_none_is_wrong_usage(publish, repo):
    code, said, _ = publish(repo=repo)
    assert code == 2 and "--repo" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [([], "--repo USER/NAME, the app with --space"), (["--repo", REPO, "--revision", "v1"], "--space")],
)
def test_what_to_publish_must_be_said(hub, capsys, options, said):
    assert main(["publish", *options]) == 1
    assert said in capsys.readouterr().err and hub.requests == []
