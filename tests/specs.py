"""A spec that says no more than it must."""

from __future__ import annotations

from catdog import ModelSpec


def minimal(name: str = "m", **changes) -> ModelSpec:
    values = {
        "name": name, "title": name, "architecture": name, "file": f"{name}.h5", "sha256": "0" * 64, "bytes": 1,
        "image_size": 8, "classes": ("cat", "dog"),
    }  # fmt: skip
    return ModelSpec(**values | changes)
