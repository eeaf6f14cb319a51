"""`classify` on Ray: parts of a source are tasks of Ray Data, on this machine or a cluster."""

import contextlib
import dataclasses
import functools
import json
import logging
import re
import socket
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Sequence

import pyarrow
import ray

from catdog import Settings, load
from catdog.cluster.addresses import absolute, at, listed
from catdog.cluster.judge import settings_to_send
from catdog.cluster.part_rows import Done, Job, do, models_of
from catdog.cluster.photo_source import Source, counted, prepare
from catdog.cluster.schemes import is_remote
from catdog.cluster.source_parts import Part
from catdog.errors import InvalidSettings, NoWorker
from catdog.folder.run import Summary, cores, progress_of
from catdog.settings import configure_ray

# A worker that dies takes its part with it, which is judged again; one that a part kills would be started forever.
RETRIES = 10
_HOST = re.compile(r"([\w.-]+):(\d{1,5})")
MOST_PROBLEMS = 10  # that are told
LOCAL_STORE = 2**27  # bytes for what tasks return, which is little


def classify(
    address: str,
    out: str,
    settings: Settings,
    *,
    models: Collection[str] = (),
    cluster: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    restart: bool = False,
    stop: threading.Event | None = None,
) -> tuple[Summary, list[str]]:
    """Ask the models about all photos of a source; the rows go to Parquet files in the folder `out`.

    address  a local path, or what pyarrow or fsspec opens: see `Source`
    cluster  address of a Ray cluster, as `ray.init` takes it; None starts Ray on this machine for the run
    workers  tasks at a time, by default as many as there are cores for
    threads  cores of each worker

    Parts whose file exists are not judged again, so a run can continue however it ended. Returns what was done, and
    a sentence for each part that could not be judged. Raises InvalidSettings or UnknownModel before anything is
    written, and NoWorker.
    """
    stop, told, out = stop or threading.Event(), out, absolute(out)
    source = Source.of(address)
    if source.kind != "photos":
        _refuse_inside(address, out)
    comparator = load(settings)  # which converts the models, once for this machine
    identity = models_of([classifier.spec for classifier in comparator.chosen(models)])
    with contextlib.ExitStack() as stack:
        connect = functools.cache(lambda: stack.enter_context(_connected(cluster, threads, workers)))
        if restart:
            connect()  # before answers are removed
        prepare(out, json.loads(identity), source, restart=restart)
        parts = source.parts(out)
        written = {file.path for file in listed(out, recursive=False)} & {part.name for part in parts}
        missing = [part for part in parts if part.name not in written]
        before = Done(*counted(out, written))
        job = Job(out, settings_to_send(settings), tuple(models), identity, threads)
        start = time.time()
        new = _run(job, missing, before, connect(), stop) if missing and not stop.is_set() else []
    # As for one machine, loading the models does not count.
    seconds = time.time() - max(start, min((done.began for done in new if done.began), default=start))
    judged, failed = sum(done.photos for done in new), before.failed + sum(done.failed for done in new)
    problems = list(dict.fromkeys(done.problem for done in new if done.problem))
    finished = len(new) == len(missing) and not problems
    summary = Summary.of(before.photos + judged, failed, judged, finished=finished, seconds=seconds, out=told)
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems[MOST_PROBLEMS:] = [f"There are {more} more such problems."]
    return summary, [*comparator.problems, *problems]


def _run(job: Job, parts: Sequence[Part], before: Done, workers: int, stop: threading.Event) -> list[Done]:
    """Judge parts on the connected cluster, with progress on stderr, until all are done or `stop` is set."""
    new: list[Done] = []
    counts = [part.photos for part in parts]
    known = None if None in counts else sum(counts)
    with contextlib.closing(_judged(job, parts, workers)) as results, progress_of(before.photos) as progress:
        for done in results:
            new.append(done)
            judged = progress.n - before.photos + done.photos
            # A tar does not say how many photos it holds: those so far tell about the rest.
            progress.total = before.photos + (judged * len(parts) // len(new) if known is None else known)
            progress.update(done.photos)
            if stop.is_set():
                break
    return new


def _judged(job: Job, parts: Sequence[Part], workers: int) -> Iterator[Done]:
    """What became of each part, in the order in which they are done.

    The first task of a process loads the models. Tasks, not actors: an actor whose machine is lost waits with its parts
    for other cores, for ever if there are none, while a task goes to the next core that is free.
    """
    rows = [{"part": json.dumps(dataclasses.asdict(part))} for part in parts]
    with warnings.catch_warnings():
        # Of `max_retries`, for which there is no other way yet: by default a task that ends its worker begins for ever.
        warnings.simplefilter("ignore", DeprecationWarning)
        results = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            functools.partial(_task, job),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.TaskPoolStrategy(size=workers),
            num_cpus=job.threads,
            max_retries=RETRIES,
        )
    try:
        for row in results.iter_rows():
            yield Done(**json.loads(row["done"]))
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())[-500:]
        raise NoWorker(f"The run on Ray ended: {reason} The same command, without --restart, goes on.") from error


def _task(job: Job, parts: pyarrow.Table) -> pyarrow.Table:
    done = [do(job, Part(**json.loads(part))) for part in parts["part"].to_pylist()]
    return pyarrow.table({"done": [json.dumps(one._asdict()) for one in done]})


@contextlib.contextmanager
def _connected(address: str | None, threads: int, workers: int | None) -> Iterator[int]:
    """Connect to a cluster, or start one on this machine; yields the number of workers.

    It is `workers`, or by default as many workers of `threads` cores as the cluster has room for. Raises
    InvalidSettings if there is room for none.
    """
    configure_ray()
    options = {} if address else {"num_cpus": cores(), "object_store_memory": LOCAL_STORE, "include_dashboard": False}
    try:
        if address and (place := _HOST.fullmatch(address)):  # Ray would try for many minutes
            socket.create_connection((place[1], int(place[2])), timeout=10).close()
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise InvalidSettings(f"No cluster of Ray answers at {address or 'this machine'}: {error}") from error
    try:
        quiet = ray.data.DataContext.get_current()
        quiet.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        if not (room := sum(int(cpus // threads) for cpus in nodes)):
            raise InvalidSettings(f"No machine has {threads} cores for a worker; the largest has {max(nodes):g}.")
        yield workers or room
    finally:
        ray.shutdown()


def _refuse_inside(address: str, out: str) -> None:
    """Refuse an `out` in the folder of the source, where the next run would take answers for photos."""
    (_, source), (_, results) = at(absolute(address)), at(absolute(out))
    if is_remote(address) == is_remote(out) and f"{results}/".startswith(f"{source}/"):
        raise InvalidSettings(f"--out must not be in the folder of the photos. Received: {out}.")
