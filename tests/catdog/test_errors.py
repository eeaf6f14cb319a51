import pytest

from catdog import errors
from catdog.errors import CatDogError

TREE = {
    "InvalidImage": (ValueError, "invalid_image", 422),
    "ImageTooLarge": (ValueError, "image_too_large", 413),
    "AddressRefused": (ValueError, "address_refused", 422),
    "NotFetched": (RuntimeError, "not_fetched", 424),
    "UnknownModel": (LookupError, "unknown_model", 404),
    "InvalidSettings": (ValueError, "invalid_settings", 500),
    "ModelMismatch": (ValueError, "model_mismatch", 503),
    "ModelUnavailable": (RuntimeError, "model_unavailable", 503),
    "NotConverted": (RuntimeError, "not_converted", 503),
    "DifferentAnswers": (RuntimeError, "different_answers", 503),
    "Busy": (RuntimeError, "busy", 429),
    "NoWorker": (RuntimeError, "no_worker", 500),
    "FolderLost": (RuntimeError, "folder_lost", 500),
    "NotWritten": (RuntimeError, "not_written", 500),
    "OutOfMemory": (RuntimeError, "out_of_memory", 503),
    "Unforeseen": (RuntimeError, "internal_error", 500),
}


@pytest.mark.parametrize("name", TREE)
def test_each_error_has_its_builtin_code_and_status(name):
    builtin, code, status = TREE[name]
    kind = getattr(errors, name)
    assert issubclass(kind, CatDogError) and issubclass(kind, builtin)
    assert (kind.code, kind.status) == (code, status)
    assert kind("What is wrong.").to_dict() == {"code": code, "message": "What is wrong."}


def test_the_tree_is_complete_and_written_down():
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)} - {"CatDogError"}
    assert kinds == TREE.keys()
    assert all(f"{name} ({builtin.__name__})" in errors.__doc__ for name, (builtin, _, _) in TREE.items())
