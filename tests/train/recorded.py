"""A spec with recorded figures and provenance, of a model that does not exist."""

from catdog.models.spec import ModelSpec

FIGURES = {
    "images": 2000, "accuracy": 0.9435, "accuracy_interval": [0.93251, 0.95279], "log_loss": 0.14465,
    "calibration_error": 0.01792, "rounding": {"labels_changed": 3, "largest_change_of_probability": 0.00322},
}  # fmt: skip
RUN = {
    "dataset": "Dogs vs. Cats (Kaggle)", "photos": {"train": 21987, "val": 1000}, "epochs": 24, "seconds": 2878,
    "hardware": "2 cores", "keras": "3.15.1", "backend": "tensorflow", "precision": "float32", "date": "2026-01-31",
    "command": "python -m train fit x", "parameters": 2899665, "significant_bits": 11, "base": "random weights",
}  # fmt: skip


def spec(name: str = "scratch_cnn", **changes) -> ModelSpec:
    fields = {
        "name": name, "title": "A CNN", "architecture": name, "file": f"{name}.h5", "sha256": "0" * 64,
        "bytes": 6_477_384, "image_size": 128, "classes": ("cat", "dog"), "temperature": 0.76,
        "metrics": {"val": {"images": 1000, "accuracy": 0.942}, "test": FIGURES}, "training": RUN,
    }  # fmt: skip
    return ModelSpec(**fields | changes)
