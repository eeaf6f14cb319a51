"""The page without a server says what Python says: the same pixels, verdicts, sentences and HTML."""

import base64
import io
import itertools
import json
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from catdog import Settings, load, wording
from catdog.collection import Judged, collect
from catdog.collection.intake import TooMuch
from catdog.errors import CatDogError
from catdog.gradio_app.gallery import results
from catdog.models.heatmap import enlarged
from catdog.models.spec import ModelSpec
from catdog.pages import banners, cards, live
from catdog.photo.array import resized
from catdog.photo.decode import decode
from catdog.photo.unreadable import NOT_PHOTOS, OTHER_PHOTOS
from catdog.verdict import Comparison
from tests.catdog import fakes
from tests.catdog.photos import BAD, encoded, huge_png, orientation, small_files
from tests.conftest import EXAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.long]

# Shapes of inputs, and how photos are brought to them.
INPUTS = [((64, 64, 3), "stretch"), ((48, 80, 3), "crop"), ((72, 40, 1), "crop")]
THUMBNAIL = "blob:thumbnail"
# Kinds that Chromium does not read, or reads as a decoder of its own does.
UNREADABLE = ("tiff", "tiff deflate", "tiff lzw 16 bit", "heic")
OTHERWISE = {"jpeg cmyk": 3, "avif": 8}
PIXELS = """async ([data, inputs]) => {
  const {decode, resized} = await import("./pixels.js");
  const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "photo");
  try {
    const image = await decode(file);
    const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return [image.width, image.height, ...inputs.map(([shape, mode]) => text(resized(image, shape, mode)))];
  } catch ({code, message}) {
    return {code, message};
  }
}"""
ANSWER = """async (data) => {
  const {answerTo} = await import("./asking.js");
  return answerTo(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "photo"));
}"""
HTML = """async ([comparison, answer]) => {
  const [{answerShown}, {shown}] = await Promise.all([import("./showing.js"), import("./live.js")]);
  const {headline, cards} = answerShown(comparison, {xception: "<&\\"'>"}, {answer});
  return [headline, cards, shown(comparison)];
}"""


@pytest.fixture(scope="module")
def page(kept_page, static_url):
    kept_page.goto(static_url)
    kept_page.evaluate("import('./asking.js').then(({ready}) => ready)")
    return kept_page


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode()


def photos() -> dict[str, bytes]:
    """A file for each thing that a photo's file may have."""
    with Image.open(EXAMPLES / "cat.jpg") as image:
        cat = image.convert("RGB")
    cat.thumbnail((300, 300))
    clear = cat.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(cat.size))
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.find(b"rXYZ"), profile.find(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"  # applied, it would swap the colours
    grey = np.asarray(cat.convert("L"))
    made = {
        "alpha": encoded(clear, "PNG"),
        "alpha webp": encoded(clear, "WEBP", lossless=True),
        "alpha grey": encoded(clear.convert("LA"), "PNG"),
        "grey": encoded(cat.convert("L"), "JPEG"),
        "grey 16 bit": encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"),
        "one bit": encoded(cat.convert("1"), "PNG"),
        "palette": encoded(cat.quantize(64), "PNG", transparency=3),
        "subsampled": encoded(cat, "JPEG", quality=60, subsampling=2),
        "profile": encoded(cat, "JPEG", icc_profile=bytes(profile)),
        "no end": encoded(cat, "JPEG", progressive=True)[:-1],
        "turned, rows missing": encoded(cat, "JPEG", exif=orientation(6))[:-100],
    }
    made |= {f"turned {turn}": encoded(cat, "JPEG", exif=orientation(turn)) for turn in range(1, 9)}
    made["turned webp"] = encoded(cat, "WEBP", lossless=True, exif=orientation(6))
    made |= {path.name: path.read_bytes() for path in EXAMPLES.glob("*.jpg")}
    return made | {name: content for name, content in small_files().items() if name not in UNREADABLE}


def test_pixels_are_those_of_pillow(page):
    for name, content in photos().items():
        image, found = decode(content), page.evaluate(PIXELS, [sent(content), INPUTS])
        assert isinstance(found, list), (name, found)
        assert tuple(found[:2]) == image.size, name
        for (shape, mode), text in zip(INPUTS, found[2:], strict=True):
            values = np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)
            difference = np.abs(values.astype(int) - resized(image, shape, mode)).max()
            assert difference <= OTHERWISE.get(name, 1), (name, shape)


# How the page refuses some files; others are of a kind that Python names as well, or of no known kind.
REFUSED = {
    "empty file": "empty", "truncated JPEG": "damaged", "JPEG header alone": "damaged", "PNG without pixels": "damaged",
    "PNG without its data": "damaged", "too many pixels": "too many pixels", "huge": "too many pixels",
    "most pixels a PNG can claim": "too many pixels", "a row of pixels that is too long": "too long",
}  # fmt: skip


