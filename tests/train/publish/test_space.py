"""The app to a Space: what it needs and no more, and what was uploaded starts and answers."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import snapshot_download
from huggingface_hub.repocard import SpaceCard
from packaging.requirements import Requirement

from catdog import Settings
from catdog.models.locate import locate
from tests.conftest import PATIENCE, ROOT
from tests.hub.metadata import problems_of
from tests.servers import free_port, running, until_it_answers
from tests.train.conftest import files_of
from train.publish import space

pytestmark = pytest.mark.long
MODELS, SPACE = "user/cats-and-dogs", "user/cat-or-dog"
KEY = f"spaces/{SPACE}"


@pytest.fixture
def models(stand_in, tiny_weights):
    """The commit of the published models."""
    files = {path.name: path.read_bytes() for path in tiny_weights.iterdir()}
    return stand_in.publish(MODELS, files | {"README.md": b"card", "report/a.json": b"{}"})


@pytest.fixture
def publish(command):
    def run(*more: str, repo: str | None = MODELS):
        return command("publish", "--space", SPACE, *(["--repo", repo] if repo else []), *more)

    return run


def test_a_space_gets_what_it_needs_and_nothing_else(stand_in, models, publish):
    code, said, result = publish()
    assert code == 0 and f"{stand_in.endpoint}/spaces/{SPACE}" in said
    assert result["created"] and result["commit"] == stand_in.repositories[KEY].refs["main"]
    assert len(stand_in.repositories[KEY].commits) == 2  # the first one is the Hub's own
    files = files_of(stand_in, KEY)
    assert {name.split("/")[0] for name in files} == {
        ".gitattributes", "README.md", "LICENSE", "app.py", "catdog", "examples", "requirements.txt",
    }  # fmt: skip
    assert files["app.py"] == (ROOT / "app.py").read_bytes()
    assert {"catdog/gradio_app/page.css", "catdog/settings.py", "examples/cat.jpg"} <= files.keys()
    assert not [name for name in files if re.search(r"__pycache__|\.pyc|\.pyi|/\.|\.h5", name)]


def test_the_front_matter_pins_the_models_and_preloads_all_that_the_app_needs(stand_in, models, publish, tmp_path):
    publish()
    content = files_of(stand_in, KEY)["README.md"].decode()
    assert list(problems_of(content, "space")) == []
    data = SpaceCard(content).data
    assert data.models == [MODELS]
    names = "scratch_cnn.h5,scratch_cnn.json,xception.h5,xception.json"
    assert data.to_dict()["preload_from_hub"] == [f"{MODELS} {names} {models}"]
    ours = SpaceCard.load(ROOT / "README.md").data
    assert (data.title, data.sdk, data.sdk_version, data.app_file) == (ours.title, "gradio", ours.sdk_version, "app.py")
    assert f"gradio=={data.sdk_version}\n" in files_of(stand_in, KEY)["requirements.txt"].decode()
    assert models in SpaceCard(content).text
    snapshot_download(MODELS, revision=models, allow_patterns=names.split(","))  # as `hf download` does
    stand_in.close()
    variables = stand_in.repositories[KEY].variables
    located = locate(Settings.from_env(variables | {"CATDOG_WEIGHTS": str(tmp_path / "none")}))
    assert (located.source, located.problems) == (f"hub {MODELS}@{models[:12]}", ())


def test_the_variables_name_the_models_and_follow_them(stand_in, models, publish, tiny_weights):
    publish()
    variables = stand_in.repositories[KEY].variables
    assert variables == {"CATDOG_HUB_REPO": MODELS, "CATDOG_HUB_REVISION": models}
    variables["MINE"] = "stays"
    only_one = {path.name: path.read_bytes() for path in tiny_weights.glob("xception.*")}
    second = stand_in.publish(MODELS, only_one)
    _, said, result = publish()
    assert result["files"] == ["README.md"] and result["variables"] == ["CATDOG_HUB_REVISION"]
    assert "Variables set: CATDOG_HUB_REVISION" in said
    assert variables == {"CATDOG_HUB_REPO": MODELS, "CATDOG_HUB_REVISION": second, "MINE": "stays"}


@pytest.mark.parametrize(
    ("classes", "title"),
    [(None, "Cat or dog?"), (("Cow", "goat", "horse"), "Cow, goat or horse?"), (tuple("abcdef"), "What")],
)
def test_a_space_is_described_by_its_models(stand_in, models, publish, tiny_weights, classes, title):
    def description():
        return SpaceCard(files_of(stand_in, KEY)["README.md"].decode()).data.to_dict()

    publish()
    assert description()["short_description"].startswith("Two neural networks")
    files = {path.name: path.read_bytes() for path in tiny_weights.glob("xception.*")}
    if classes:
        files["xception.json"] = json.dumps(json.loads(files["xception.json"]) | {"classes": classes}).encode()
    stand_in.publish(MODELS, files)
    publish()
    assert description()["short_description"].startswith("A neural network")
    assert description()["title"].startswith(title)
    assert {name.lower() for name in classes or ()} <= {*description()["tags"]}


def test_an_older_commit_can_be_pinned(stand_in, models, publish):
    stand_in.publish(MODELS, {"README.md": b"nothing left"})
    assert publish()[0] == 1
    publish("--revision", models)
    assert stand_in.repositories[KEY].variables["CATDOG_HUB_REVISION"] == models


def test_a_space_keeps_its_models_and_a_new_one_takes_those_of_its_name(stand_in, models, publish, tiny_weights):
    code, said, _ = publish(repo=None)
    assert code == 1 and f"no Hub repository {SPACE}" in said and "name others with --repo" in said
    stand_in.publish(SPACE, tiny_weights)
    publish(repo=None)
    assert stand_in.repositories[KEY].variables["CATDOG_HUB_REPO"] == SPACE
    publish()
    assert publish(repo=None)[2]["files"] == []
    assert stand_in.repositories[KEY].variables["CATDOG_HUB_REPO"] == MODELS


def test_publishing_again_makes_no_commit_and_a_dry_run_nothing_at_all(stand_in, models, publish):
    code, said, result = publish("--dry-run")
    assert code == 0 and result["dry_run"] and "app.py" in result["files"]
    assert f"CATDOG_HUB_REVISION={models}" in said and KEY not in stand_in.repositories
    publish()
    stand_in.requests.clear()
    code, said, again = publish()
    assert code == 0 and "nothing had changed" in said
    assert (again["committed"], again["files"], again["variables"]) == (False, [], [])
    assert not [request for request in stand_in.requests if request.startswith(("POST", "PUT"))]


def test_what_the_owner_of_the_space_did_is_kept(stand_in, models, publish):
    publish()
    readme = files_of(stand_in, KEY)["README.md"].decode()
    readme = readme.replace("title: Cat or dog?", "title: Mine").replace("sdk_version: ", "sdk_version: 1.")
    theirs = {"README.md": f"{readme}My words\n".encode(), "packages.txt": b"ffmpeg", "catdog/old.py": b"gone"}
    stand_in.publish(KEY, files_of(stand_in, KEY) | theirs)
    _, _, result = publish()
    assert sorted(result["files"]) == ["README.md", "catdog/old.py"]
    assert "packages.txt" in files_of(stand_in, KEY) and "catdog/old.py" not in files_of(stand_in, KEY)
    content = files_of(stand_in, KEY)["README.md"].decode()
    assert "title: Mine" in content and "My words" in content and "sdk_version: 1." not in content


def test_what_the_hub_put_into_a_new_space_counts_as_written_by_nobody(stand_in, models, publish):
    stand_in.inject(403, "/commit/", times=1)
    assert publish()[0] == 1  # the Space exists now, with the Hub's own README.md
    assert b"Check out the configuration" in files_of(stand_in, KEY)["README.md"]
    publish()
    content = files_of(stand_in, KEY)["README.md"].decode()
    assert "title: Cat or dog?" in content and "Check out" not in content


def test_front_matter_that_the_hub_refuses_is_told(stand_in, models, publish):
    publish()
    readme = files_of(stand_in, KEY)["README.md"].replace(b"colorFrom: yellow", b"colorFrom: orange")
    stand_in.publish(KEY, {**files_of(stand_in, KEY), "README.md": readme, "app.py": b"old"})
    stand_in.publish(MODELS, {**stand_in.repositories[MODELS].commits[models], "more.json": b"{}"})
    code, said, _ = publish()
    assert code == 1
    assert re.search('README.md.*"colorFrom" must be one of', said)
    assert "Nothing was published" in said and files_of(stand_in, KEY)["app.py"] == b"old"


def test_variables_that_fail_are_set_by_the_next_try(stand_in, models, publish):
    publish()
    stand_in.repositories[KEY].variables.clear()
    stand_in.inject(503, f"POST /api/spaces/{SPACE}/variables", times=1)
    code, said, _ = publish()
    commit = stand_in.repositories[KEY].refs["main"]
    assert code == 1 and f"as commit {commit}; the variables are not" in said
    assert publish()[2]["variables"] == ["CATDOG_HUB_REPO", "CATDOG_HUB_REVISION"]
    assert stand_in.repositories[KEY].variables["CATDOG_HUB_REVISION"] == models


@pytest.mark.parametrize(
    ("repo", "more", "said"),
    [
        ("user/missing", [], "no Hub repository user/missing.*publish --repo user/missing"),
        (MODELS, ["--revision", "v9"], f"{MODELS} .*404.*v9"),
        ("user/empty", [], "user/empty holds no models"),
    ],
)
def test_models_that_are_not_there_are_an_error(stand_in, models, publish, repo, more, said):
    stand_in.publish("user/empty", {"report.json": b"{}"})
    code, text, _ = publish(*more, repo=repo)
    assert code == 1 and re.search(f"{said}.*Nothing was published", text)
    assert KEY not in stand_in.repositories


def test_options_for_models_are_refused(stand_in, models, publish):
    options = ["--weights", "mine", "--report", "mine", "--data", "mine", "--replace-card"]
    assert "--weights, --report, --data, --replace-card." in publish(*options)[1]
    assert "--unmeasured." in publish("--unmeasured")[1]
    assert KEY not in stand_in.repositories


def test_private_models_need_a_secret_in_the_space(stand_in, models, publish):
    stand_in.repositories[MODELS].private = True
    assert "give the Space a secret HF_TOKEN" in publish()[1]


def test_a_folder_that_is_no_copy_of_the_repository_is_told(stand_in, models, publish, tmp_path, monkeypatch):
    monkeypatch.setattr(space, "ROOT", tmp_path)
    code, said, _ = publish()
    assert code == 1 and "app.py is missing: a Space is published from a copy" in said


# The uploaded folder in an empty directory, with nothing but what its requirements.txt brings


def environment(home: Path, stand_in) -> dict[str, str]:
    """What a process needs that shares nothing with this one."""
    return {"PATH": os.defpath, "HOME": str(home), "HF_ENDPOINT": stand_in.endpoint, "HF_HUB_DISABLE_XET": "1"}


def test_the_uploaded_folder_starts_with_its_requirements_alone_and_answers(stand_in, tiny_weights, tmp_path, cat):
    """Published by a process of its own, where the client reads HF_ENDPOINT, HF_HOME and HF_TOKEN by itself."""
    models = stand_in.publish(MODELS, {path.name: path.read_bytes() for path in tiny_weights.glob("xception.*")})
    done = subprocess.run(
        [sys.executable, "-m", "train", "publish", "--space", SPACE, "--repo", MODELS],
        cwd=ROOT, env=environment(tmp_path, stand_in) | {"HF_TOKEN": stand_in.token}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["commit"] == stand_in.repositories[KEY].refs["main"]
    folder, port = tmp_path / "space", free_port()
    snapshot_download(SPACE, repo_type="space", local_dir=folder)
    shutil.rmtree(folder / ".cache")  # the client's own notes
    python = environment_of(folder / "requirements.txt", tmp_path / "venv")
    variables = environment(tmp_path, stand_in) | stand_in.repositories[KEY].variables
    variables |= {"GRADIO_SERVER_PORT": port, "GRADIO_ANALYTICS_ENABLED": "False"}
    with running([python, "app.py"], folder, inherit=False, **variables) as process:
        until_it_answers(url := f"http://127.0.0.1:{port}", process)
        client = Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": PATIENCE})
        *labels, comparison = client.predict(handle_file(cat), api_name="/predict")
        process.kill()  # told to stop, it would wait for further requests
    assert comparison["source"] == f"hub {MODELS}@{models[:12]}"
    assert [row["model"] for row in comparison["models"]] == ["xception"]
    assert labels[1]["label"] in ("cat", "dog")


def environment_of(requirements: Path, folder: Path) -> Path:
    """The Python of a new virtual environment with links to what pip would install there: the versions from here."""
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    lines = (line.strip() for line in requirements.read_text().splitlines())
    wanted = [(Requirement(line), "") for line in lines if line and not line.startswith("#")]
    seen = set()
    while wanted:
        requirement, extra = wanted.pop()
        if requirement in seen or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add(requirement)
        installed = distribution(requirement.name)
        assert installed.version in requirement.specifier, requirement
        for name in {file.parts[0] for file in installed.files} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(installed.locate_file(name))
        wanted += [(Requirement(r), e) for r in installed.requires or () for e in ("", *requirement.extras)]
    return folder / "bin" / "python"
