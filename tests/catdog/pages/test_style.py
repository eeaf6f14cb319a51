"""The colours that both pages share are strong enough to read."""

import re
from pathlib import Path

import pytest

from catdog import flask_app, gradio_app
from catdog.pages import STYLE
from catdog.pages.render import accent

ACCENTS = ("cat", "dog", "other-0", "other-1", "other-2", "neither", "error")
COLOURS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", STYLE.read_text(encoding="utf-8")))


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast(scheme):
    colours = {name: pair.split(", ")[scheme] for name, pair in COLOURS.items()}
    for ink in ("cd-ink", "cd-soft", *(f"{name}-text" for name in (*ACCENTS, "right"))):
        for ground in ("cd-ground", "cd-surface"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for name in (*ACCENTS, "right"):
        assert contrast(colours[f"{name}-text"], colours[f"{name}-tint"]) >= 4.5, name
        assert contrast(colours["cd-ink"], colours[f"{name}-tint"]) >= 4.5, name
    for name in ACCENTS[:5]:
        assert contrast(colours[name], colours["cd-track"]) >= 1.8, name


def test_colours_of_classes_mean_nothing_else():
    sheets = [sheet for room in (flask_app, gradio_app) for sheet in Path(room.__file__).parent.rglob("*.css")]
    assert len(sheets) == 5
    for sheet in [*sheets, Path("static/page.css")]:
        assert not re.findall(r"--(?:cat|dog|other)\b", sheet.read_text(encoding="utf-8")), sheet
    rules = re.findall(r"^(\S.*) \{.*var\(--(?:cat|dog|other)", STYLE.read_text(encoding="utf-8"), re.M)
    assert all(rule.startswith(("[data-accent=", ".cd-logo")) for rule in rules), rules


def test_classes_have_colours_of_their_own():
    assert [accent(name, ("cat", "dog")) for name in ("cat", "dog")] == ["cat", "dog"]
    others = ("fox", "owl", "newt", "Dogs")
    assert [accent(name, others) for name in others] == ["other-0", "other-1", "other-2", "dog"]
