"""Layouts in which photos are found: the class and the split of each, or why it is left out."""

import pytest

from train.data.layout import BESIDE_PHOTOS, BESIDE_SPLITS, NO_LABEL, NOT_IN_TRAIN, STRAY, TWO_LABELS, Source, plan
from train.data.name_labels import CONTRADICTED, pet_in, read_table


def planned(sources: dict[str, list[str]]) -> list[tuple[str | None, str] | str]:
    """The split and the class of each photo of each source, or why it is left out."""
    places, _ = plan([Source(name, paths) for name, paths in sources.items()])
    return [place.why or (place.split, place.label) for found in places for place in found]


CAT, DOG = (None, "cats"), (None, "dogs")
LAYOUTS = {
    "folders": {"cats/1.jpg": CAT, "dogs/1.jpg": DOG},
    "any case": {"Cat/1.jpg": CAT, "DOGS/1.jpg": DOG, "CATS/2.jpg": CAT, "dog/cat.1.jpg": DOG},
    "other names stay": {"Big Cats/1.jpg": (None, "Big Cats"), "hot dogs/1.jpg": (None, "hot dogs"),
                         "Pferd/1.jpg": (None, "Pferd"), "pferd/2.jpg": (None, "Pferd")},
    "splits": {"train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"),
               "val/cats/1.jpg": ("val", "cats"), "test/dogs/1.jpg": ("test", "dogs")},
    "splits by other names": {
        "Training/cats/1.jpg": ("train", "cats"), "train_set/dogs/1.jpg": ("train", "dogs"),
        "valid/cats/1.jpg": ("val", "cats"), "Validation Set/dogs/1.jpg": ("val", "dogs"),
        "testing/cats/1.jpg": ("test", "cats"), "test1/dogs/1.jpg": ("test", "dogs"),
        "eval/cats/1.jpg": ("test", "cats"), "evaluation/dogs/1.jpg": ("test", "dogs"),
    },
    "copies": {"train (1)/cats (2)/1.jpg": ("train", "cats"), "train (1)/Dogs (1)/1.jpg": ("train", "dogs"),
               "test - Copy/dog/1.jpg": ("test", "dogs"), "Test (12)/cats/1.jpg": ("test", "cats"),
               "valid - Copy (2)/cats/1.jpg": ("val", "cats")},
    "a wrapper, repeated splits, and a folder for single photos": {
        "dataset/training_set/training_set/cats/cat.1.jpg": ("train", "cats"),
        "dataset/training_set/training_set/dogs/dog.1.jpg": ("train", "dogs"),
        "dataset/test_set/test_set/cats/cat.9.jpg": ("test", "cats"),
        "dataset/single_prediction/cat_or_dog_1.jpg": BESIDE_SPLITS,
    },
    "class, then split": {"cats/train/1.jpg": ("train", "cats"), "dogs/train/1.jpg": ("train", "dogs"),
                          "cats/test/1.jpg": ("test", "cats"), "cats/9.jpg": CAT},
    "class and split in one name": {"cats_train/1.jpg": ("train", "cats"), "dogs_train/1.jpg": ("train", "dogs"),
                                    "cats_test/1.jpg": ("test", "cats"), "dogs_test/1.jpg": ("test", "dogs")},
    "a prefix": {"seg_train/seg_train/sea/1.jpg": ("train", "sea"), "seg_train/seg_train/ice/1.jpg": ("train", "ice"),
                 "seg_test/seg_test/sea/1.jpg": ("test", "sea"), "seg_pred/seg_pred/1.jpg": BESIDE_SPLITS},
    "a class that has the name of a split": {
        "train/bus/1.jpg": ("train", "bus"), "train/train/1.jpg": ("train", "train"),
        "test/train/1.jpg": ("test", "train"), "test/bus/1.jpg": ("test", "bus"),
    },
    "beside splits": {
        "train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"), "cats/2.jpg": CAT,
        "dogs/2019/3.jpg": DOG, "predictions/dogs/4.jpg": BESIDE_SPLITS, "2019/cats/5.jpg": BESIDE_SPLITS,
    },
    "around splits": {"a/train/cats/1.jpg": ("train", "cats"), "a/train/dogs/1.jpg": ("train", "dogs"),
                      "a/cats/2.jpg": CAT, "predictions/cats/3.jpg": BESIDE_SPLITS},
    "without a split for training": {"horse/1.jpg": (None, "horse"), "cow/1.jpg": (None, "cow"),
                                     "owl/1.jpg": (None, "owl"), "test/cow/1.jpg": ("test", "cow")},
    "splits in a folder beside classes": {
        "cats/1.jpg": CAT, "cats/2.jpg": CAT, "dogs/1.jpg": DOG, "unsorted/test/a/1.jpg": NOT_IN_TRAIN,
        "unsorted/test/b/1.jpg": NOT_IN_TRAIN,
    },
    "a split in a split": {"train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"),
                           "train/validation/cats/2.jpg": ("val", "cats"), "train/val2/3.jpg": STRAY},
    "more strays than others": {"1.jpg": STRAY, "2.jpg": STRAY, "3.jpg": STRAY, "horse/1.jpg": (None, "horse"),
                                "cow/1.jpg": (None, "cow")},
    "few folders beside named photos": {"cat.1.jpg": CAT, "cat.2.jpg": CAT, "dog.1.jpg": DOG, "a/1.jpg": NO_LABEL,
                                        "b/1.jpg": NO_LABEL},
    "what is like a split": {"steam train/1.jpg": (None, "steam train"), "test tube/1.jpg": (None, "test tube")},
    "folders of many": {"Cat/many/000/1.jpg": CAT, "Cat/many/001/1.jpg": CAT, "Dog/many/000/1.jpg": DOG},
    "the same twice": {"pets/Cat/1.jpg": CAT, "pets/Dog/1.jpg": DOG, "pets/pets/Cat/1.jpg": CAT,
                       "pets/pets/Dog/1.jpg": DOG},
    "by year": {"2019/cats/1.jpg": CAT, "2019/dogs/1.jpg": DOG, "2020/dogs/1.jpg": DOG},
    "named photos in other folders": {"indoor/cat.1.jpg": (None, "indoor"), "outdoor/dog.1.jpg": (None, "outdoor"),
                                      "outdoor/cat.2.jpg": (None, "outdoor")},
    "strays": {"cats/1.jpg": CAT, "dogs/1.jpg": DOG, "photo.jpg": STRAY, "cat.1.jpg": STRAY, "images/1.jpg": STRAY},
    "strays in splits": {"train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"),
                         "train/1.jpg": STRAY, "test/1.jpg": NO_LABEL, "val/cat.1.jpg": ("val", "cats"),
                         "1.jpg": BESIDE_SPLITS},
    "a test folder of one": {"train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"),
                             "test/unknown/1.jpg": NOT_IN_TRAIN},
    "Kaggle": {"train/cat.0.jpg": ("train", "cats"), "train/dog.0.jpg": ("train", "dogs"), "test1/1.jpg": NO_LABEL},
    "names": {"cat_0.jpg": CAT, "cat (0).jpg": CAT, "Dog-1.jpeg": DOG, "dog2.png": DOG, "0003.dog.jpg": DOG,
              "cat.1 - Copy.jpg": CAT, "image_dog_7.jpg": DOG, "hot dog 1.jpg": NO_LABEL, "cat_or_dog_1.jpg": NO_LABEL,
              "IMG_0001.jpg": NO_LABEL},
    "names, and other folders": {"cat.1.jpg": CAT, "dog.1.jpg": DOG, "neither/1.jpg": (None, "neither"),
                                 "Unlabeled/1.jpg": (None, "unlabelled")},
    "names in one folder": {"all/cat.1.jpg": CAT, "all/dog.1.jpg": DOG},
    "Oxford": {"images/Abyssinian_1.jpg": CAT, "images/british_shorthair_12.jpg": CAT, "images/beagle_1.jpg": DOG,
               "images/shiba_inu_100.jpg": DOG, "annotations/trimaps/Abyssinian_1.png": BESIDE_PHOTOS},
    "Stanford": {"Images/n02085620-Chihuahua/1.jpg": (None, "n02085620-Chihuahua"),
                 "Images/n02085782-spaniel/1.jpg": (None, "n02085782-spaniel")},
    "not only pets": {"train/cats/1.jpg": ("train", "cats"), "train/dogs/1.jpg": ("train", "dogs"),
                      "train/neither/1.jpg": ("train", "neither"), "val/neither/1.jpg": ("val", "neither"),
                      "unlabelled/1.jpg": (None, "unlabelled"), "cats/2.jpg": CAT},
    "one class": {"cats/1.jpg": CAT, "cats/2.jpg": CAT},
    "nothing said": {"1.jpg": NO_LABEL, "IMG_2.jpg": NO_LABEL},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    paths = list(LAYOUTS[layout])
    assert dict(zip(paths, planned({"pets": paths}), strict=True)) == LAYOUTS[layout]


