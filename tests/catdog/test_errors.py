"""What every error has. That docs/api.md and openapi.json list codes and statuses is tested there."""

from catdog import errors
from catdog.errors import CatDogError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not CatDogError]


def test_each_error_has_a_code_of_its_own_and_a_builtin_that_its_description_names():
    assert len({kind.code for kind in [*KINDS, CatDogError]}) == len(KINDS) + 1
    for kind in KINDS:
        builtin = next(parent for parent in kind.__mro__ if parent.__module__ == "builtins")
        assert issubclass(kind, CatDogError) and f"{kind.__name__} ({builtin.__name__})" in errors.__doc__
        assert kind("What is wrong.").to_dict() == {"code": kind.code, "message": "What is wrong."}
        assert 400 <= kind.status < 600
