"""No way round the limits of uploads: no other file of the server, no address, nothing too large, nothing kept."""

import os
import socket
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio.data_classes import FileData, ListFiles
from gradio.route_utils import delete_files_created_by_app
from gradio.utils import get_upload_folder
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from catdog.gradio_app.page import SESSIONS
from catdog.gradio_app.uploads import LARGEST_PHOTOS, FilesInput, refusal
from tests.catdog import fakes
from tests.catdog.photos import encoded, noise
from tests.conftest import PATIENCE, ROOT

from .calls import GOOD, LIMIT, META, assert_same_verdicts, call, data_url, refused


def test_photos_in_calls_are_not_kept(site):
    page, url = site
    sent = {"url": data_url(encoded(noise(120, 90), "PNG")), "orig_name": "name" * 5000}
    assert call(url, sent)[0] == "complete"
    kept = repr([session.config_values for session in page.state_holder.session_data.values()])
    assert "'image_mode'" in kept
    assert not any(text in kept for text in sent.values())
    assert page.state_session_capacity == SESSIONS


NOT_UPLOADED = ["/etc/passwd", "{outside}", "{uploads}/{climb}", "{uploads}", "app.py", ""]


def filled_in(path: str, outside: Path) -> str:
    uploads = get_upload_folder()
    return path.format(outside=outside, uploads=uploads, climb=os.path.relpath(outside, uploads))


@pytest.mark.parametrize("extra", [{}, META, META | {"is_stream": True}], ids=["bare", "meta", "stream"])
@pytest.mark.parametrize("path", [*NOT_UPLOADED, "{uploads}/missing.png", "x" * 5000, "a\0b.png"])
def test_paths_that_were_not_uploaded_are_refused(url, outside, extra, path):
    path = filled_in(path, outside)
    message = refused(url, {"path": path, **extra})
    assert message and "root:" not in message and "Traceback" not in message


def test_symlink_in_the_upload_folder_is_refused(url, outside):
    link = Path(get_upload_folder()) / f"link-{os.getpid()}.png"
    link.symlink_to(outside)
    try:
        assert "not uploaded" in refused(url, {"path": str(link)})
    finally:
        link.unlink()


@pytest.mark.parametrize("name", ["/etc/passwd", "{outside}", str(ROOT / "app.py")])
def test_files_of_the_server_are_not_served(url, outside, name):
    name = filled_in(name, outside)
    refused(url, {"path": name, **META})
    assert httpx.get(f"{url}/gradio_api/file={name}", timeout=PATIENCE).status_code == 403


def test_private_addresses_are_never_fetched_and_others_by_the_comparator(
    url, client, press, other_site, comparator, monkeypatch
):
    path, both = {"path": other_site}, {"path": other_site, "url": other_site}
    for payload in (path, path | META, {"url": other_site}, both | META, {"path": "http://127.0.0.1/cat.png"}):
        assert refused(url, payload)
    with pytest.raises(AppError):
        client.predict(handle_file(other_site), api_name="/predict")
    monkeypatch.setattr(comparator, "fetch", {"https://example.org/a": GOOD["jpeg.jpeg"]}.__getitem__)
    for payload in ({"path": "https://example.org/a"}, {"url": "https://example.org/a"}):
        event, answer = call(url, payload)
        assert event == "complete"
        assert_same_verdicts(answer, comparator, GOOD["jpeg.jpeg"])
    message = press("work", [[both | META], None])
    assert not message["success"] and "not fetched" in str(message)


@pytest.mark.parametrize("extra", [{}, META], ids=["bare", "meta"])
@pytest.mark.parametrize("path", NOT_UPLOADED)
def test_many_files_are_refused_where_one_was_not_uploaded(press, outside, path, extra):
    path = filled_in(path, outside)
    message = press("work", [[{"path": path, **extra}], None], session=f"s{path}{len(extra)}")
    assert not message["success"]
    assert "root:" not in str(message) and "Traceback" not in str(message)


@pytest.mark.parametrize("path", ["{outside}", "{uploads}/{climb}"])
def test_the_input_for_many_files_hands_over_no_other_even_where_gradio_would(outside, path):
    sent = ListFiles([FileData(path=filled_in(path, outside), meta=META["meta"])])
    with pytest.raises(gr.Error, match="not uploaded"):
        FilesInput(file_count="multiple").preprocess(sent)


