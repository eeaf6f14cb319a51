"""Many photos at once: what was sent -> photos -> judged photos -> tables, in memory alone."""

from .collect import MOST_PHOTOS, Collection, collect
from .judging import Judged, doubt, judge
from .tables import Score, scores, to_csv

__all__ = ["MOST_PHOTOS", "Collection", "Judged", "Score", "collect", "doubt", "judge", "scores", "to_csv"]
