"""The Gradio page over real HTTP: the same verdicts as elsewhere, and no way round its limits."""

from __future__ import annotations

import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio.data_classes import FileData, ListFiles
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from catdog import Settings, load
from catdog.gradio_app.page import SESSIONS
from catdog.gradio_app.uploads import LARGEST_PHOTOS, FilesInput, refusal
from catdog.pages import ICON
from tests.catdog import fakes
from tests.catdog.photos import encoded, heic, huge_png, png
from tests.conftest import PATIENCE
from tests.servers import free_port, running, served_page, taken_port, until_it_answers
from tests.tiny import write_tiny_model

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 2 * 2**20
META = {"meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def comparator(tiny_weights):
    comparator = load(Settings(weights=tiny_weights, max_upload_bytes=LIMIT))
    yield comparator
    comparator.close()


@pytest.fixture(scope="module")
def site(comparator):
    with served_page(comparator) as (page, url):
        yield page, url


@pytest.fixture(scope="module")
def url(site):
    return site[1]


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": PATIENCE})


def call(url: str, payload) -> tuple[str, object]:
    """One raw `/predict` request: (event, data), as a client that wrote it by hand would see them."""
    start = httpx.post(f"{url}/gradio_api/call/predict", json={"data": [payload]}, timeout=PATIENCE)
    assert start.status_code == 200, start.text
    reply = httpx.get(f"{url}/gradio_api/call/predict/{start.json()['event_id']}", timeout=PATIENCE).text
    event, data = reply.strip().splitlines()[-2:]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def refused(url: str, payload) -> str:
    """The text of the error that the request ends in."""
    event, data = call(url, payload)
    assert event == "error", data
    return data["error"]


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def photo(mode: str = "RGB") -> Image.Image:
    with Image.open(ROOT / "examples" / "cat.jpg") as image:
        return image.resize((120, 90)).convert(mode)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(photo(), "JPEG", exif=exif)


def transparent() -> bytes:
    image = photo("RGBA")
    image.putalpha(80)
    return encoded(image, "PNG")


GOOD = {
    "jpeg.jpg": lambda: encoded(photo(), "JPEG"),
    "rotated.jpg": rotated,
    "cmyk.jpg": lambda: encoded(photo("CMYK"), "JPEG"),
    "transparent.png": transparent,
    "palette.png": lambda: encoded(photo("P"), "PNG"),
    "sixteen.png": lambda: png(64, 40, 16, 0, [bytes(range(128))] * 40),
    "moving.gif": lambda: encoded(photo("P"), "GIF", save_all=True, append_images=[Image.new("P", (120, 90))]),
    "webp.webp": lambda: encoded(photo(), "WEBP"),
    "tiff.tiff": lambda: encoded(photo(), "TIFF"),
    "phone.heic": lambda: heic(photo()),
    "no-suffix": lambda: encoded(photo(), "PNG"),
    "wrong-suffix.svg": lambda: encoded(photo(), "PNG"),
}
BAD = {
    "empty.jpg": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"not a photo at all", "not a photo"),
    "cut.jpg": (lambda: encoded(photo(), "JPEG")[:700], "damaged"),
    "drawing.svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG"),
    "paper.pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", "PDF"),
    "film.mp4": (lambda: b"\0\0\0\x18ftypmp42" + bytes(64), "video"),
    "huge.png": (huge_png, "too many pixels"),
}


def without_times(comparison: dict) -> dict:
    return comparison | {"models": [verdict | {"milliseconds": 0} for verdict in comparison["models"]]}


def assert_same_verdicts(answer, comparator, data: bytes) -> None:
    """The three outputs of `/predict` say what `Comparator.compare` says of the same bytes, exactly."""
    *labels, comparison = answer
    expected = comparator.compare(data).to_dict()
    assert without_times(comparison) == without_times(json.loads(json.dumps(expected)))
    for label, verdict in zip(labels, expected["models"], strict=True):
        assert label["label"] == verdict["label"]
        assert {c["label"]: c["confidence"] for c in label["confidences"]} == verdict["probabilities"]


@pytest.mark.parametrize("name", ["cat.jpg", "dog.jpg", "owl.jpg"])
def test_client_gets_two_labels_and_the_comparison(client, comparator, name):
    path = ROOT / "examples" / name
    assert_same_verdicts(client.predict(handle_file(path), api_name="/predict"), comparator, path.read_bytes())