def test_many_files_leave_nothing_behind(press, url):
    sent = [("files", (f"{i}.png", encoded(fakes.photo((i, i, 99)), "PNG"), "image/png")) for i in range(3)]
    paths = httpx.post(f"{url}/gradio_api/upload", files=sent, timeout=PATIENCE).json()
    before = sorted(Path(get_upload_folder()).rglob("*"))
    message = press("work", [[{"path": path, **META} for path in paths], None])
    assert message["success"] and "3 photos judged" in str(message)
    assert sorted(Path(get_upload_folder()).rglob("*")) == before


def test_only_uploads_may_bring_many_photos(url):
    for path in ("gradio_api/call/predict", "gradio_api/run/predict", "gradio_api/queue/join", "gradio_api/call/upload",
                 "gradio_api/queue/join/upload", "upload", "x/gradio_api/upload"):  # fmt: skip
        assert httpx.post(f"{url}/{path}", content=bytes(LIMIT * 2), timeout=PATIENCE).status_code == 413, path
    small = [("files", (f"{i}.bin", bytes(LIMIT - 1), "image/jpeg")) for i in range(LARGEST_PHOTOS)]
    assert httpx.post(f"{url}/gradio_api/upload", files=small, timeout=PATIENCE).status_code == 200
    assert httpx.post(f"{url}/gradio_api/upload", files=small * 2, timeout=PATIENCE).status_code == 413


def test_requests_over_the_limit_are_refused(url):
    for megabytes in (3, 50):
        files = {"files": ("big.jpg", bytes(megabytes * 2**20), "image/jpeg")}
        assert httpx.post(f"{url}/gradio_api/upload", files=files, timeout=PATIENCE).status_code == 413
    chunks = (b"x" * 2**16 for _ in range(100))  # without a declared length
    assert httpx.post(f"{url}/gradio_api/call/predict", content=chunks, timeout=PATIENCE).status_code == 413


def test_largest_accepted_photo_fits_into_a_data_url(url, comparator):
    padded = GOOD["jpeg.jpeg"].ljust(LIMIT, b"\0")
    event, answer = call(url, {"url": data_url(padded)})
    assert event == "complete"
    assert_same_verdicts(answer, comparator, padded)
    assert "larger than" in refused(url, {"url": data_url(padded + b"\0")})
    head, content = data_url(padded).split(",")
    lines = "\r\n".join(content[start : start + 76] for start in range(0, len(content), 76))
    assert call(url, {"url": f"{head},\n{lines}\n"})[0] == "complete"


@pytest.mark.parametrize("between", ["\n", "\r\n", "%0A", "%0D%0A", " \t"])
def test_data_urls_are_read_as_browsers_do(url, comparator, between):
    head, content = data_url(GOOD["jpeg.jpeg"]).split(",")
    lines = between.join(content[start : start + 64] for start in range(0, len(content), 64))
    for sent in (f"{head},{lines}", f"DATA:image/jpeg; BASE64,{lines.rstrip('=')}"):
        event, answer = call(url, {"url": sent})
        assert event == "complete"
        assert_same_verdicts(answer, comparator, GOOD["jpeg.jpeg"])


def test_an_upload_that_breaks_off_is_no_error_of_the_server(site, caplog, capfd):
    host, port = site[1].removeprefix("http://").split(":")
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    part = '--b\r\nContent-Disposition: form-data; name="files"; filename="x.jpg"\r\n\r\nhalf a photo'
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}Content-Length: 5000\r\n\r\n{part}".encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):  # until the server has closed it, too
            pass
    assert httpx.get(f"{site[1]}/config", timeout=PATIENCE).status_code == 200
    assert "Traceback" not in caplog.text + capfd.readouterr().err


def test_uploads_are_swept_away(site, client, tmp_path):
    page, url = site
    files = {"files": ("sweep.jpg", encoded(noise(seed=51), "JPEG"), "image/jpeg")}
    (stored,) = httpx.post(f"{url}/gradio_api/upload", files=files, timeout=PATIENCE).json()
    assert Path(stored).is_file()
    assert page.delete_cache == (3600, 3600)
    refused(url, {"path": str(Path(stored).parent), **META})  # a folder must not end the sweep
    delete_files_created_by_app(page, age=-1)
    assert not Path(stored).exists()


def test_error_text_is_escaped():
    assert refusal("<img src=x onerror=alert(1)> & it's").message == "&lt;img src=x onerror=alert(1)&gt; &amp; it's"
