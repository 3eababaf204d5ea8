"""A folder from its inputs to its results: what is done already is left alone, the rest goes to workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder
from tf_pose3d.folder_lock import FolderLock
from tf_pose3d.inference.folder.display import Display, files
from tf_pose3d.inference.folder.engine import Died, Done, Engine, Event, Stage
from tf_pose3d.inference.folder.jobs import Job, Shard, Stamp, find_jobs, output_stems, stamp_of
from tf_pose3d.inference.folder.manifest import Manifest, manifest_name, read_manifests, read_settings
from tf_pose3d.inference.folder.processes import ProcessEngine, usable_cores
from tf_pose3d.inference.folder.task import Assignment, Report, Task
from tf_pose3d.signals import StopSignals
from tf_pose3d.types import Parsed
from tf_pose3d.version import __version__

__all__ = ["ENGINES", "FILE_TIMEOUT", "FolderResult", "run_folder"]

ENGINES = ("processes", "ray")
# Seconds without a step until a file counts as one that hangs.
FILE_TIMEOUT = 600.0
# Workers that may die of one file until it counts as failed.
_MOST_DEATHS = 3
# Seconds between two looks at what else happened, such as Ctrl-C.
_WAIT = 0.25
# Seconds without a worker until that is said.
_LONGEST_START = 60.0
_STAGING = ".lifting-"

Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class FolderResult:
    """What a run did.

    Attributes:
        done: Files that it lifted.
        skipped: Files that were done before.
        failed: Name of each file that could not be lifted -> why.
        left: Files that it did not come to.
        signal: What ended it early (2: Ctrl-C), or None.
        manifest: Where all of this is written down.
    """

    done: int
    skipped: int
    failed: dict[str, str]
    left: int
    signal: int | None
    manifest: Path


@dataclasses.dataclass
class _Open:
    """A job that is to be done.

    Attributes:
        job: It.
        stem: Of its results.
        stamp: The input's state when it was given to a worker.
        deaths: Workers that died of it, or with it.
        step: How far it was last.
        moved: When that changed, by the clock that only goes on.
        assignment: What a worker has of it; None: none has.
    """

    job: Job
    stem: str
    stamp: Stamp
    deaths: int = 0
    step: tuple[str, int, int] | None = None
    moved: float = 0.0
    assignment: Assignment | None = None


def run_folder(
    task: Task,
    place: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    workers: int | None = None,
    threads: int = 1,
    shard: Shard | None = None,
    engine: str = "processes",
    file_timeout: float | None = FILE_TIMEOUT,
    log: Log = print,
    warn: Log = print,
) -> FolderResult:
    """Lifts what a folder holds, each input to files of the same path in another folder.

    Args:
        task: Makes the lifters.
        place: The folder, or a single file.
        output: Where results and the manifest go; made where it is missing.
        workers: Lifters; None: as many as there are cores for.
        threads: Of each lifter.
        shard: The part of the work that is this run's; None: all of it.
        engine: Of `ENGINES`.
        file_timeout: Seconds without a step after which a file counts as failed and its worker is ended;
            None: it is waited for.
        log: Takes lines of what is done.
        warn: Takes lines of what failed.

    Raises:
        Pose3DError: Nothing to lift, numbers that make no sense, a folder that is in use or cannot be
            written, a full disk, or lifters that cannot be made.
    """
    place, output = Path(place), Path(output)
    shard = shard or Shard()
    if engine not in ENGINES:
        raise Pose3DError(f"--engine {engine}: expected {' or '.join(ENGINES)}")
    for flag, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise Pose3DError(f"{flag} {value}: expected 1 or more")
    if file_timeout is not None and not file_timeout > 0:
        raise Pose3DError(f"--file_timeout {file_timeout:g}: expected seconds, more than 0")
    _refuse_nesting(place, output)
    jobs, notes = find_jobs(place, output)
    require_writable_folder(output)
    settings = {**task.settings, "threads": threads}
    fingerprint = _fingerprint(settings)
    whole = "" if shard.count == 1 else f"{shard.count} shards of {os.path.realpath(place)}, {fingerprint}"
    lock = FolderLock(output, whole, log, part=shard.part, flag="--output_dir")
    try:
        for note in notes:
            log(f"{place}: {note}")
        run = _Run(task, jobs, output, shard, settings, fingerprint, lock, log, warn)
        return run.finish(workers, threads, engine, file_timeout)
    finally:
        lock.release()


def _refuse_nesting(place: Path, output: Path) -> None:
    """Results must not become inputs, nor take the place of any.

    Raises:
        Pose3DError: They could.
    """
    if output.exists() and not output.is_dir():
        raise Pose3DError(f"--output_dir {output} is a file, expected a folder to write into")
    inside, outside = os.path.realpath(place), os.path.realpath(output)
    if inside == outside:
        raise Pose3DError(f"--output_dir {output} is the folder that is read; name another")
    if os.path.isdir(inside) and inside.startswith(f"{outside.rstrip(os.sep)}{os.sep}"):
        raise Pose3DError(
            f"--output_dir {output}: the folder that is read lies in it, where results could take the place "
            "of inputs; name another"
        )


def _fingerprint(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class _Run:
    """One run in a folder that it holds."""

    def __init__(
        self,
        task: Task,
        jobs: Sequence[Job],
        output: Path,
        shard: Shard,
        settings: dict[str, Any],
        fingerprint: str,
        lock: FolderLock,
        log: Log,
        warn: Log,
    ) -> None:
        self._task, self._output, self._shard, self._lock = task, output, shard, lock
        self._settings, self._fingerprint = settings, fingerprint
        self._log, self._warn = _printable(log), _printable(warn)
        self._before = read_manifests(output)
        # Each result and the input that it is of.
        self._owners = {name: file for file, line in self._before.items() for name in _outputs_in(line)}
        stems = output_stems(jobs, task.suffixed)
        self._mine = [job for job in jobs if shard.has(job)]
        self._total_jobs = len(jobs)
        self._staging = output / f"{_STAGING}{shard.part or 'all'}-{secrets.token_hex(6)}"
        self._clear_staging()
        self._numbers = 0
        self._open: dict[str, _Open] = {}
        self._failed: dict[str, str] = {}
        self._done = self._skipped = 0
        self._queue: deque[_Open] = deque()
        others: dict[str, int] = {}
        for job in self._mine:
            one = self._look(job, stems[job.name])
            if one is not None:
                self._queue.append(one)
                other = self._before.get(job.name, {}).get("settings")
                if isinstance(other, str) and other != fingerprint:
                    others[other] = others.get(other, 0) + 1
        self._say_differences(others)

    def _clear_staging(self) -> None:
        """Removes what runs that were killed left behind."""
        pattern = f"{_STAGING}{self._shard.part}-*" if self._shard.part else f"{_STAGING}*"
        for old in self._output.glob(pattern):
            shutil.rmtree(old, ignore_errors=True)

    def _look(self, job: Job, stem: str) -> _Open | None:
        """A job that is to be done; None: it is done already."""
        try:
            stamp = stamp_of(job)
        except OSError:
            # Reading it will say why.
            return _Open(job, stem, Stamp(0, 0, 0))
        line = self._before.get(job.name)
        if line is not None and self._holds(line, stem, stamp):
            self._skipped += 1
            return None
        return _Open(job, stem, stamp)

    def _holds(self, line: dict[str, Parsed], stem: str, stamp: Stamp) -> bool:
        """Whether a line of the manifest is of this input under these settings, and its results are there."""
        same = (line.get("status"), line.get("settings"), line.get("stem"), line.get("input"))
        if same != ("done", self._fingerprint, stem, list(dataclasses.astuple(stamp))):
            return False
        outputs, names = line.get("outputs"), _outputs_in(line)
        if not isinstance(outputs, dict) or not names or len(names) < len(outputs):
            return False
        try:
            return all(
                (self._output / name).stat().st_size == held["bytes"] for name, held in outputs.items()
            )
        except (OSError, TypeError, KeyError, ValueError):
            return False

    def _say_differences(self, others: dict[str, int]) -> None:
        """Says of files that were done under other settings why they are done again."""
        known = read_settings(self._output) if others else {}
        for fingerprint, count in others.items():
            before = known.get(fingerprint, {})
            names = sorted(
                name
                for name in {*before, *self._settings}
                if before.get(name) != json.loads(json.dumps(self._settings.get(name), default=str))
            )
            what = f" ({', '.join(names[:6])} changed)" if before else ""
            self._log(f"{files(count)} lifted under other settings{what}: again now")

    def finish(
        self, workers: int | None, threads: int, engine: str, file_timeout: float | None
    ) -> FolderResult:
        """Does what is to be done."""
        manifest = Manifest(self._output / manifest_name(self._shard.part))
        total = len(self._queue)
        of_all = f" of {self._total_jobs} (shard {self._shard})" if self._shard.count > 1 else ""
        done_before = f", {self._skipped} done before" if self._skipped else ""
        self._log(f"{files(len(self._mine))}{of_all}{done_before}: {total} to lift into {self._output}")
        stop = StopSignals()
        try:
            if total:
                self._note_versions()
                manifest.add(
                    {"settings": self._fingerprint, "values": self._settings, "version": __version__}
                )
                crew = _engine(engine, self._task, workers, threads, total)
                try:
                    # After the engine: Ray sets signals of its own.
                    with stop:
                        self._work(crew, manifest, stop, file_timeout)
                finally:
                    crew.close()
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)
            manifest.close()
        left = total - self._done - len(self._failed)
        return FolderResult(self._done, self._skipped, self._failed, left, stop.received, manifest.path)

    def _note_versions(self) -> None:
        versions = {
            line["version"]
            for line in self._before.values()
            if line.get("status") == "done" and line.get("version") not in (None, __version__)
        }
        if versions and self._skipped:
            self._log(
                f"results of version {', '.join(sorted(versions))} are kept beside this version's, "
                f"{__version__}; another --output_dir lifts all anew"
            )

    def _work(self, crew: Engine, manifest: Manifest, stop: StopSignals, file_timeout: float | None) -> None:
        total = len(self._queue)
        display = Display(total, sum(one.stamp.size for one in self._queue))
        busy = time.monotonic()
        with display:
            while (self._queue or self._open) and stop.received is None:
                while self._queue and crew.idle():
                    self._submit(crew, self._queue.popleft(), display, manifest)
                for event in crew.wait(_WAIT):
                    self._handle(event, display, manifest)
                if file_timeout is not None:
                    self._give_up_hanging(crew, file_timeout, display, manifest)
                if self._open:
                    busy = time.monotonic()
                elif time.monotonic() - busy > _LONGEST_START:
                    busy = time.monotonic()
                    display.print(
                        self._warn, f"no worker is ready after {_LONGEST_START:.0f} s; still waiting"
                    )
                display.show()

    def _submit(self, crew: Engine, one: _Open, display: Display, manifest: Manifest) -> None:
        try:
            # As it is now: the list may be hours old.
            one.stamp = stamp_of(one.job)
        except OSError as error:
            reason = f"{one.job.path}: {error.strerror or error}"
            display.begin(one.job.name, one.stamp.size)
            self._record_failure(one, reason, display, manifest)
            return
        self._numbers += 1
        folder = self._staging / str(self._numbers)
        path, stem = os.path.abspath(one.job.path), one.stem.rpartition("/")[2]
        self._open[str(folder)] = one
        one.assignment = Assignment(path, one.job.kind, stem, os.path.abspath(folder))
        one.step, one.moved = None, time.monotonic()
        display.begin(one.job.name, one.stamp.size)
        crew.submit(one.assignment)

    def _give_up_hanging(
        self, crew: Engine, file_timeout: float, display: Display, manifest: Manifest
    ) -> None:
        """Fails files whose workers have made no step for too long; no other worker tries them again."""
        for folder, one in list(self._open.items()):
            if time.monotonic() - one.moved < file_timeout or one.assignment is None:
                continue
            crew.abandon(one.assignment)
            del self._open[folder]
            shutil.rmtree(folder, ignore_errors=True)
            at = ""
            if one.step is not None:
                label, done, total = one.step
                at = f" after {label} {done}{f' of {total}' if total else ''}"
            reason = f"nothing happened for {file_timeout:g} s{at} (--file_timeout)"
            self._record_failure(one, reason, display, manifest)

    def _handle(self, event: Event, display: Display, manifest: Manifest) -> None:
        folder = str(self._staging / Path(event.assignment.folder).name)
        if isinstance(event, Stage):
            if folder in self._open:
                one, step = self._open[folder], (event.label, event.done, event.total)
                if step != one.step:
                    one.step, one.moved = step, time.monotonic()
                display.stage(self._open[folder].job.name, event.label, event.done, event.total)
            return
        one = self._open.pop(folder)
        one.assignment = None
        if isinstance(event, Died):
            one.deaths += 1
            shutil.rmtree(folder, ignore_errors=True)
            if one.deaths < _MOST_DEATHS:
                display.pause(one.job.name)
                self._warn(f"{one.job.name}: its worker was lost ({event.reason}): it is done again")
                self._queue.appendleft(one)
            else:
                reason = f"{one.deaths} workers died of it, the last was {event.reason}"
                self._record_failure(one, reason, display, manifest)
            return
        self._finish_job(one, event, Path(folder), display, manifest)

    def _finish_job(
        self, one: _Open, event: Done, folder: Path, display: Display, manifest: Manifest
    ) -> None:
        report = event.report
        if report.full:
            raise Pose3DError(
                f"{self._output}: the disk is full; {files(self._done)} done, and the same command "
                "goes on when there is space"
            )
        if not report.error:
            try:
                changed = stamp_of(one.job) != one.stamp
            except OSError:
                changed = True
            if changed:
                report = dataclasses.replace(report, error="it changed while it was read: start again")
        if report.error:
            shutil.rmtree(folder, ignore_errors=True)
            self._record_failure(one, report.error, display, manifest, report)
            return
        self._lock.require()
        try:
            outputs = self._place(one, report, folder)
        except OSError as error:
            self._record_failure(one, f"{error.filename}: {error.strerror or error}", display, manifest)
            return
        manifest.add(
            {
                "file": one.job.name,
                "status": "done",
                "outputs": outputs,
                **report.facts,
                **self._common(one, report),
            }
        )
        self._done += 1
        said = len(report.facts.get("warnings", ()))
        frames = report.facts.get("frames")
        display.end(one.job.name)
        words = [f"{frames} frames"] if frames is not None else []
        words += [f"{report.seconds:.1f} s"]
        words += [f"{said} warning{'s' * (said != 1)} in the manifest"] if said else []
        display.print(self._log, f"{display.count()} {one.job.name}: {', '.join(words)}")

    def _place(self, one: _Open, report: Report, folder: Path) -> dict[str, dict[str, Parsed]]:
        """Moves the results of a job to where they belong; each is there whole or not at all."""
        base = one.stem.rpartition("/")[0]
        target = self._output / base
        target.mkdir(parents=True, exist_ok=True)
        outputs: dict[str, dict[str, Parsed]] = {}
        for name, (size, digest) in report.outputs.items():
            os.replace(folder / name, target / name)
            outputs[f"{base}/{name}" if base else name] = {"bytes": size, "sha256": digest}
        shutil.rmtree(folder, ignore_errors=True)
        # Results of an earlier run of this file that this one does not have: fewer people, other formats.
        for name in _outputs_in(self._before.get(one.job.name, {})):
            if name not in outputs and self._owners.get(name) == one.job.name:
                try:
                    (self._output / name).unlink(missing_ok=True)
                except OSError as error:
                    self._warn(f"{name}, of an earlier run, cannot be removed: {error.strerror or error}")
        self._owners |= dict.fromkeys(outputs, one.job.name)
        return outputs

    def _common(self, one: _Open, report: Report | None) -> dict[str, Any]:
        return {
            "stem": one.stem,
            "input": list(dataclasses.astuple(one.stamp)),
            "settings": self._fingerprint,
            "version": __version__,
            "host": socket.gethostname(),
            **({} if report is None else {"seconds": round(report.seconds, 3)}),
            **({"workers_lost": one.deaths} if one.deaths else {}),
        }

    def _record_failure(
        self, one: _Open, reason: str, display: Display, manifest: Manifest, report: Report | None = None
    ) -> None:
        reason = " ".join(reason.split())
        trace = {"trace": report.trace} if report is not None and report.trace else {}
        manifest.add(
            {"file": one.job.name, "status": "failed", "error": reason, **trace, **self._common(one, report)}
        )
        self._failed[one.job.name] = reason
        display.end(one.job.name, failed=True)
        display.print(self._warn, f"{display.count()} {one.job.name} failed: {reason}")


def _printable(log: Log) -> Log:
    """The same for lines with names of files in any encoding."""
    return lambda line: log(line.encode("utf-8", "backslashreplace").decode("utf-8"))


def _outputs_in(line: dict[str, Parsed]) -> list[str]:
    """Names of the results that a line of the manifest tells; none that lead elsewhere."""
    outputs = line.get("outputs")
    names = list(outputs) if isinstance(outputs, dict) else []
    return [
        name for name in names if not os.path.isabs(name) and ".." not in name.split("/") and "\0" not in name
    ]


def _engine(name: str, task: Task, workers: int | None, threads: int, total: int) -> Engine:
    if name == "ray":
        from tf_pose3d.inference.folder.ray_engine import RayEngine

        return RayEngine(task, workers, threads, total)
    count = workers or max(usable_cores() // threads, 1)
    return ProcessEngine(task, min(count, total), threads)
