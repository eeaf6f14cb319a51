import json

import pytest
from pydantic import ValidationError

from catdog.errors import ModelMismatch
from catdog.models.spec import MOST_BYTES, MOST_LEVELS, ModelSpec, find_specs, respelt
from tests.specs import minimal

CONTENT = {
    "name": "xception", "title": "Xception", "architecture": "xception", "file": "xception.h5", "sha256": "a" * 64,
    "bytes": 123, "image_size": 112, "classes": ["cat", "dog"],
}  # fmt: skip
FULL = CONTENT | {
    "resize": "crop", "scaling": "symmetric", "temperature": 1.5,
    "metrics": {"val": {"accuracy": 0.98, "images": 1000}}, "training": {"epochs": 3, "data": "Katzen & Hündchen"},
    "sureness": {"confidence": [0.0, 0.9], "error_rate": [0.2, 0.01]},
    "disagreement": [{"others": {"b": "b" * 64}, "same": [], "photos": 20, "right": 15}], "clear": {"int8": 0.9},
    "neither": {"threshold": 0.2, "auroc": 0.99, "caught": 0.98, "photos": 200, "refused": 0.01},
}  # fmt: skip


def written(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("content", [CONTENT, FULL], ids=["required", "all"])
def test_write_and_read_give_the_same_spec(tmp_path, content):
    path = tmp_path / "xception.json"
    spec = ModelSpec(**content)
    spec.write(path)
    assert ModelSpec.read(path) == spec
    assert spec.classes == ("cat", "dog")
    assert list(tmp_path.iterdir()) == [path]
    if content is FULL:  # written as it is documented
        assert json.loads(path.read_text(encoding="utf-8")) == FULL


def test_a_spec_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = written(tmp_path / "xception.json", CONTENT)
    spec = ModelSpec(**CONTENT | {"metrics": {"val": {"accuracy": 0.5, "loss": float("nan")}}})
    with pytest.raises(ValueError, match="JSON"):
        spec.write(path)
    assert json.loads(path.read_text()) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["xception.json"]


@pytest.mark.parametrize("field", [{"new": 1}, {"self": 1}, {"clear": 0.9}, {"clear": None}])
def test_what_only_a_later_or_an_older_version_knows_is_ignored(tmp_path, field):
    assert ModelSpec.read(written(tmp_path / "x.json", CONTENT | field)) == ModelSpec(**CONTENT)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [({}, 0.0), ({"val": {}}, 0.0), ({"test": {"accuracy": 1}}, 0.0), ({"val": {"accuracy": 1}}, 1.0)],
)
def test_validation_accuracy(metrics, expected):
    assert ModelSpec(**CONTENT | {"metrics": metrics}).validation_accuracy == expected


def nested(levels: int, name: str = "within", *, list: bool = False) -> dict:
    """Records, or lists in a record, in each other."""
    content = {}
    for level in range(1, levels):
        content = [content] if list and level < levels - 1 else {name: content}
    return content


