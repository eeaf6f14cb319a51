"""Photos overrule what is known only where there are enough of them."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.adopt.choose import choose


@pytest.mark.parametrize(("each", "order"), [(1, (0, 1)), (9, (0, 1)), (10, (1, 0))])
def test_few_photos_overrule_nothing(each, order):
    labels = np.tile([0, 1], each)
    pixels = {(8, "stretch"): labels[:, None, None, None].astype(np.uint8)}

    def predict(batch, scaling):  # sure, and with its classes the other way round
        return np.where(batch[:, 0, 0] == [[1, 0]], 0.99, 0.01)

    choice = choose(predict, pixels, labels, 2, {"order": (0, 1), "scaling": "none"})
    assert (choice.option.order, choice.few) == (order, each < 10)


@pytest.mark.parametrize("each", [1, 10])
def test_of_what_was_tried_in_one_way_nothing_is_said(each):
    labels = np.tile(np.arange(5), each)
    pixels = {(8, mode): labels[:, None, None, None].astype(np.uint8) for mode in ("stretch", "crop")}

    def predict(batch, scaling):
        return np.eye(5)[batch[:, 0, 0, 0]]

    usual = {"order": (0, 1, 2, 3, 4), "scaling": "none", "shape": (8, "stretch")}
    choice = choose(predict, pixels, labels, 5, usual)
    assert choice.option._asdict() == usual
    assert choice.shares.keys() == {"shape"} and {*choice.kept} <= {"shape"}
