"""One part of a source -> its file of rows, in any process of a cluster."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
from pyarrow import parquet

from catdog.cluster.addresses import is_file, join, put
from catdog.cluster.judge import Judge, made_once
from catdog.cluster.photo_source import RECORD, counted
from catdog.cluster.schemes import is_remote
from catdog.cluster.source_parts import Part
from catdog.errors import CatDogError, FolderLost, ModelMismatch, NotFetched, NotWritten
from catdog.folder.journal import identity_of
from catdog.folder.parquet import batch_of
from catdog.models.spec import ModelSpec


@dataclass(frozen=True)
class Job:
    """What all workers of a run share.

    out       address of the folder of results
    settings  as `settings_to_send` gives them
    models    names of the models to ask; empty for all
    identity  of the models, from `models_of`
    threads   cores of each worker
    """

    out: str
    settings: tuple[tuple[str, Any], ...]
    models: tuple[str, ...]
    identity: str
    threads: int


class Done(NamedTuple):
    """A part that has its rows, or a sentence on why not; `began` is in seconds since 1970."""

    photos: int = 0
    failed: int = 0
    began: float = 0.0
    problem: str = ""


def models_of(specs: Sequence[ModelSpec]) -> str:
    """What the rows depend on in the models, as text."""
    return json.dumps(identity_of("", specs), sort_keys=True)


def do(job: Job, part: Part) -> Done:
    """Judge a part and write its file, unless another worker, thought lost, has written it."""
    try:
        judge = _judge(job)
        began = time.time()
        if not is_file(join(job.out, RECORD)):
            raise NotWritten(f"{job.out} is not the same folder on all machines: name one that they share.")
        if is_file(join(job.out, part.name)):
            return Done(*counted(job.out, [part.name]), began)
        photos, failed, content = _rows(judge, part)
        if failed and part.base and not is_remote(part.base) and not Path(part.base).is_dir():
            raise FolderLost(f"{part.base} is not there, or not on all machines: name one that they share.")
        put(job.out, part.name, content)
        return Done(photos, failed, began)
    except CatDogError as error:
        return Done(problem=str(error))
    except Exception as error:  # of a file system, or of a damaged Parquet file
        return Done(problem=f"{part.file} cannot be read ({type(error).__name__}): {error}")


def _rows(judge: Judge, part: Part) -> tuple[int, int, bytes]:
    """The photos of a part, those that failed, and the content of its file.

    Raises NotFetched if a photo cannot be reached: a row in the file would be final.
    """
    batches, photos, failed = [], 0, 0
    for path, answer in judge.answers(part.read(judge.comparator.settings.max_upload_bytes + 1)):
        if isinstance(answer, NotFetched):
            raise answer
        photos, failed = photos + 1, failed + isinstance(answer, CatDogError)
        batches.append(batch_of(judge.columns.rows(path, answer), judge.schema))
    counts = {"photos": str(photos), "failed": str(failed)}
    table = pyarrow.Table.from_batches(batches, judge.schema).replace_schema_metadata(counts)
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table.combine_chunks(), sink)
    return photos, failed, sink.getvalue().to_pybytes()


def _judge(job: Job) -> Judge:
    """The models of this process. Raises ModelMismatch for others than those of the run."""
    judge = made_once(job.settings, job.models, job.threads)
    if models_of([classifier.spec for classifier in judge.classifiers]) != job.identity:
        problems = " ".join(judge.comparator.problems)
        raise ModelMismatch(f"A machine of the cluster has other models than the one that started the run. {problems}")
    return judge
