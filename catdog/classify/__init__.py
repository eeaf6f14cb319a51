"""All photos of a folder -> a CSV or Parquet file of answers, in a run that may be stopped and go on."""

from .rows import to_path
from .run import Summary, check, classify

__all__ = ["Summary", "check", "classify", "to_path"]
