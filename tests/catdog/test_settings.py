import dataclasses
import os
import re
import tempfile
from pathlib import Path
from types import MappingProxyType

import certifi
import gradio as gr
import httpx
import pytest
from PIL import Image

from catdog.errors import InvalidSettings
from catdog.settings import PILLOW_LIMIT, PREFIX, VARIABLES, Settings, check_gradio, configure_gradio, unusable_for_http
from tests.conftest import ROOT


@pytest.mark.parametrize("blank", ["", "  "])
def test_nothing_needs_to_be_set(blank, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    settings = Settings.from_env({f"{PREFIX}{name}": blank for name in VARIABLES})
    assert settings == Settings.from_env({}) == Settings()
    assert [source.name for source in settings.sources] == ["weights"]
    assert settings.hub_repo is None


def test_every_variable_is_read():
    settings = Settings.from_env({
        "CATDOG_WEIGHTS": "/models", "CATDOG_HUB_REPO": "user/cat.dog-1", "CATDOG_HUB_REVISION": "0123abcd",
        "CATDOG_ENGINE": "tensorflow", "CATDOG_THREADS": "2", "CATDOG_CACHE": "/cache", "CATDOG_MAX_WAITING": "8",
        "CATDOG_MAX_UPLOAD_MB": "1.5", "CATDOG_MAX_PIXELS": "1e6", "CATDOG_LOG": "json", "OTHER": "x",
        "CATDOG_FETCH": "off",
    })  # fmt: skip
    assert settings == Settings(
        weights="/models", hub_repo="user/cat.dog-1", hub_revision="0123abcd", engine="tensorflow", threads=2,
        cache=Path("/cache"), max_waiting=8, max_upload_bytes=3 * 2**19, max_pixels=1_000_000,
        fetch="off", log="json",
    )  # fmt: skip


BAD = {
    "HUB_REPO": ["xception", "a/b/c", "../..", "https://huggingface.co/a/b"],
    "ENGINE": ["cuda"],
    "THREADS": ["-1", "2.5"],
    "MAX_WAITING": ["0"],
    "MAX_UPLOAD_MB": ["0", "nan", "1025", "1e305"],
    "MAX_PIXELS": ["0", "1e12", "50MP"],
    "FETCH": ["yes"],
    "LOG": ["xml"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_refused_by_name(name, value):
    with pytest.raises(InvalidSettings, match=rf"^{PREFIX}{name} must be .*\. Received: .+\.$"):
        Settings.from_env({f"{PREFIX}{name}": value})


def test_a_misspelt_variable_is_warned_of_and_no_other(caplog):
    platform = {"CATDOG_PORT": "tcp://10.0.0.1:80", "CATDOG_SERVICE_HOST": "10.0.0.1", "CATDOG_WEB_PORT": "80"}
    Settings.from_env({"CATDOG_HUBREPO": "a/b", "CATDOG_THREADS": "1", "THREAD": "1"} | platform)
    (record,) = caplog.records
    assert re.findall(r"CATDOG_\w+", record.getMessage()) == ["CATDOG_HUBREPO", "CATDOG_HUB_REPO"]


def test_every_setting_has_a_variable_that_the_docs_list():
    assert [field for field, _ in VARIABLES.values()] == [field.name for field in dataclasses.fields(Settings)]
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `CATDOG_(\w+)` \|", text, re.MULTILINE)} == {*VARIABLES}


@pytest.mark.parametrize("field", [{"engine": "cuda"}, {"threads": -1}, {"max_pixels": 0}, {"hub_revision": ""}])
def test_settings_made_in_python_are_checked_too(field):
    with pytest.raises(InvalidSettings):
        Settings(**field)


@pytest.fixture
def bare(monkeypatch):
    """An environment without what Gradio reads or `configure_gradio` sets, and as it was after the test."""
    set_here = (
        "no_proxy",
        "GRADIO_TEMP_DIR",
        "GRADIO_ANALYTICS_MAX_EVENTS",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY",
        "GRADIO_NUM_PORTS",
    )
    for name in [*os.environ, *set_here]:
        if name.lower().endswith("_proxy") or name.startswith(("GRADIO_", "SSL")):
            monkeypatch.setenv(name, "1")  # so that what is set later ends with the test
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "make", [None, lambda p: p.symlink_to(p.parent), lambda p: (p.mkdir(), p.chmod(0o777)), Path.touch]
)
def test_uploads_go_into_a_folder_that_only_this_user_may_write_to(bare, monkeypatch, tmp_path, make):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual = tmp_path / f"gradio-{os.getuid()}"
    if make:  # by somebody else
        make(usual)
    configure_gradio()
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert folder.parent == tmp_path and (folder == usual) == (make is None) and folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("GRADIO_TEMP_DIR", "mine")
    configure_gradio()
    assert os.environ["GRADIO_TEMP_DIR"] == "mine"


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [
        ({}, None),
        ({"http_proxy": "http://proxy:3128"}, "127.0.0.1,localhost"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "intranet"}, "intranet,127.0.0.1,localhost"),
        ({"all_proxy": "http://proxy:3128", "GRADIO_SERVER_NAME": "10.0.0.7"}, "127.0.0.1,localhost,10.0.0.7"),
    ],
)
def test_gradio_reaches_itself_without_a_proxy(bare, monkeypatch, proxies, expected):
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    configure_gradio()
    assert os.environ.get("no_proxy") == expected
    assert gr.Blocks().queue()._queue.ANALYTICS_MAX_EVENTS == 1  # for statistics of calls, which nobody sees


