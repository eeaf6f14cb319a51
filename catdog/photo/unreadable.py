"""The errors for files that cannot be read as photos, in words that the sender can use."""

from __future__ import annotations

import re

from catdog.errors import ImageTooLarge, InvalidImage

ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"

# First bytes of files, for error messages only: Pillow decides which photos are accepted.
PHOTOS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM.{12}[\x0c-\x7c]\0\0\0",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(he[iv]|mif1|msf1)",
}
NOT_PHOTOS = {
    "a PDF document": rb"%PDF",
    "a web page": rb"(?i)\s*<(!doctype html|html)",
    "an SVG drawing": rb"(\xef\xbb\xbf)?\s*<(svg\b|[?!].*<svg\b)",
    "an XML document": rb"(\xef\xbb\xbf)?\s*<\?xml",
    "a PostScript document": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a WebM or Matroska video": rb"\x1aE\xdf\xa3",
    "an AVI video": rb"RIFF....AVI ",
    "a WAV sound": rb"RIFF....WAVE",
    "a ZIP archive or an office document": rb"PK\x03\x04",
    "a gzip archive": rb"\x1f\x8b",
    "an HDF5 file": rb"\x89HDF",
    "an MP4 or QuickTime video": rb"....(ftyp|moov|mdat|wide)",
    "a text": rb"[\t\n\r -~]+\Z",
}
# Looked for first, as some of the patterns above fit these, too.
OTHER_PHOTOS = {
    "a camera's raw file": rb"....ftypcrx|FUJIFILMCCD-RAW|II(RO|RS|U\0)|FOVb|\0MRM",
    "a JPEG XL image": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a JPEG 2000 image": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "a JPEG XR image": rb"II\xbc",
    "a HEIF image of another kind": rb"....ftyp(avc[is]|avio|evb[is]|j2k[is]|jp(eg|gs)|MA1|mi[af]|Mi|unif|vvi[cs]|1pic)"
    rb"|....ftyp.{4,60}(mif1|heic|avif)",
    "a Photoshop document": rb"8BPS",
    "a GIMP document": rb"gimp xcf",
    "an MNG or JNG image": rb"[\x8a\x8b][MJ]NG",
    "an icon": rb"\0\0[\1\2]\0[^\0]|icns",
    "a TGA image": rb"\0\0[\2\3\x0a\x0b]\0{5}",
    "an OpenEXR image": rb"v/1\x01",
    "a Radiance HDR image": rb"#\?(RADIANCE|RGBE)",
    "a Netpbm image": rb"P[1-7fF]\s",
    "a QOI image": rb"qoif",
    "a DDS texture": rb"DDS ",
}


def too_many_bytes(limit: int) -> ImageTooLarge:
    return ImageTooLarge(f"The file is larger than the {limit / 2**20:g} MB that are accepted. Send a smaller copy.")


def unsupported(kind: str) -> InvalidImage:
    """The error for a photo of a kind that is not read here, though other programs may read it."""
    return InvalidImage(
        f"This kind of {kind} file is not supported. Save it as an ordinary JPEG or PNG, and send that."
    )


def damaged(kind: str | None) -> InvalidImage:
    """The error for a photo that no program could read."""
    return InvalidImage(f"The {kind or 'image'} file is damaged or incomplete and cannot be read. Send another copy.")


def unknown(data: bytes) -> InvalidImage:
    """The error for a file that is no photo, or of a format that is not read here; `data` is the file."""
    if kind := _first_match(OTHER_PHOTOS, data):
        return InvalidImage(f"The file is {kind}, which is not supported. Send {ACCEPTED}.")
    if kind := _first_match(NOT_PHOTOS, data):
        return InvalidImage(f"The file is not a photo but {kind}. Send {ACCEPTED}.")
    return InvalidImage(f"The file is not a photo of a known kind. Send {ACCEPTED}.")


def photo_kind(data: bytes) -> str | None:
    """The format of a file by its first bytes, if it is one that is read here."""
    return _first_match(PHOTOS, data)


def _first_match(kinds: dict[str, bytes], data: bytes) -> str | None:
    head = bytes(data[:1024])
    return next((kind for kind, pattern in kinds.items() if re.match(pattern, head, re.DOTALL)), None)
