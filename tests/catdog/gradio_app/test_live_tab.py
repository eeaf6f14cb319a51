"""What the page's server says of the frames of cameras."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.gradio_app.live_tab import AT_ONCE, LARGEST
from tests.catdog import fakes
from tests.catdog.conftest import Held
from tests.catdog.photos import encoded
from tests.conftest import PATIENCE
from tests.servers import served_page
from tests.specs import minimal

FRAME = encoded(fakes.photo(fakes.CAT), "JPEG")


def test_few_frames_are_judged_at_a_time_within_the_limits_of_photos():
    model = Held()
    model.open.set()
    comparator = Comparator([Classifier(minimal(), model)], settings=Settings(max_upload_bytes=LARGEST - 1))
    with served_page(comparator) as (_, url), ThreadPoolExecutor() as pool:

        def code(content: bytes) -> tuple[int, str]:
            response = httpx.post(f"{url}/live", content=content, timeout=PATIENCE)
            return response.status_code, response.json()["error"]["code"]

        assert code(b"no photo") == (422, "invalid_image")
        assert code(b"") == (422, "invalid_image")
        assert code(bytes(LARGEST)) == (413, "image_too_large")
        for content in (bytes(LARGEST + 1), iter([bytes(LARGEST), b"!"])):  # the first one tells its length
            assert "Content Too Large" in httpx.post(f"{url}/live", content=content, timeout=PATIENCE).text
        model.open.clear()
        frames = [pool.submit(httpx.post, f"{url}/live", content=FRAME, timeout=PATIENCE) for _ in range(AT_ONCE)]
        while comparator.waiting < AT_ONCE:
            assert not any(frame.done() for frame in frames)
            time.sleep(0.01)
        assert code(FRAME) == (429, "busy")
        model.open.set()
        assert all("m leans towards cat" in frame.result().text for frame in frames)