@pytest.mark.parametrize("name", GOOD)
def test_bytes_are_judged_as_they_were_sent(client, comparator, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD[name]())
    assert_same_verdicts(client.predict(handle_file(path), api_name="/predict"), comparator, path.read_bytes())


@pytest.mark.parametrize("name", ["transparent.png", "moving.gif", "phone.heic"])
def test_data_url_is_judged_as_it_was_sent(url, comparator, name):
    event, answer = call(url, {"url": data_url(GOOD[name]())})
    assert event == "complete"
    assert_same_verdicts(answer, comparator, GOOD[name]())


def test_photos_in_calls_are_not_kept(site):
    page, url = site
    sent = {"url": data_url(encoded(photo(), "PNG")), "orig_name": "name" * 5000}
    assert call(url, sent)[0] == "complete"
    kept = repr([session.config_values for session in page.state_holder.session_data.values()])
    assert "'image_mode'" in kept
    assert not any(text in kept for text in sent.values())
    assert page.state_session_capacity == SESSIONS


@pytest.mark.parametrize("name", BAD)
def test_bad_upload_is_refused_in_plain_words(client, cat, tmp_path, name):
    make, words = BAD[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(AppError) as raised:
        client.predict(handle_file(path), api_name="/predict")
    assert words in str(raised.value) and "Traceback" not in str(raised.value)
    assert client.predict(handle_file(cat), api_name="/predict")[2]["models"]


@pytest.fixture
def outside(tmp_path) -> Path:
    """A readable photo of the server that nobody uploaded."""
    path = tmp_path / "private.png"
    path.write_bytes(GOOD["no-suffix"]())
    return path


def filled_in(path: str, outside: Path) -> str:
    from gradio.utils import get_upload_folder

    uploads = get_upload_folder()
    return path.format(outside=outside, uploads=uploads, climb=os.path.relpath(outside, uploads))


@pytest.mark.parametrize("extra", [{}, META, META | {"is_stream": True}], ids=["bare", "meta", "stream"])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "{outside}",
        "{uploads}/{climb}",
        "{uploads}",
        "{uploads}/missing.png",
        "app.py",
        "x" * 5000,
        "a\0b.png",
        "",
    ],
)
def test_paths_that_were_not_uploaded_are_refused(url, outside, extra, path):
    path = filled_in(path, outside)
    message = refused(url, {"path": path, **extra})
    assert message and "root:" not in message and "Traceback" not in message


def test_symlink_in_the_upload_folder_is_refused(url, outside):
    from gradio.utils import get_upload_folder

    link = Path(get_upload_folder()) / f"link-{os.getpid()}.png"
    link.symlink_to(outside)
    try:
        assert "not uploaded" in refused(url, {"path": str(link)})
    finally:
        link.unlink()


@pytest.mark.parametrize("name", ["/etc/passwd", "{outside}", str(ROOT / "app.py")])
def test_files_of_the_server_are_not_served(url, outside, name):
    name = name.format(outside=outside)
    refused(url, {"path": name, **META})
    assert httpx.get(f"{url}/gradio_api/file={name}", timeout=PATIENCE).status_code == 403


def test_the_page_has_the_icon_of_the_project(url):
    icon = httpx.get(f"{url}/favicon.ico", timeout=PATIENCE)
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.content == ICON.read_bytes()


@pytest.fixture
def other_site():
    """A photo on a web server of this machine; `hits` counts the requests it saw."""

    class Handler(http.server.BaseHTTPRequestHandler):
        hits = 0

        def do_GET(self):
            Handler.hits += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(GOOD["no-suffix"]())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}/cat.png"
    server.shutdown()
    server.server_close()


def test_addresses_are_never_fetched(url, client, other_site):
    site, address = other_site
    payloads = [
        {"path": address, **META},
        {"path": address},
        {"url": address},
        {"path": address, "url": address, **META},
    ]
    for payload in payloads:
        assert "Send the photo itself" in refused(url, payload)
    with pytest.raises(AppError, match="not fetched from other sites"):
        client.predict(handle_file(address), api_name="/predict")
    assert site.hits == 0


@pytest.mark.parametrize("payload", [None, {}, "cat.jpg", 7, [1, 2], {"url": "data:image/png,plain"},
                                     {"url": "data:image/png;base64,%%%"}, {"url": "data:"}, {"path": 3}])  # fmt: skip
def test_malformed_requests_end_in_an_error(url, payload):
    message = refused(url, payload)
    assert message and "Traceback" not in message


