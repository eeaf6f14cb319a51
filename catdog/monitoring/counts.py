"""What a Comparator does, counted for Prometheus."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from catdog.comparator import Answer, Comparator
from catdog.errors import CatDogError

# Upper limits in seconds, from a small model on a fast machine to what a proxy waits for.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Counts:
    """Counts what a comparator does from now on, in a registry of its own.

    waiting  number of photos that are being judged or waiting; by default that of the comparator
    """

    def __init__(self, comparator: Comparator, waiting: Callable[[], int] | None = None):
        self.registry = CollectorRegistry()
        own = {"registry": self.registry}
        self._photos = Counter("catdog_photos", "Photos answered, by verdict.", ["verdict"], **own)
        self._errors = Counter("catdog_errors", "Photos refused or failed, by code of the error.", ["code"], **own)
        self._seconds = Histogram(
            "catdog_stage_seconds",
            "Seconds per photo: decode, each model, and the total with all waiting.",
            ["stage", "model"],
            buckets=BUCKETS,
            **own,
        )
        gauge = Gauge("catdog_photos_waiting", "Photos being judged or waiting.", **own)
        gauge.set_function(waiting or (lambda: comparator.waiting))
        ProcessCollector(**own)
        comparator.listen(self._count)

    def count_error(self, error: CatDogError) -> None:
        """Count an error of a request that does not reach the comparator."""
        self._errors.labels(error.code).inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All figures, and their content type: the text format of Prometheus, or OpenMetrics for who accepts it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _count(self, answer: Answer, seconds: Mapping[str, float]) -> None:
        if isinstance(answer, CatDogError):
            self.count_error(answer)
            return
        self._photos.labels(answer.verdict).inc()
        for stage, taken in seconds.items():
            self._seconds.labels(stage, "").observe(taken)
        for verdict in answer.models:
            self._seconds.labels("model", verdict.model).observe(verdict.milliseconds / 1000)
