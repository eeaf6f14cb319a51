"""Kinds by WordNet id."""

from pathlib import Path

from train.data.kinds import KINDS, OTHER, by_kind


def test_names_with_an_id_tell_the_kind():
    lion, tiger, cup, none = (
        Path(f"val/neither/{name}") for name in ("t_n02129165_1.webp", "n02129604.jpg", "t_n07930864_2.webp", "a.jpg")
    )
    assert by_kind([cup, lion, none, tiger]) == {"big cats": [lion, tiger], OTHER: [cup, none]}
    assert by_kind([]) == {}


def test_no_id_is_of_two_kinds():
    assert len(set.union(*KINDS.values())) == sum(map(len, KINDS.values()))
