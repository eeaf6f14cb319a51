"""Recipes: what they refuse, and how stages are written."""

import re

import pytest

from catdog import InvalidSettings
from train.networks import architectures
from train.networks.recipes import RECIPES, Recipe, parse_stages


def test_each_architecture_has_a_recipe():
    assert RECIPES.keys() == architectures.ARCHITECTURES.keys()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("scale", (0.0, 1.0)),
        ("scale", (1.5, 1.5)),
        ("cutmix", -0.1),
        ("degrade", 1.1),
        ("steps", -1),
        ("batch_size", 0),
        ("learning_rate", float("nan")),
        ("precision", "int4"),
        ("seed", -1),
        ("frozen_stages", -1),
        ("frozen_stages", 3),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_was_received(setting, value):
    with pytest.raises(InvalidSettings, match=re.escape(f"Received: {value}")):
        Recipe(stages=((8, 1), (8, 1)), **{setting: value})


@pytest.mark.parametrize("text", ["", "96", "96x", "x3", "96x0", "4x3", "96x3,", "axb", "96x3x1", "99999x1"])
def test_stages_must_be_readable(text):
    with pytest.raises(InvalidSettings, match="SIZExEPOCHS"):
        parse_stages(text)


def test_stages_are_read():
    recipe = Recipe(stages=parse_stages("96x20,128x4"), frozen_stages=1)
    assert recipe.stages == ((96, 20), (128, 4))
    assert (recipe.frozen_epochs, recipe.epochs) == (20, 24)
