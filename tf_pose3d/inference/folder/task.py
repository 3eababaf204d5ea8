"""What a worker does with one file: results into a folder of its own, and a report of what happened."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tf_pose3d.errors import Pose3DError
from tf_pose3d.progress import progress_to

__all__ = [
    "Assignment",
    "Listener",
    "Report",
    "Task",
    "Work",
    "do_assignment",
    "file_mark",
    "package_path",
    "thread_environment",
]

# What is going on, steps done, steps in all.
Listener = Callable[[str, int, int], None]

# How many threads libraries take: BLAS by its kinds, and TensorFlow.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def package_path() -> str:
    """The folder that holds this package, so that workers import the same."""
    return str(Path(__file__).resolve().parents[3])


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that give a process so many threads; libraries read them when they are loaded."""
    return dict.fromkeys(_THREADS, str(threads))


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One file for a worker.

    Attributes:
        path: The input.
        kind: As of `Job`.
        stem: Name of the results without their endings.
        folder: Where to write them; the worker makes it.
    """

    path: str
    kind: str
    stem: str
    folder: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a file.

    Attributes:
        error: One line; empty: all went well.
        full: The disk is full, so that the files that follow would fail, too.
        outputs: Name of each result -> bytes and SHA-256.
        facts: What the work says of it: numbers, notes, warnings.
        trace: Where an error that nobody expected comes from.
        seconds: How long it took.
    """

    error: str = ""
    full: bool = False
    outputs: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    trace: str = ""
    seconds: float = 0.0


class Work(Protocol):
    """A lifter that is ready: lifts one input after the other."""

    def __call__(self, assignment: Assignment) -> dict[str, Any]:
        """Writes the results of an input, all named `stem` and something behind it.

        Returns:
            What is worth noting, as JSON has it.

        Raises:
            Pose3DError: It cannot be lifted.
        """


class Task(Protocol):
    """How to make a lifter; goes to the workers by pickle.

    Attributes:
        settings: What the results depend on, as JSON has it.
        suffixed: Results are named `stem_...`, several of an input.
    """

    @property
    def settings(self) -> dict[str, Any]: ...

    @property
    def suffixed(self) -> bool: ...

    def start(self) -> Work:
        """The lifter, in the worker.

        Raises:
            Pose3DError: It cannot be made, so that no file can be lifted.
        """


def do_assignment(work: Work, assignment: Assignment, listener: Listener) -> Report:
    """Lifts one input; whatever goes wrong with it is in the report."""
    start = time.monotonic()
    place = Path(assignment.folder)

    def failed(message: str, full: bool = False, trace: str = "") -> Report:
        line = " ".join(message.replace(f"{place}{os.sep}", "").split())
        return Report(error=line, full=full, trace=trace, seconds=time.monotonic() - start)

    try:
        place.mkdir(parents=True)
        with progress_to(listener):
            facts = _without_place(work(assignment), f"{place}{os.sep}")
        outputs = {path.name: _digest(path) for path in sorted(place.iterdir())}
    except (Pose3DError, OSError) as error:
        if isinstance(error, Pose3DError):
            text = str(error)
        else:
            text = f"{error.filename or assignment.path}: {error.strerror or error}"
        return failed(text, full=_is_full(error))
    except MemoryError:
        return failed("there is not enough memory for this file")
    except Exception as error:  # of this file: the others go on, and the report says where it comes from
        lines = traceback.format_exception(error)
        return failed(f"unexpected {type(error).__name__}: {error}", trace="".join(lines)[-4000:])
    if not outputs:
        return failed("nothing was written")
    return Report(outputs=outputs, facts=facts, seconds=time.monotonic() - start)


def _is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was made of, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def _without_place(value: Any, place: str) -> Any:  # noqa: ANN401
    """What the work says, without the folder that only the worker sees."""
    if isinstance(value, dict):
        return {name: _without_place(held, place) for name, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_place(held, place) for held in value]
    return value.replace(place, "") if isinstance(value, str) else value


def file_mark(path: str | os.PathLike[str] | None) -> str:
    """Tells a file's content from any other, for settings; of what is no file, its name."""
    if path is None or not os.path.isfile(path):
        return "" if path is None else os.fspath(path)
    return _digest(Path(path))[1][:16]


def _digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
