"""The pages in a real Chromium, on models that look at colours alone or are tiny."""

import contextlib
import threading

import pytest
from filelock import FileLock

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.errors import Busy
from tests.catdog import fakes
from tests.catdog.photos import encoded
from tests.conftest import EXAMPLES, PATIENCE, WAIT
from tests.servers import served_folder, served_page
from tests.tiny import write_tiny_model

from .looks import DESKTOP, opened_anew, watched

# What the page writes to the console when the queue is full, when a test ends its server, and when a test leaves it
# while Gradio still loads parts of it. Without such a part, what the tests wait for would not be there.
EXPECTED = (
    "the server responded with a status of 503", "Server stopped unexpectedly", "ERR_CONNECTION_REFUSED",
    "Failed to fetch dynamically imported module",
)  # fmt: skip


@contextlib.contextmanager
def launched(comparator, **queue):
    """The address of the page of a comparator."""
    with served_page(comparator, **queue) as (_, url):
        yield f"{url}/"


class Web(Comparator):
    """Fetches a photo of a dog, but not at first."""

    asked = 0

    def fetch(self, address: str) -> bytes:
        self.asked += 1
        if self.asked == 1:
            raise Busy("Others are fetching.")
        return encoded(fakes.photo(fakes.DOG), "PNG")


@pytest.fixture(scope="package")
def url():
    with launched(Web(fakes.classifiers())) as url:
        yield url


def write_static_weights(folder) -> None:
    """Three tiny models: one that knows all but neither, one that knows nothing, one with an output for neither."""
    folder.mkdir()
    sureness = {"confidence": [0.0, 0.6], "error_rate": [0.3, 0.02]}
    spec = write_tiny_model(folder, "scratch_cnn", seed=1)
    spec.replace(sureness=sureness, temperature=0.5).write(folder / "scratch_cnn.json")
    spec = write_tiny_model(folder, "xception", image_size=40, seed=2, accuracy=0.95, convolutions=2, filters=64)
    spec.replace(scaling="caffe", resize="crop").write(folder / "xception.json")
    spec = write_tiny_model(folder, "mobilenet_v2", classes=("cat", "dog", "neither"), seed=3, convolutions=2)
    spec.replace(classes=("cat", "dog"), neither={"threshold": 0.3}).write(folder / "mobilenet_v2.json")


@pytest.fixture(scope="session")
def static(shared_folder):
    """A folder with these models in `weights` and the page without a server in `page`; for all processes of tests."""
    from train.export import onnx_folder, static_page

    if not static_page.RUNTIME.is_dir():
        pytest.skip("needs onnxruntime-web: make static/node_modules, which takes npm")
    folder = shared_folder / "static"
    with FileLock(f"{folder}.lock"):
        if not (folder / "page").exists():
            folder.mkdir()
            write_static_weights(folder / "weights")
            onnx_folder.export(folder / "weights", [EXAMPLES / "cat.jpg"], folder / "onnx")
            static_page.build(folder / "onnx", folder / "weights", folder / "page")
    return folder


@pytest.fixture(scope="session")
def static_weights(static):
    return static / "weights"


@pytest.fixture(scope="session")
def static_page(static):
    return static / "page"


@pytest.fixture(scope="package")
def static_url(static_page):
    with served_folder(static_page) as url:
        yield url


class Stepwise(fakes.Colours):
    """A model that answers once for each time that it is let."""

    def __init__(self):
        super().__init__(0.3)
        self.turns = threading.Semaphore(0)

    def __call__(self, batch):
        self.turns.acquire(timeout=2 * PATIENCE)
        return super().__call__(batch)


@pytest.fixture
def stepwise():
    """stepwise(**settings) -> the address of a page with such a model, and the model."""
    with contextlib.ExitStack() as pages:

        def served(**settings):
            model = Stepwise()
            comparator = Comparator([Classifier(fakes.spec("xception"), model)], settings=Settings(**settings))
            model.turns.release(1000)  # for the example that the page opens with
            url = pages.enter_context(launched(comparator))
            while model.turns.acquire(blocking=False):
                pass
            pages.callback(model.turns.release, 1000)
            return url, model

        yield served


@pytest.fixture
def open_page(chromium):
    """open_page(url, **options) -> the page in a browser of its own."""
    with watched(chromium, EXPECTED, kinds=("error",)) as opened:

        def opened_whole(url: str, **options):
            page = opened(url, DESKTOP, **options)
            page.wait_for_selector(".cd-card", state="attached")
            return page

        yield opened_whole


@pytest.fixture
def unkept(chromium):
    """A page of Chromium, open at nothing, without service workers, whose requests a test can answer itself."""
    context = chromium.new_context(service_workers="block")
    context.set_default_timeout(WAIT)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def kept_page(chromium):
    """One page for the tests of a module, each of which opens it anew: that takes a third of the time of a new one."""
    with watched(chromium, EXPECTED, kinds=("error",)) as opened:
        yield opened("about:blank", DESKTOP, service_workers="block")


@pytest.fixture
def page(kept_page, url):
    opened_anew(kept_page, url).wait_for_selector(".cd-card", state="attached")
    return kept_page


@pytest.fixture
def photo(tmp_path):
    """photo(colour) -> the path of a photo of this colour."""

    def written(colour: tuple[int, int, int], name: str = "photo.png"):
        path = tmp_path / name
        path.write_bytes(encoded(fakes.photo(colour), "PNG"))
        return path

    return written