@pytest.mark.parametrize(
    ("name", "value", "usable"),
    [
        ("ALL_PROXY", "socks://proxy:1080", False),
        ("https_proxy", "ftp://user:secret@proxy", False),
        ("HTTP_PROXY", "http://user:secret/@proxy:80", False),
        ("HTTP_PROXY", "proxy:3128", True),
        ("no_proxy", "localhost,[::1]", False),
        ("NO_PROXY", "localhost,fd00::/8", False),
        ("no_proxy", "localhost,::1,10.0.0.0/8", True),
        ("SSL_CERT_FILE", "/nowhere", False),
        ("SSL_CERT_FILE", __file__, False),
        ("SSL_CERT_FILE", "", True),
        ("SSLKEYLOGFILE", "/nowhere/keys", False),
    ],
)
def test_what_no_client_can_be_made_with_is_told_and_ignored(bare, monkeypatch, caplog, name, value, usable):
    monkeypatch.setenv(name, value)
    configure_gradio()
    assert [name in text for text in caplog.messages] == ([] if usable else [True])
    assert "secret" not in caplog.text
    httpx.Client().close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSLKEYLOGFILE", "/nowhere/keys"),
        ("SSL_CERT_FILE", "/nowhere"),
        ("https_proxy", "ftp://proxy"),
        ("no_proxy", "[::1]"),
    ],
)
def test_one_variable_of_several_is_found_without_a_change_for_other_threads(bare, monkeypatch, name, value):
    fine = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "localhost", "SSL_CERT_FILE": certifi.where()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", MappingProxyType({**os.environ, **fine, name: value}))
        assert unusable_for_http(httpx)[0] == name


@pytest.mark.parametrize("port", ["web", "0", "-1", "65536", "80.5", "1e3"])
@pytest.mark.parametrize("name", ["GRADIO_SERVER_PORT", "GRADIO_NUM_PORTS"])
def test_a_port_that_is_none_is_refused_by_name(bare, monkeypatch, name, port):
    monkeypatch.setenv(name, port)
    with pytest.raises(InvalidSettings, match=name):
        check_gradio()


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        ({}, None),
        ({"SERVER_PORT": " "}, None),
        ({"SERVER_PORT": "80"}, "1"),
        ({"SERVER_PORT": "80", "NUM_PORTS": "9"}, "9"),
    ],
)  # fmt: skip
def test_the_port_that_is_asked_for_is_the_only_one(bare, monkeypatch, given, tried):
    for name, value in given.items():
        monkeypatch.setenv(f"GRADIO_{name}", value)
    check_gradio()
    assert os.environ.get("GRADIO_NUM_PORTS") == tried
    assert os.environ.get("GRADIO_SERVER_PORT") != " "


def test_folders_are_where_the_user_keeps_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Settings(weights="models").sources == (Path("models"),)
    settings = Settings.from_env({"CATDOG_WEIGHTS": "~/weights", "CATDOG_CACHE": "~/cache"})
    assert (settings.sources, settings.cache) == ((Path("/home/somebody/weights"),), Path("/home/somebody/cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Settings().cache == Settings.from_env().cache == tmp_path / "catdog"
    assert Settings.from_env({"XDG_CACHE_HOME": "/caches"}).cache == Path("/caches/catdog")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Settings().cache == Path("/home/somebody/.cache/catdog")


def test_somebody_without_a_home_has_a_cache_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert Settings.from_env({"CATDOG_CACHE": "/cache"}).cache == Path("/cache")
    assert list(tmp_path.iterdir()) == []
    cache = Settings().cache
    assert cache == Settings().cache == tmp_path / f"catdog-{os.getuid()}"
    assert cache.stat().st_mode & 0o777 == 0o700


def test_more_pixels_than_pillow_opens_cannot_be_allowed():
    assert PILLOW_LIMIT == 2 * Image.MAX_IMAGE_PIXELS