@pytest.fixture
def press(url):
    """press(trigger, data) -> the last message of a private event of the page, called by its number."""
    config = httpx.get(f"{url}/config", timeout=PATIENCE).json()

    def call_event(name: str, data: list, session: str = "session") -> dict:
        (number,) = (entry["id"] for entry in config["dependencies"] if entry["api_name"] == name)
        body = {"data": data, "fn_index": number, "session_hash": session}
        joined = httpx.post(f"{url}/gradio_api/queue/join", json=body, timeout=PATIENCE)
        event = joined.raise_for_status().json()["event_id"]
        with httpx.stream(
            "GET", f"{url}/gradio_api/queue/data", params={"session_hash": session}, timeout=PATIENCE
        ) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ") or "{}")
                if message.get("event_id") == event and message["msg"] == "process_completed":
                    return message
        raise AssertionError("the event did not end")

    return call_event


@pytest.mark.parametrize("extra", [{}, META], ids=["bare", "meta"])
@pytest.mark.parametrize("path", ["/etc/passwd", "{outside}", "{uploads}/{climb}", "{uploads}", "app.py", ""])
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


def test_many_files_are_never_fetched(press, other_site):
    site, address = other_site
    message = press("work", [[{"path": address, "url": address, **META}], None])
    assert not message["success"] and "not fetched" in str(message)
    assert site.hits == 0


def test_many_files_leave_nothing_behind(press, url):
    from gradio.utils import get_upload_folder

    sent = [("files", (f"{i}.png", encoded(fakes.photo((i, i, 99)), "PNG"), "image/png")) for i in range(3)]
    paths = httpx.post(f"{url}/gradio_api/upload", files=sent, timeout=PATIENCE).json()
    before = sorted(Path(get_upload_folder()).rglob("*"))
    message = press("work", [[{"path": path, **META} for path in paths], None])
    assert message["success"] and "3 photos judged" in str(message)
    assert sorted(Path(get_upload_folder()).rglob("*")) == before


def test_only_uploads_may_bring_many_photos(url):
    body = bytes(LIMIT * 2)
    for path in (
        "gradio_api/call/predict",
        "gradio_api/call/upload",
        "gradio_api/queue/join/upload",
        "upload",
        "x/gradio_api/upload",
    ):
        assert httpx.post(f"{url}/{path}", content=body, timeout=PATIENCE).status_code == 413, path
    small = [("files", (f"{i}.bin", bytes(LIMIT - 1), "image/jpeg")) for i in range(LARGEST_PHOTOS)]
    assert httpx.post(f"{url}/gradio_api/upload", files=small, timeout=PATIENCE).status_code == 200
    assert httpx.post(f"{url}/gradio_api/upload", files=small * 2, timeout=PATIENCE).status_code == 413


@pytest.mark.parametrize("megabytes", [3, 50])
def test_uploads_over_the_limit_are_refused(url, megabytes):
    files = {"files": ("big.jpg", bytes(megabytes * 2**20), "image/jpeg")}
    assert httpx.post(f"{url}/gradio_api/upload", files=files, timeout=PATIENCE).status_code == 413


@pytest.mark.parametrize("route", ["call/predict", "queue/join", "run/predict"])
def test_data_urls_over_the_limit_are_refused(url, route):
    body = {"data": [{"url": data_url(bytes(2 * LIMIT))}], "session_hash": "s", "fn_index": 0}
    assert httpx.post(f"{url}/gradio_api/{route}", json=body, timeout=PATIENCE).status_code == 413


def test_body_without_a_declared_length_is_cut_off(url):
    def chunks():
        for _ in range(100):
            yield b"x" * 2**16

    reply = httpx.post(f"{url}/gradio_api/call/predict", content=chunks(), timeout=PATIENCE)
    assert reply.status_code == 413


def test_largest_accepted_photo_fits_into_a_data_url(url, comparator):
    padded = GOOD["jpeg.jpg"]().ljust(LIMIT, b"\0")
    event, answer = call(url, {"url": data_url(padded)})
    assert event == "complete"
    assert_same_verdicts(answer, comparator, padded)
    assert "larger than" in refused(url, {"url": data_url(padded + b"\0")})


def test_what_is_public(client):
    info = client.view_api(return_format="dict", print_info=False)
    returns = {"/predict": ["scratch_cnn", "xception", "Comparison"], "/explain": ["Heat maps", "Comparison"]}
    assert list(info["named_endpoints"]) == list(returns) and not info["unnamed_endpoints"]
    for name, endpoint in info["named_endpoints"].items():
        assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == ["image"]
        assert [returned["label"] for returned in endpoint["returns"]] == returns[name]
        assert "HEIC" in endpoint["description"] and "heatmap" in endpoint["description"]


