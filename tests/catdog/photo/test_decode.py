"""Every kind of file becomes the right pixels, or one clear sentence."""

from __future__ import annotations

import gzip
import io
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from catdog.errors import CatDogError, ImageTooLarge, InvalidImage, OutOfMemory
from catdog.photo import decode as decode_module
from catdog.photo.array import Input, to_array
from catdog.photo.decode import LONGEST_SIDE, decode, from_pillow, to_rgb
from catdog.photo.reader import min_side_for
from tests.catdog.photos import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    encoded,
    flag,
    heic,
    huge_png,
    noise,
    orientation,
    png,
    png_chunk,
    small_files,
    with_exif,
)
from tests.conftest import EXAMPLES

# Pillow remarks on metadata that are broken on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

FILES = small_files()


def pixels(data: bytes) -> list:
    image = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image).tolist()


def grey(*values: int) -> list:
    return [[[value] * 3 for value in values]]


# --- right pixels -------------------------------------------------------------------------------


def palette(**options) -> bytes:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    return encoded(image, "PNG", **options)


def tiff(values, dtype) -> bytes:
    return encoded(Image.fromarray(np.array([values], dtype)), "TIFF")


WORDS = (0x0000, 0x00FF, 0x1234, 0x8000, 0xFFFF)
EXACT = {
    "palette": (palette(), [[[*RED], [*GREEN], [*BLUE]]]),
    "palette, one colour transparent": (palette(transparency=1), [[[*RED], [*WHITE], [*BLUE]]]),
    "palette, graded transparency": (palette(transparency=b"\xff\x80\x00"), [[[*RED], [127, 255, 127], [*WHITE]]]),
    "1 bit": (png(3, 1, 1, 0, [b"\xa0"]), grey(255, 0, 255)),
    "grey": (png(3, 1, 8, 0, [b"\x00\x7f\xff"]), grey(0, 127, 255)),
    "grey, one shade transparent": (
        png(3, 1, 8, 0, [b"\x00\x7f\xff"], png_chunk(b"tRNS", b"\0\x7f")),
        grey(0, 255, 255),
    ),
    "4-bit grey, one shade transparent": (
        png(4, 1, 4, 0, [b"\x07\x8f"], png_chunk(b"tRNS", b"\0\x07")),
        grey(0, 255, 136, 255),
    ),
    "2-bit grey, one shade transparent": (
        png(4, 1, 2, 0, [b"\x1b"], png_chunk(b"tRNS", b"\0\1")),
        grey(0, 255, 170, 255),
    ),
    "4-bit grey, of whose transparent shade only the lowest bits count": (
        png(2, 1, 4, 0, [b"\x78"], png_chunk(b"tRNS", b"\xff\xf7")),
        grey(255, 136),
    ),
    "1-bit grey, black transparent": (png(2, 1, 1, 0, [b"\x80"], png_chunk(b"tRNS", b"\0\0")), grey(255, 255)),
    "grey and alpha": (png(3, 1, 8, 4, [b"\x00\xff\x00\x00\x64\x80"]), grey(0, 255, 177)),
    "16-bit grey PNG": (png(5, 1, 16, 0, [struct.pack(">5H", *WORDS)]), grey(0, 0, 0x12, 0x80, 0xFF)),
    "16-bit grey PNG, one shade transparent": (
        png(3, 1, 16, 0, [struct.pack(">3H", 0x1234, 0x1235, 0xFF00)], png_chunk(b"tRNS", struct.pack(">H", 0x1234))),
        grey(0xFF, 0x12, 0xFF),
    ),
    "16-bit colour PNG": (png(1, 1, 16, 2, [struct.pack(">3H", 0x00FF, 0x1234, 0xFFFF)]), [[[0, 0x12, 0xFF]]]),
    "16-bit grey and alpha PNG": (png(2, 1, 16, 4, [struct.pack(">4H", 0x1234, 0xFFFF, 0x1234, 0)]), grey(0x12, 255)),
    "32-bit grey TIFF, 0 to 65535": (tiff([0, 0x1234, 0xFFFF], np.int32), grey(0, 0x12, 255)),
    "32-bit grey TIFF, 0 to 255": (tiff([0, 77, 255], np.int32), grey(0, 77, 255)),
    "float TIFF, 0 to 255": (tiff([0, 51, 255], np.float32), grey(0, 51, 255)),
    "float TIFF with holes": (tiff([np.nan, 0.2, np.inf], np.float32), grey(0, 51, 255)),
    "alpha is laid on white": (
        encoded(Image.fromarray(np.array([[[200, 0, 0, 255], [200, 0, 0, 128], [9, 9, 9, 0]]], np.uint8)), "PNG"),
        [[[200, 0, 0], [227, 127, 127], [*WHITE]]],
    ),
    "grey JPEG": (encoded(Image.new("L", (8, 8), 77), "JPEG", quality=100), [[[77] * 3] * 8] * 8),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_pixels(name):
    data, expected = EXACT[name]
    assert pixels(data) == expected


@pytest.mark.parametrize(
    ("format", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}), ("MPO", {"quality": 100})],
)
def test_first_frame_of_an_animation(format, options):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (GREEN, RED, BLUE)]
    image = decode(encoded(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert image.size == (16, 16)
    assert image.getpixel((8, 8)) == pytest.approx(GREEN, abs=2)


def test_a_gif_smaller_than_its_screen_lies_on_white():
    image = Image.new("P", (2, 1), 1)
    image.putpalette([*RED, *GREEN, *BLUE, *WHITE])
    data = bytearray(encoded(image, "GIF"))
    data[6:10] = struct.pack("<2H", 3, 2)
    frame = data.index(b",", 13)
    data[frame + 1 : frame + 5] = struct.pack("<2H", 1, 1)
    assert pixels(bytes(data)) == [[[*WHITE]] * 3, [[*WHITE], [*GREEN], [*GREEN]]]


# --- orientation --------------------------------------------------------------------------------

# Where the blue quarter lies in the upright photo: its size, and the corner.
UPRIGHT = {
    1: ((64, 32), "top left"), 2: ((64, 32), "top right"), 3: ((64, 32), "bottom right"),
    4: ((64, 32), "bottom left"), 5: ((32, 64), "top left"), 6: ((32, 64), "top right"),
    7: ((32, 64), "bottom right"), 8: ((32, 64), "bottom left"),
}  # fmt: skip


def blue_corner(image: Image.Image) -> str:
    corners = {
        f"{row} {column}": image.getpixel((x, y))
        for row, y in (("top", 4), ("bottom", image.height - 5))
        for column, x in (("left", 4), ("right", image.width - 5))
    }
    (blue,) = [corner for corner, (red, _, _) in corners.items() if red < 100]
    return blue


def turned(format: str, value: int, size: tuple[int, int] = (64, 32)) -> bytes:
    if format == "HEIC":  # its writer turns the EXIF into HEIC's own rotation, as phones do
        return heic(flag(*size), exif=orientation(value))
    if format == "TIFF":
        return encoded(flag(*size), "TIFF", tiffinfo={274: value})
    return encoded(flag(*size), format, exif=orientation(value))


@pytest.mark.parametrize("size", [(64, 32), (512, 256)], ids=["whole", "reduced"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("value", UPRIGHT)
def test_photos_are_turned_upright_once(format, value, size):
    image = decode(turned(format, value, size), min_side=32)
    assert (image.size, blue_corner(image)) == UPRIGHT[value]


def with_chunk(name: bytes, content: bytes) -> bytes:
    rows = [np.asarray(flag())[row].tobytes() for row in range(32)]
    return png(64, 32, 8, 2, rows, png_chunk(name, content))


TURN_RIGHT = struct.pack("<HHII", 274, 3, 1, 6)  # an EXIF entry: orientation 6
FRACTION = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x10\0\0\0\x06\0\0\0\x00"
ONE_ENTRY, TWO_ENTRIES = b"II*\0\x08\0\0\0\x01\0", b"II*\0\x08\0\0\0\x02\0"
# And the orientation that can be read of it.
BROKEN_EXIF = {
    "noise": (b"garbage", 1),
    "empty": (b"", 1),
    "offset beyond the end": (b"II*\0\xff\xff\xff\xff", 1),
    "cut off": (ONE_ENTRY[:-1], 1),
    "a fraction as orientation": (FRACTION, 1),
    "an orientation of 200": (ONE_ENTRY + struct.pack("<HHII", 274, 3, 1, 200) + bytes(4), 1),
    "a text as orientation": (ONE_ENTRY + struct.pack("<HHI4s", 274, 2, 4, b"six\0") + bytes(4), 1),
    "a bad entry": (TWO_ENTRIES + TURN_RIGHT + struct.pack("<HHII", 34665, 4, 1, 0xFFFFFFFF) + bytes(4), 6),
}


@pytest.mark.parametrize("name", BROKEN_EXIF)
def test_broken_exif_does_not_cost_the_photo(name):
    exif, value = BROKEN_EXIF[name]
    image = decode(with_exif(encoded(flag(), "JPEG"), exif))
    assert (image.size, blue_corner(image)) == UPRIGHT[value]


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
EXIF_AS_TEXT = b"\nexif\n%8d\n" % len(orientation(6)) + orientation(6).hex().encode() + b"\n"
NOT_TURNED_BY_BROWSERS = {
    **{f"XMP in {format}": encoded(flag(), format, xmp=XMP) for format in ("JPEG", "WEBP", "AVIF")},
    "XMP in TIFF": encoded(flag(), "TIFF", tiffinfo={700: XMP}),
    "XMP in PNG": with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "XMP and no orientation in EXIF": encoded(flag(), "JPEG", xmp=XMP, exif=Image.Exif().tobytes()),
    "EXIF in a text of a PNG": with_chunk(b"tEXt", b"Raw profile type exif\0" + EXIF_AS_TEXT),
    # The HEIF standard knows only its own rotation, which says nothing here.
    "EXIF alone in HEIC": heic(flag(), exif=orientation(6)).replace(b"irot", b"free"),
}


@pytest.mark.parametrize("name", NOT_TURNED_BY_BROWSERS)
def test_photos_are_not_turned_where_the_preview_of_browsers_is_not(name):
    data = NOT_TURNED_BY_BROWSERS[name]
    assert (decode(data).size, blue_corner(decode(data))) == UPRIGHT[1]
    image = Image.open(io.BytesIO(data))
    before = dict(image.info)
    assert from_pillow(image).size == (64, 32)
    assert before.items() <= image.info.items()


def test_exif_that_pillow_cannot_even_read_does_not_cost_the_photo():
    profile = png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n8\nnot hexadecimal")
    data = png(1, 1, 8, 2, [bytes(GREEN)], profile)
    with pytest.raises(ValueError, match="hexadecimal"):
        Image.open(io.BytesIO(data)).getexif()
    assert pixels(data) == [[[*GREEN]]]


# --- reduction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "HEIC"])
@pytest.mark.parametrize(
    ("size", "reduced"),
    [
        ((80, 60), (80, 60)), ((100, 99), (100, 99)), ((100, 120), (50, 60)), ((320, 240), (80, 60)),
        ((360, 330), (45, 42)), ((800, 32), (800, 32)), ((800, 720), (50, 45)),
    ],
)  # fmt: skip
def test_large_photos_are_reduced_and_keep_enough(format, size, reduced):
    image = flag(*size)
    data = heic(image) if format == "HEIC" else encoded(image, format)
    assert decode(data, min_side=40).size == reduced
    assert decode(data).size == size


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("min_side", [13, 24, 1000])
def test_small_photos_are_not_touched(name, min_side):
    assert np.array_equal(decode(FILES[name], min_side=min_side), decode(FILES[name]))


@pytest.mark.parametrize("image_size", [100, 160, 224])
@pytest.mark.parametrize("size", [(200, 200), (500, 374), (320, 767)])
def test_photos_as_they_are_trained_on_become_the_same_arrays_as_in_training(image_size, size):
    """No matter that serving reduces large photos and training does not; for models of 100 pixels and more."""
    data, wanted = encoded(noise(*size), "JPEG"), Input(image_size)
    served = decode(data, min_side=min_side_for(image_size))
    assert np.array_equal(to_array(served, wanted), to_array(decode(data), wanted))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16", "F", "CMYK"])
def test_reduction_is_a_mean_of_pixels(mode):
    image = Image.linear_gradient("L").convert(mode if mode != "I;16" else "I").convert(mode)
    reduced = from_pillow(image, min_side=64)
    assert (reduced.mode, reduced.size) == ("RGB", (64, 64))
    means = np.asarray(from_pillow(image), float).reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.allclose(reduced, means, atol=0.51)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_reduced_photos_look_as_the_whole_ones_to_a_model(format):
    image = Image.open(EXAMPLES / "cat.jpg").resize((1600, 1200), Image.Resampling.LANCZOS)
    data = encoded(image, format)
    fast, full = (to_array(decode(data, min_side=side), Input(96)) for side in (min_side_for(96), None))
    assert 0 < np.abs(fast - full).mean() < 1


# --- refusals -----------------------------------------------------------------------------------


RANDOM = np.random.default_rng(5).bytes(4000)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
REFUSED = {
    "empty": (b"", "empty: 0 bytes"),
    "text": (b"I am not a photo.\n", "not a photo but a text"),
    "noise": (b"\x01\x02" + RANDOM, r"known kind\. Send .* or AVIF\.$"),
    "SVG": (SVG, "an SVG drawing"),
    "SVG with a prologue": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- cat -->\n' + SVG, "an SVG drawing"),
    "XML": (b'<?xml version="1.0"?><cat/>', "an XML document"),
    "web page": (b"\n<!DOCTYPE html><html><svg></svg></html>", "a web page"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + RANDOM, "a PDF document"),
    "MP4": (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + RANDOM, "an MP4 or QuickTime video"),
    "QuickTime": (b"\0\0\0\x14ftypqt  " + RANDOM, "an MP4 or QuickTime video"),
    "WebM": (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86" + RANDOM, "a WebM or Matroska video"),
    "AVI": (b"RIFF\x10\0\0\0AVI LIST" + RANDOM, "an AVI video"),
    "WAV": (b"RIFF\x10\0\0\0WAVEfmt " + RANDOM, "a WAV sound"),
    "ZIP": (b"PK\x03\x04" + RANDOM, "a ZIP archive"),
    "gzip": (gzip.compress(b"cat"), "a gzip archive"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + RANDOM, "an HDF5 file"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + RANDOM, "a JPEG 2000 image"),
    "half an AVIF": (FILES["avif"][:600], "AVIF file is damaged or incomplete"),
    "half a WebP": (FILES["webp"][:500], "(?i)WebP file is damaged or incomplete"),
    "noise after a JPEG's first bytes": (b"\xff\xd8\xff\xe0" + RANDOM, "JPEG file is damaged"),
    "noise after a PNG's first bytes": (b"\x89PNG\r\n\x1a\n" + RANDOM, "PNG file is damaged"),
    "noise after a TIFF's first bytes": (b"II*\0" + RANDOM, "TIFF file is damaged"),
    "noise after a HEIC's first bytes": (b"\0\0\0\x18ftypheic" + RANDOM, "HEIC file is damaged"),
    "noise after BM": (b"BM" + RANDOM, "known kind"),
    "JPEG XL": (b"\xff\x0a" + RANDOM, "a JPEG XL image"),
    "HEIF with AVC": (FILES["heic"][:8] + b"avci" + FILES["heic"][12:], "a HEIF image of another kind"),
    "HEIF that begins as a video": (FILES["heic"][:8] + b"iso8" + FILES["heic"][12:], "a HEIF image of another kind"),
    "AVIF with a profile as its brand": (FILES["avif"][:8] + b"MA1B" + FILES["avif"][12:], "a HEIF image of another"),
    "icon": (encoded(noise(16, 16), "ICO"), "an icon"),
    "TGA": (encoded(noise(), "TGA"), "a TGA image"),
    "Photoshop": (b"8BPS\0\1" + RANDOM, "a Photoshop document"),
    "PNG of 0 x 0": (png(0, 0, 8, 2, []), "PNG file is damaged"),
    "GIF of 0 x 0": (b"GIF89a" + bytes(7) + b",\0\0\0\0\0\0\0\0\0\x02\x02\x4c\x01\0;", "GIF file|no pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused_by_name(name):
    data, sentence = REFUSED[name]
    with pytest.raises(InvalidImage, match=sentence) as caught:
        decode(data)
    assert str(caught.value).endswith(".")
    assert not re.search("<_io|PIL|Pillow|Plugin", str(caught.value))


FRAME = b"\xff\xc0\0\x11\x08"  # of a JPEG: baseline, 8 bits
UNSUPPORTED = {
    "lossless JPEG": (FILES["jpeg"].replace(FRAME, b"\xff\xc3\0\x11\x08"), "JPEG"),
    "JPEG that tells its height at its end": (FILES["jpeg"].replace(FRAME + b"\0\x18", FRAME + b"\0\0"), "JPEG"),
    "JPEG of two colours": (FILES["jpeg"].replace(FRAME + b"\0\x18\0\x20\3", FRAME + b"\0\x18\0\x20\2"), "JPEG"),
    "hierarchical JPEG": (FILES["jpeg"].replace(FRAME, b"\xff\xc5\0\x11\x08"), "JPEG"),
    "JPEG of 12 bits": (FILES["jpeg"].replace(FRAME, b"\xff\xc1\0\x11\x0c"), "JPEG"),
    "JPEG-LS": (FILES["jpeg"].replace(FRAME, b"\xff\xf7\0\x11\x08"), "JPEG"),
    "BMP with a JPEG": (FILES["bmp"][:30] + b"\4\0\0\0" + FILES["bmp"][34:], "BMP"),
    "BMP of 64 bits": (FILES["bmp"][:28] + b"\x40\0" + FILES["bmp"][30:], "BMP"),
    "HEIC in VVC": (FILES["heic"].replace(b"hvc1", b"vvc1"), "HEIC"),
    "HEIC without compression": (FILES["heic"].replace(b"hvc1", b"unci"), "HEIC"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_valid_file_of_a_kind_that_is_not_read_is_not_called_damaged(name):
    data, format = UNSUPPORTED[name]
    with pytest.raises(InvalidImage, match=f"kind of {format} file is not supported"):
        decode(data)


def test_200_megapixels_are_refused_from_the_header():
    data = huge_png()
    assert len(data) < 30_000
    header_only = data[: data.index(b"IDAT") + 4]
    for received in (data, header_only):
        with pytest.raises(ImageTooLarge, match=r"179 .* 50 megapixels"):
            decode(received)


def test_the_limit_of_pixels_is_the_callers():
    data = encoded(noise(32, 24), "PNG")
    assert decode(data, max_pixels=32 * 24).size == (32, 24)
    with pytest.raises(ImageTooLarge, match="32 x 24"):
        decode(data, max_pixels=32 * 24 - 1)


@pytest.mark.parametrize("turned", [False, True])
def test_a_side_may_be_as_long_as_that_of_a_jpeg(turned):
    def strip(length):
        return encoded(Image.new("L", (1, length) if turned else (length, 1)), "PNG")

    assert max(decode(strip(LONGEST_SIDE)).size) == LONGEST_SIDE
    with pytest.raises(ImageTooLarge, match="65536"):
        decode(strip(LONGEST_SIDE + 1))


PILLOW_RAISES = (struct.error, SyntaxError, EOFError, zlib.error, RecursionError, KeyError)


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        *((error, InvalidImage, "JPEG file is damaged") for error in PILLOW_RAISES),
        (MemoryError, OutOfMemory, "too little memory"),  # another time there may be more
    ],
)
@pytest.mark.parametrize("moment", ["open", "load"])
def test_whatever_pillow_raises_is_an_error_of_ours(error, expected, message, moment, monkeypatch):
    def fail(*_):
        raise error

    if moment == "open":
        monkeypatch.setattr(decode_module.Image, "open", lambda *_, **__: fail())
    else:
        monkeypatch.setattr(Image.Image, "transpose", fail)
    with pytest.raises(expected, match=message):
        decode(FILES["jpeg"])


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(("jpeg", "mpo"))])
def test_a_truncated_file_gives_all_its_pixels_or_none(name):
    """All but JPEG files, for which tests/catdog/photo/test_jpeg_end.py says what may be missing."""
    data = FILES[name]
    whole = np.asarray(decode(data))
    for length in range(0, len(data), 1 if len(data) < 1500 else 3):
        try:
            image = decode(data[:length])
        except InvalidImage:
            continue
        assert np.array_equal(image, whole), f"{length} of {len(data)} bytes"


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(list(FILES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    st.none() | st.floats(0, 1),
)
def test_damaged_files_decode_or_are_refused(name, changes, cut):
    data = bytearray(FILES[name])
    for place, replacement in changes:
        # Squared: damage near the start, where the structure is, is the more interesting one.
        start = int(place**2 * len(data))
        data[start : start + len(replacement)] = replacement
    try:
        image = decode(bytes(data if cut is None else data[: int(cut * len(data))]))
    except CatDogError as error:
        assert len(str(error)) > 20
    else:
        assert image.mode == "RGB" and image.width * image.height > 0


def test_heic_decodes_in_many_threads_from_the_start():
    decode_module._register_heif.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(decode, [FILES["heic"]] * 32))
    assert all(np.array_equal(image, images[0]) for image in images)


# --- Pillow images ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
)
def test_every_pillow_mode_becomes_rgb(mode):
    assert from_pillow(Image.new(mode, (3, 2))).mode == "RGB"


def test_a_pillow_image_that_cannot_be_used_is_refused():
    with pytest.raises(InvalidImage, match="0 x 5"):
        from_pillow(Image.new("RGB", (0, 5)))
    with pytest.raises(ImageTooLarge, match="10 x 10"):
        from_pillow(Image.new("RGB", (10, 10)), max_pixels=99)
    not_yet_loaded = Image.open(io.BytesIO(encoded(noise(), "JPEG")[:700]))
    with pytest.raises(InvalidImage, match="JPEG file is damaged"):
        from_pillow(not_yet_loaded)


@pytest.mark.parametrize("value", [1, 6])
def test_the_callers_image_stays_as_it_was(value):
    image = Image.open(io.BytesIO(turned("JPEG", value)))
    before, upright = np.asarray(image), to_rgb(image)
    assert (image.size, upright.size) == ((64, 32), (64, 32) if value == 1 else (32, 64))
    assert image.getexif()[ExifTags.Base.Orientation] == value and image.info
    upright.paste("red", (0, 0, 8, 8))
    np.testing.assert_array_equal(np.asarray(image), before)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_decoded_photo_has_no_metadata(format):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.Base.Make] = "a camera"
    data = encoded(flag(), format, exif=exif, icc_profile=b"a profile")
    assert b"a camera" in data
    image = decode(data)
    assert type(image) is Image.Image and not image.info and not image.getexif()  # a JPEG's own keeps all segments
    for saved in ("JPEG", "PNG", "WEBP"):
        assert b"a camera" not in encoded(image, saved)