def test_bad_files_are_refused_for_what_they_are(page):
    bad = {name: content for name, (content, _, _) in BAD.items()} | {"huge": huge_png()}
    for name, content in bad.items():
        with pytest.raises(CatDogError) as refused:
            decode(content)
        found = page.evaluate(PIXELS, [sent(content), INPUTS])
        kind = next((kind for kind in OTHER_PHOTOS | NOT_PHOTOS if kind in str(refused.value)), "")
        assert found["code"] == REFUSED.get(name, "not a photo" if kind else "unknown"), name
        assert kind in found["message"] and "undefined" not in found["message"], name


@pytest.fixture(scope="module")
def comparator(static_weights):
    return load(Settings(weights=static_weights))


def test_verdicts_are_those_of_python(page, comparator):
    for name in ("cat.jpg", "dog.jpg", "owl.jpg", "turned 6", "alpha", "grey"):
        content = photos()[name]
        expected = comparator.compare(content, explain=True).to_dict()
        found = page.evaluate(ANSWER, sent(content))["comparison"]
        for one, other in zip(expected["models"], found["models"], strict=True):
            assert one["label"] == other["label"], name
            assert other["probabilities"] == pytest.approx(one["probabilities"], abs=0.02), name
            for field in ("neither", "error_rate"):
                assert other[field] == pytest.approx(one[field], abs=0.02), (name, field)
            assert np.shape(other["heatmap"]) == np.shape(one["heatmap"])
            assert np.ravel(other["heatmap"]) == pytest.approx(np.ravel(one["heatmap"]), abs=0.1), name
        same = ("prediction", "leader", "agree", "verdict", "usually_right")
        assert {key: found[key] for key in same} == {key: expected[key] for key in same}, name


COMPARED = """async ([verdicts, specs]) => (await import("./verdict.js")).compared(verdicts, specs)"""


@pytest.mark.parametrize("auroc", [0.9, 0.999, None])
def test_comparisons_are_those_of_python(page, auroc):
    neither = None if auroc is None else {"threshold": 0.5, "auroc": auroc}
    specs = [fakes.spec("scratch_cnn"), fakes.spec("xception", neither=neither), fakes.spec("mobilenet_v2")]
    facts = [spec.model_dump() | {"accuracy": spec.validation_accuracy} for spec in specs]
    for labels in itertools.product(("cat", "dog"), repeat=3):
        for refusal in (0.2, 0.7):
            verdicts = [
                fakes.verdict(
                    spec.name, label, probabilities={"cat": 0.9, "dog": 0.1},
                    neither=(refusal if spec.name == "xception" else 0.5) if spec.neither else None,
                )
                for spec, label in zip(specs, labels, strict=True)
            ]  # fmt: skip
            expected = Comparison.of(verdicts, specs, "bundled").to_dict()
            found = page.evaluate(COMPARED, [expected["models"], facts])
            assert found == {key: value for key, value in expected.items() if key != "source"}


def test_maps_are_enlarged_as_pillow_does(page):
    rows = np.random.default_rng(0).normal(size=(6, 7)).round(4).tolist()
    found = page.evaluate("async (rows) => (await import('./pixels.js')).enlarged(rows, 40, 30)", rows)
    np.testing.assert_allclose(found, enlarged(rows, 40, 30), atol=1e-4)


# How often such an answer is wrong, if that is known, and how sure it is: what the sentences depend on.
SURE = [(None, confidence) for confidence in (0.5, 0.55, 0.79, 0.85, 0.99999, 1.0)]
SURE += [(rate, 0.85) for rate in (0.0005, 0.03, 0.15, 0.3, 0.7)]


def comparisons() -> list[Comparison]:
    """Every kind of verdict, over which the HTML of the templates, and so all sentences, are compared."""
    names, found = ("scratch_cnn", "xception", "mobilenet_v2"), []
    for first, second in (("cat", "cat"), ("cat", "dog"), ("dog", "dog")):
        for rate, confidence in SURE:
            verdicts = [
                fakes.verdict(
                    name, label, confidence=confidence, error_rate=rate, milliseconds=1234.6 * confidence,
                    probabilities={"cat": confidence, "dog": 1 - confidence}, neither=rate,
                    heatmap=[[0.0, confidence - 0.7], [-0.2, 0.1]],
                )
                for name, label in zip(names, (first, second, second), strict=True)
            ]  # fmt: skip
            disputed = {"model": "xception", "rate": 0.75, "photos": 1200} if first != second and rate else None
            found.append(fakes.compared(*verdicts, leader="xception", usually_right=disputed))
    return [*found, found[0].model_copy(update={"verdict": "neither"})]


@pytest.fixture(scope="module")
def page_specs(static_weights, static_page):
    """The specs of the page: the size of a model is what its visitors fetch."""
    listed = json.loads((static_page / "models" / "models.json").read_text(encoding="utf-8"))
    return [ModelSpec.read(static_weights / f"{one['name']}.json").replace(bytes=one["bytes"]) for one in listed]


def test_sentences_and_cards_are_those_of_the_servers(page, page_specs):
    for comparison in comparisons():
        banner, filled, seen = page.evaluate(HTML, [comparison.to_dict(), json.dumps(comparison.to_dict())])
        assert banner == banners.verdict(comparison, page_specs)
        assert filled == cards.filled(comparison, page_specs, {"xception": "<&\"'>"})
        assert seen == live.verdict(comparison, page_specs)