COW, HORSE = (None, "cow"), (None, "horse")
PETS = ["cats/1.jpg", "dogs/1.jpg"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"Cat": ["many/000/1.jpg", "many/001/1.jpg"], "Dog": ["many/000/2.jpg"]}, [CAT, CAT, DOG]),
        ({"horse": ["1.jpg"], "Cow": ["2.jpg"]}, [HORSE, (None, "Cow")]),
        ({"horse": ["many/1.jpg"], "cow": ["many/2.jpg"]}, [HORSE, COW]),
        ({"a": ["horse/1.jpg"], "b": ["cow/2.jpg"]}, [HORSE, COW]),
        ({"a": PETS, "b": ["Cat/2.jpg"], "c": ["cats/3.jpg", "DOGS/3.jpg"]}, [CAT, DOG, CAT, CAT, DOG]),
        ({"kaggle": ["train/cat.1.jpg", "train/dog.1.jpg"], "owls": ["3.jpg"]},
         [("train", "cats"), ("train", "dogs"), (None, "owls")]),
        ({"pets": PETS, "unlabelled": ["a.jpg"], "x": ["neither/b.jpg"]},
         [CAT, DOG, (None, "unlabelled"), (None, "neither")]),
        # Sources that are splits
        ({"train": PETS}, [("train", "cats"), ("train", "dogs")]),
        ({"Test_Set": PETS}, [("test", "cats"), ("test", "dogs")]),
        ({"train": ["cat.1.jpg", "dog.1.jpg"], "test1": ["1.jpg"]}, [("train", "cats"), ("train", "dogs"), NO_LABEL]),
        ({"sea_train": ["1.jpg"], "sea_test": ["1.jpg"], "ice_train": ["1.jpg"], "ice_test": ["1.jpg"]},
         [("train", "sea"), ("test", "sea"), ("train", "ice"), ("test", "ice")]),
        # A source of annotations
        ({"images": ["beagle_1.jpg", "Bombay_2.jpg"], "annotations": ["beagle_1.jpg"]}, [DOG, CAT, BESIDE_PHOTOS]),
    ],
)  # fmt: skip
def test_several_sources_are_one_data_set_and_may_be_splits_or_annotations(sources, expected):
    assert planned(sources) == expected


