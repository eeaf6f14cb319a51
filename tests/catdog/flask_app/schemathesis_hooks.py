"""What schemathesis sends as a photo; it is told of this module by SCHEMATHESIS_HOOKS.

No schema can say which bytes are a photo. These are, so that what must be accepted can be.
"""

import schemathesis
from hypothesis import strategies as st

from tests.catdog.photos import encoded, heic, noise

FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "avif": "AVIF"}
PHOTOS = {f"image/{name}": encoded(noise(), kind) for name, kind in FORMATS.items()} | {"image/heic": heic(noise())}

for media_type, photo in PHOTOS.items():
    schemathesis.openapi.media_type(media_type, st.just(photo))
schemathesis.openapi.media_type("application/octet-stream", st.sampled_from([*PHOTOS.values()]))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out what no schema can say: which addresses are those of photos.

    And what is right as it is sent, and not wrong as meant: a `model` without a value, for which no field is sent, and
    true for `explain`, which a form sends as text.
    """
    body = case.body if isinstance(case.body, dict) else {}
    return body.get("model") != [] and not isinstance(body.get("explain"), bool) and "url" not in body
