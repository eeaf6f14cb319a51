"""A visitor's zip or list of photos -> answers, scores and a CSV, in memory only."""

from catdog.collection.intake import MOST_PHOTOS, Collection, collect
from catdog.collection.judge_all import Judged, doubt, judge
from catdog.collection.tables import Score, scores, to_csv

__all__ = ["MOST_PHOTOS", "Collection", "Judged", "Score", "collect", "doubt", "judge", "scores", "to_csv"]