def test_explain_returns_a_picture_per_model_and_the_maps(client, comparator, cat):
    pictures, comparison = client.predict(handle_file(cat), api_name="/explain")
    expected = comparator.compare(cat, explain=True).to_dict()
    assert without_times(comparison) == without_times(json.loads(json.dumps(expected)))
    assert [verdict["heatmap"] is not None for verdict in comparison["models"]] == [True, True]
    assert [picture["caption"].partition(":")[0] for picture in pictures] == ["scratch_cnn", "xception"]
    for picture in pictures:
        with Image.open(picture["image"]) as image:
            assert image.width / image.height == 4 / 3


def test_explain_refuses_what_predict_refuses(client, tmp_path):
    path = tmp_path / "text.jpg"
    path.write_bytes(b"not a photo at all")
    with pytest.raises(AppError, match="not a photo"):
        client.predict(handle_file(path), api_name="/explain")


def test_many_at_once_all_get_their_own_answer(url, comparator):
    names = [name for name in GOOD if name != "sixteen.png"][:6] * 2
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: call(url, {"url": data_url(GOOD[name]())}), names))
    for name, (event, answer) in zip(names, answers, strict=True):
        assert event == "complete"
        for verdict, alone in zip(answer[-1]["models"], comparator.compare(GOOD[name]()).models, strict=True):
            # Two that are judged together may differ in the last bits from one alone.
            assert verdict["probabilities"] == pytest.approx(alone.probabilities, abs=1e-6)


def test_uploads_are_swept_away(site, client, tmp_path):
    page, url = site
    files = {"files": ("sweep.jpg", encoded(photo(), "JPEG", quality=51), "image/jpeg")}
    (stored,) = httpx.post(f"{url}/gradio_api/upload", files=files, timeout=PATIENCE).json()
    assert Path(stored).is_file()
    assert page.delete_cache == (3600, 3600)
    refused(url, {"path": str(Path(stored).parent), **META})  # a folder must not end the sweep
    delete_files_created_by_app(page, age=-1)
    assert not Path(stored).exists()


def test_missing_model_leaves_its_label_empty(tmp_path, cat):
    write_tiny_model(tmp_path, "xception")
    write_tiny_model(tmp_path, "many", classes=("cat", "dog", "owl"))
    comparator = load(Settings(weights=tmp_path))
    with served_page(comparator) as (_, url):
        event, (first, second, comparison) = call(url, {"url": data_url(cat.read_bytes())})
    comparator.close()
    assert event == "complete" and not first and second["label"] in ("cat", "dog")
    assert [verdict["model"] for verdict in comparison["models"]] == ["xception", "many"]


def test_error_text_is_escaped():
    assert refusal("<img src=x onerror=alert(1)> & it's").message == "&lt;img src=x onerror=alert(1)&gt; &amp; it's"


# app.py


def app(folder: Path, **environment: str):
    """A process of `python app.py`, started in `folder`."""
    return running([sys.executable, ROOT / "app.py"], folder, **environment)


def assert_exits_1_with(process: subprocess.Popen, words: str) -> None:
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert words in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"CATDOG_WEIGHTS": "/nowhere"}, "/nowhere"), ({"CATDOG_MAX_PIXELS": "many"}, "CATDOG_MAX_PIXELS")],
)
def test_app_without_models_or_with_bad_settings_says_so(tmp_path, environment, words):
    with app(tmp_path, **environment) as process:
        assert_exits_1_with(process, words)


def test_app_whose_port_is_taken_says_so(tmp_path, tiny_weights):
    with (
        taken_port() as port,
        app(tmp_path, CATDOG_WEIGHTS=str(tiny_weights), GRADIO_SERVER_PORT=port, GRADIO_NUM_PORTS="1") as process,
    ):
        assert_exits_1_with(process, port)


def test_app_serves_from_any_folder_until_interrupted(tmp_path, tiny_weights, cat):
    port = free_port()
    with app(tmp_path, CATDOG_WEIGHTS=str(tiny_weights), GRADIO_SERVER_PORT=port) as process:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(url, process)
        event, (_, _, comparison) = call(url, {"url": data_url(cat.read_bytes())})
        assert event == "complete" and len(comparison["models"]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