BAD = [
    ("name", ""), ("name", "../up"), ("name", "two words"), ("name", "line\n"), ("name", 5), ("name", None),
    ("title", None), ("architecture", 3),
    ("file", "/etc/passwd"), ("file", "../x.h5"), ("file", "a/b.h5"), ("file", ".."), ("file", []),
    ("sha256", "a" * 63), ("sha256", "A" * 64), ("sha256", 0),
    ("bytes", -1), ("bytes", "1"), ("bytes", True),
    ("image_size", 7), ("image_size", 4096), ("image_size", 64.0), ("image_size", "64"), ("image_size", [64, 64]),
    ("classes", ["cat"]), ("classes", ["cat", "cat"]), ("classes", "cat"), ("classes", ["cat", ""]),
    ("classes", [["cat"], "dog"]), ("classes", None),
    ("resize", "squash"), ("resize", []), ("scaling", "tf"), ("scaling", []), ("scaling", {}),
    ("temperature", 0), ("temperature", -1), ("temperature", "1"), ("temperature", True), ("temperature", 10**7),
    ("temperature", 1e-300),
    ("metrics", []), ("metrics", {"val": 0.9}), ("metrics", {"val": {"accuracy": 90}}),
    ("metrics", {"val": {"accuracy": "0.9"}}), ("metrics", {"val": {"accuracy": None}}),
    ("metrics", {"val": nested(MOST_LEVELS + 1)}),
    ("training", "yes"), ("training", nested(MOST_LEVELS + 1, "base")),
    ("training", nested(MOST_LEVELS + 1, list=True)),
    ("clear", {"int8": "0.9"}), ("clear", {"int8": 1.1}), ("clear", {"int8": True}),
    ("sureness", []), ("sureness", {"confidence": [0.0], "error_rate": [2.0]}),
    ("neither", 0.5), ("neither", {}), ("neither", {"threshold": 0}), ("neither", {"threshold": 1.0}),
    ("neither", {"threshold": 0.5, "auroc": 2}), ("neither", {"threshold": 0.5, "photos": "many"}),
    ("disagreement", {}), ("disagreement", None), ("disagreement", [5]),
    ("disagreement", FULL["disagreement"] * 20_000),
    ("disagreement", [{"others": {}, "same": [], "photos": 1, "right": 2}]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{field}-{str(value)[:20]}" for field, value in BAD])
def test_a_spec_that_makes_no_sense_is_refused_with_what_it_says(tmp_path, field, value):
    with pytest.raises(ModelMismatch, match=rf"is not usable: {field}.*, received ") as caught:
        ModelSpec.read(written(tmp_path / "x.json", CONTENT | {field: value}))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("temperature", [float("nan"), float("inf")])
def test_a_changed_copy_is_checked_too(temperature):
    with pytest.raises(ModelMismatch, match="temperature"):
        ModelSpec(**CONTENT).replace(temperature=temperature)
    assert ModelSpec(**FULL).replace(temperature=2.0) == ModelSpec(**FULL | {"temperature": 2.0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (" " * MOST_BYTES + "{}", "16 MB"),
        ('{"name": NaN}', "NaN is not"),
        ('{"name": -1e999}', "-1e999 is not"),
        (f'{{"name": {10**400}}}', "10000000000000000000 is not"),
        ("[]", "JSON object.* list"),
        ("null", "JSON object"),
        ("{}", "lacks name, title, architecture, file, sha256, bytes, image_size, classes"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
    ids=["empty", "cut off", "deep", "large", "NaN", "infinity", "huge", "list", "null", "nothing in it", "not UTF-8"],
)
def test_a_file_that_is_no_spec_is_refused(tmp_path, text, said):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelMismatch, match=said) as caught:
        ModelSpec.read(path)
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)  # pages show it


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ModelMismatch, match="cannot be read"):
            ModelSpec.read(path)


@pytest.mark.parametrize(
    ("training", "parameters", "seconds"),
    [
        ({}, None, None),
        ({"parameters": 2_899_665, "seconds": 531}, 2_899_665, 531),
        ({"seconds": 531, "base": {"file": "a.h5", "training": {"seconds": 2878, "base": "random"}}}, None, 3409),
        ({"seconds": 764, "base": {"training": {"seconds": 630, "base": {"seconds": 2518}}}}, None, 3912),
        ({"parameters": "many", "seconds": True, "base": {"training": {"seconds": 5}}}, None, 5),
        ({"parameters": -1, "seconds": "long", "base": 7}, None, None),
        ({"seconds": -1}, None, None),
        (nested(MOST_LEVELS, "base") | {"seconds": 9}, None, 9),
        ({"seconds": 7, "base": {"seconds": 1}, "averaged_with": 8}, None, 1),
        ({"seconds": 5, "base": {"sha256": ["x"], "seconds": 1}}, None, 6),
        # A mean of two models: the second went on from the first, whose time counts once.
        (
            {
                "base": {"sha256": "b", "training": {"seconds": 30, "base": {"sha256": "a", "seconds": 60}}},
                "averaged_with": [{"sha256": "a", "seconds": 60}],
            },
            None,
            90,
        ),
    ],
)
def test_what_training_took_counts_what_it_went_on_from(training, parameters, seconds):
    spec = ModelSpec(**CONTENT | {"training": training})
    assert (spec.parameters, spec.training_seconds) == (parameters, seconds)
    public = spec.public("folder mine")
    assert (public.source, public.parameters, public.training_seconds) == ("folder mine", parameters, seconds)
    assert "training" not in public.model_dump()


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        ModelSpec(**CONTENT).temperature = 2.0


def test_a_scaling_of_colours_is_not_for_grey_photos():
    with pytest.raises(ModelMismatch, match="caffe"):
        ModelSpec(**CONTENT | {"channels": 1, "scaling": "caffe"})
    wide = ModelSpec(**CONTENT | {"channels": 1, "image_width": 150})
    assert wide.input.array == (112, 150, 1) and ModelSpec(**CONTENT).input.size == 112


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("Cat", "Dog"), ("cat", "dog")),
        (("DOG", "Horse"), ("dog", "Horse")),
        (("Cardigan", "cardigan"), ("Cardigan", "cardigan")),  # a dog and a garment, of ImageNet
    ],
)
def test_a_class_is_spelt_as_the_first_model_spells_it(classes, expected):
    first, second, third = respelt(minimal(classes=known) for known in [("cat", "dog"), classes, ("horse", "CAT")])
    assert (first.classes, second.classes) == (("cat", "dog"), expected)
    assert third.classes == ("Horse" if "Horse" in expected else "horse", "cat")


def test_a_json_file_too_large_for_a_spec_counts_only_beside_a_model(tmp_path):
    for name in ("report", "model"):
        (tmp_path / f"{name}.json").write_text(json.dumps(CONTENT) + " " * MOST_BYTES)
    (tmp_path / "model.h5").touch()
    assert find_specs(tmp_path) == [tmp_path / "model.json"]