SHOWN = """async ([judged, planned]) => (await import("./many.js")).shown(judged, planned)"""


def test_the_gallery_and_its_file_are_those_of_the_server(page, page_specs):
    names = itertools.cycle(["cat.jpg", "dogs/=1+1.jpg", '"quoted", <b>.png', "\N{SNOWMAN}.webp"])
    labels = itertools.cycle(["cat", "dog", None])
    thumbnail = Image.new("RGB", (4, 4))
    some = [
        Judged(name, label, comparison, thumbnail, place=7)
        for name, label, comparison in zip(names, labels, [*comparisons()[::2], comparisons()[-1]], strict=False)
    ]
    bad = [Judged("<bad>.jpg", None, error='It is "damaged".')]
    for judged, planned in ((some, 40), ([*bad, *some], None), (some[:1], None), (bad, None), (some[:2], None)):
        rows = [
            {
                "name": one.name, "place": one.place, "label": one.label, "error": one.error, "thumbnail": THUMBNAIL,
                "comparison": one.comparison and one.comparison.to_dict(),
            }
            for one in judged
        ]  # fmt: skip
        expected = re.sub(r'src="data:image/[^"]*"', f'src="{THUMBNAIL}"', results(judged, page_specs, planned=planned))
        assert page.evaluate(SHOWN, [rows, planned or len(judged)]) == expected


ENTRIES = """async (files) => {
  const {entriesOf} = await import("./many.js");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  try {
    const {refused, photos} = await entriesOf(files.map(([name, text]) => new File([bytes(text)], name)));
    const read = ({error, read}) => error ?? read().then(({size}) => size, ({message}) => message);
    const told = async (entry) => [entry.name, entry.label ?? null, await read(entry)];
    return await Promise.all([...refused, ...photos].map(told));
  } catch ({message}) {
    return message;
  }
}"""
CONTENT = b"photo" * 40_000


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def zips() -> dict[str, bytes]:
    good = zipped(
        {"pets/cats/1.jpg": CONTENT, "pets/Dogs/\N{SNOWMAN}.jpg": b"other", ".hidden/x.jpg": b"", "empty": b""}
    )
    return {
        "good": good,
        "stored": zipped({"dog/1.jpg": CONTENT}, zipfile.ZIP_STORED),
        "behind a comment": good[:-2] + b"\x03\x00abc",
        "refused": zipped({"in.zip": b"PK", "/".join("abcdefghi") + "/x": b"1", "a\\cat\\b.jpg": b"2"}),
        "two labels": zipped({"cat/1.jpg": b"same", "dog/1.jpg": b"same"}),
        "long name": zipped({f"{'x' * 250}.jpg": b"1"}),
        "another method": zipped({"1.jpg": CONTENT}, zipfile.ZIP_BZIP2),
        "encrypted": good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
        "empty": zipped({}),
        "cut off": good[:-30],
        "no zip": b"PK\x03\x04" + bytes(100),
        "many": zipped({f"{i}.jpg": b"1" for i in range(201)}),
        "much": zipped({f"{i}.jpg": bytes(2**20) for i in range(11)}).replace(
            struct.pack("<I", 2**20), struct.pack("<I", 20 * 2**20)
        ),
    }


def test_zips_are_read_as_the_server_reads_them(page, tmp_path):
    for name, content in zips().items():
        (tmp_path / name).write_bytes(content)
        found = page.evaluate(ENTRIES, [[name, sent(content)]])
        try:
            with collect([(name, tmp_path / name)], ("cat", "dog"), Settings().max_upload_bytes) as expected:
                refused = [[name, problem] for name, problem in expected.refused]
                photos = [[photo.name, photo.label, len(photo.read())] for photo in expected.photos]
        except TooMuch as error:
            assert found == str(error), name
            continue
        assert found[len(refused) :] == photos, name
        assert [[one, problem] for one, _, problem in found[: len(refused)]] == refused, name


def test_damaged_photos_in_zips_are_refused(page):
    good, place = zips()["good"], 30 + len("pets/cats/1.jpg") + 20  # within the first photo
    size, crc = (struct.pack("<I", number) for number in (len(CONTENT), zlib.crc32(CONTENT)))
    damaged = {
        "other content": good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :],
        "another sum": good.replace(crc, b"\0\0\0\1"),
        "larger than it says": good.replace(size, struct.pack("<I", 1000)),
    }
    for name, content in damaged.items():
        assert content != good, name
        assert "damaged in the zip" in page.evaluate(ENTRIES, [[name, sent(content)]])[0][2], name


WRITTEN = "async ([name, values]) => values.map((await import('./wording.js'))[name])"


def test_numbers_are_written_as_python_writes_them(page):
    shares, times = [0, 0.0001, 0.0005, 0.125, 0.4999, 0.9994, 0.9995, 1], [0.04, 9.94, 9.96, 12.4, 1234.6]
    assert page.evaluate(WRITTEN, ["percent", shares]) == [*map(wording.percent, shares)]
    assert page.evaluate(WRITTEN, ["milliseconds", times]) == [*map(wording.milliseconds, times)]
