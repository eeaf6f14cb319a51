"""docs/deploy.md: its nginx passes photos on and keeps its limits, and its numbers fit together."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from catdog import Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from catdog.flask_app.form import ENVELOPE_BYTES
from tests.catdog import fakes
from tests.catdog.gradio_app.calls import META, call
from tests.catdog.photos import encoded
from tests.conftest import ROOT
from tests.servers import free_port, running, served_app, served_page, until_it_answers

TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
SERVICE, PAGE = re.findall(r"^```nginx\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


@pytest.fixture
def nginx(tmp_path):
    """Run nginx with `servers` in its `http` block: nginx(servers) -> its command line."""
    if NGINX is None:
        pytest.skip("needs nginx on the PATH")

    def configured(servers: str) -> list[str | Path]:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{kind}_temp_path {tmp_path / kind};" for kind in kinds)
        path = tmp_path / "nginx.conf"
        path.write_text(
            f"daemon off; master_process off; pid {tmp_path / 'pid'}; error_log stderr;\nevents {{}}\n"
            f"http {{ access_log off;\n{paths}\n{servers} }}\n"
        )
        return [NGINX, "-p", tmp_path, "-c", path]

    return configured


@pytest.mark.parametrize("servers", [SERVICE, f"server {{ {PAGE} }}"], ids=["service", "page"])
def test_nginx_takes_the_configuration(nginx, servers):
    done = subprocess.run([*nginx(servers), "-t"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def test_photos_pass_and_limits_hold(nginx, tmp_path, cat):
    comparator = Comparator([fakes.fixed("m", 0.1)])
    front = f"127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as service, httpx.Client(base_url=f"http://{front}", timeout=30) as client:
        port = service.enter_context(served_app(create_app(comparator)))
        servers = SERVICE.replace("listen 80", f"listen {front}").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        with running(nginx(servers), tmp_path) as process, ThreadPoolExecutor(20) as pool:
            until_it_answers(f"http://{front}/healthz", process)
            good = client.post("/predict", files={"file": cat.read_bytes()})
            large = client.post("/predict", files={"file": bytes(22 * 2**20)})
            many = list(pool.map(lambda _: client.post("/predict", files={"file": b"x"}), range(100)))
            forms = list(pool.map(lambda _: client.post("/", files={"file": b"x"}), range(100)))
            service.close()
            down = client.get("/readyz")
    comparator.close()
    assert good.json()["prediction"] == "Cat"
    assert error_of(large) == (413, "image_too_large")
    assert {error_of(answer) for answer in many} == {(422, "invalid_image"), (429, "busy")}
    assert {answer.headers.get("Retry-After") for answer in many if answer.status_code == 429} == {"1"}
    assert 429 in {answer.status_code for answer in forms}
    assert error_of(down) == (503, "model_unavailable")


def test_the_page_gives_addresses_that_lead_back_to_it(nginx, tmp_path):
    comparator = fakes.comparator()
    front = f"http://127.0.0.1:{free_port()}"
    with served_page(comparator) as (_, page):
        servers = f"server {{ listen {front[7:]}; {PAGE} }}".replace("http://127.0.0.1:7860", page)
        with running(nginx(servers), tmp_path) as process:
            until_it_answers(front, process)
            files = {"files": ("red.png", encoded(fakes.photo(fakes.CAT), "png"))}
            (path,) = httpx.post(f"{front}/gradio_api/upload", files=files).json()
            event, (maps, _) = call(front, {"path": path, **META}, "explain")
            addresses = [entry["image"]["url"] for entry in maps]
            pictures = [httpx.get(address) for address in addresses]
    comparator.close()
    assert event == "complete"
    assert addresses and all(address.startswith(f"{front}/") for address in addresses)
    assert {picture.headers["Content-Type"] for picture in pictures} == {"image/jpeg"}


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def number(pattern: str) -> int:
    return int(re.search(pattern, TEXT)[1])


def test_every_limit_leaves_room_for_the_one_inside():
    assert number(r"client_max_body_size (\d+)m;") * 2**20 > Settings().max_upload_bytes + ENVELOPE_BYTES
    assert number(r"CATDOG_MAX_WAITING=(\d+)") < number(r"--threads (\d+)")
    assert number(r"--graceful-timeout (\d+)") < number(r"TimeoutStopSec=(\d+)")


def test_a_service_that_reaches_no_other_machine_offers_no_addresses():
    assert "IPAddressDeny=any" in TEXT
    variables = dict(word.split("=") for word in re.search(r"^Environment=(.*)$", TEXT, re.MULTILINE)[1].split())
    assert Settings.from_env(variables).fetch == "off"