LABELS = {"1": "cat", "2": "dog"}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"labels.csv": LABELS}, {"train/1.jpg": "cats", "train/2.jpg": "dogs", "test/3.jpg": ""}),
        # The same names in train and test are of other photos.
        ({"labels.csv": LABELS}, {"train/1.jpg": "cats", "train/2.jpg": "dogs", "test/1.jpg": ""}),
        ({"train_labels.csv": LABELS}, {"train/1.jpg": "cats", "train/2.jpg": "dogs", "test/2.jpg": ""}),
        ({"train/_classes.csv": LABELS, "test/_classes.csv": {"1.jpg": "dog", "2.jpg": "cat"}},
         {"train/1.jpg": "cats", "train/2.jpg": "dogs", "test/1.jpg": "dogs", "test/2.jpg": "cats"}),
        ({"y.csv": {"images/a.jpg": "Boston Bull", "images/b.jpg": "pug"}},
         {"images/a.jpg": "Boston Bull", "images/b.jpg": "pug"}),
        # Folders of classes say more than a table.
        ({"labels.csv": LABELS}, {"owls/1.jpg": "owls", "mice/2.jpg": "mice"}),
        ({"labels.csv": {"1": "cat", "2": "cat"}}, {"train/1.jpg": "", "train/2.jpg": ""}),
        # Photos with two labels have none.
        ({"a.csv": {"1": "cat", "2": "dog", "3": CONTRADICTED}, "b.csv": {"1": "Cats", "2": "cat", "4": "dog"}},
         {"1.jpg": "cats", "2.jpg": "", "3.jpg": "", "4.jpg": "dogs"}),
        ({"a.csv": {"1": "cat", "1.jpg": "dog", "2": "dog", "3": "cat"}},
         {"1.jpg": "", "2.jpg": "dogs", "3.jpg": "cats"}),
    ],
)  # fmt: skip
def test_tables_label_photos_that_lie_in_no_class_folder(tables, expected):
    (found,), _ = plan([Source("pets", list(expected), tables)])
    assert [place.label for place in found] == list(expected.values())
    assert all(place.why == TWO_LABELS for place in found if place.in_table == CONTRADICTED)


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("labels.csv", "id,breed\n000bec180eb18c7604dcecc8fe0dba07,boston_bull\n001,dingo\n",
         {"000bec180eb18c7604dcecc8fe0dba07": "boston_bull", "001": "dingo"}),
        ("train_labels.csv", "\ufeffid,label\r\n1,0\r\n2,1\r\n", {"1": "0", "2": "1"}),
        ("a.csv", "width;File Name;Class\n8;Train\\A.JPG;cat\n", {"train/a.jpg": "cat"}),
        ("a.csv", "cat.jpg,cat\ndog.jpg,dog\n", {"cat.jpg": "cat", "dog.jpg": "dog"}),
        ("_classes.csv", "filename, cat, dog\na.jpg, 1, 0\nb.jpg, 0, 1\n", {"a.jpg": "cat", "b.jpg": "dog"}),
        ("a.csv", "filename, cat, dog\na.jpg, 1, 1\n", {}),
        ("a.csv", "id,label\na,cat\na,Cats\nb,dog\nB,cat\nb,dog\n", {"a": "cat", "b": CONTRADICTED}),
        ("sampleSubmission.csv", "id,label\n1,0\n2,1\n", {}),
        ("a.csv", "id,label\n1,0.5\n2,../x\n3,\n", {}),
        ("a.csv", "name,age\nTom,3\n", {}),
        ("a.csv", "", {}),
        ("a.csv", '"', {}),
    ],
)  # fmt: skip
def test_what_csv_files_say(name, text, labels):
    assert read_table(name, text) == labels


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["indoor/cat.1.jpg", "outdoor/dog.1.jpg"], True),
        (["2019/horse/1.jpg", "2019/cow/1.jpg", "2020/horse/1.jpg", "2020/cow/1.jpg"], True),
        (["train/cat.1.jpg", "train/dog.1.jpg"], True),
        (["Cat/many/000/1.jpg", "Dog/many/000/1.jpg", "Dog/many/001/1.jpg"], False),
        (["train/cats/1.jpg", "train/dogs/1.jpg"], False),
    ],
)
def test_what_may_not_be_as_meant_is_said(paths, said):
    assert bool(plan([Source("pets", paths)])[1]) == said


def test_a_name_is_that_of_a_pet_only_as_a_whole():
    assert [pet_in(name) for name in ("cat", "cats.12", "Bobcat.1", "catalogue_2", "wildcat 3")] == [
        "cats",
        "cats",
        "",
        "",
        "",
    ]
