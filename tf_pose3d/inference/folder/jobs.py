"""What there is to do in a folder: videos, keypoint files, and folders of frames; and who does which."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder.manifest import has_manifest
from tf_pose3d.inference.formats.frame_folders import is_frame_folder
from tf_pose3d.inference.formats.source import natural_order

__all__ = [
    "KEYPOINT_ENDINGS",
    "VIDEO_ENDINGS",
    "Job",
    "Shard",
    "Stamp",
    "find_jobs",
    "output_stems",
    "stamp_of",
]

VIDEO_ENDINGS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"),
        *(".wmv", ".asf", ".flv", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".mxf", ".vob"),
        *(".qt", ".ivf", ".h264", ".h265", ".hevc"),
    )
)
KEYPOINT_ENDINGS = frozenset((".json", ".npz", ".npy", ".csv", ".h5", ".hdf5", ".trc"))
# Files of a folder of frames.
_FRAME_ENDINGS = frozenset((".json", ".txt"))


@dataclasses.dataclass(frozen=True)
class Job:
    """One input, which becomes one result.

    Attributes:
        name: Its path in the input folder, parts joined by `/`.
        path: Where it is.
        kind: `"video"`, `"keypoints"` or `"frames"` (a folder).
    """

    name: str
    path: Path
    kind: str


@dataclasses.dataclass(frozen=True)
class Stamp:
    """What tells an input from a later state of it.

    Attributes:
        size: Bytes; of a folder of frames, all of its files'.
        changed: Nanoseconds of its last change; of a folder of frames, of the latest file's.
        files: Number of files.
    """

    size: int
    changed: int
    files: int = 1


def stamp_of(job: Job) -> Stamp:
    """The state of an input now.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    if job.kind != "frames":
        found = job.path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no file, but a pipe, a socket or a device", str(job.path))
        return Stamp(found.st_size, found.st_mtime_ns)
    size, changed, files = 0, 0, 0
    with os.scandir(job.path) as entries:
        for entry in entries:
            if Path(entry.name).suffix.lower() in _FRAME_ENDINGS and not entry.name.startswith("."):
                found = entry.stat()
                size, changed, files = size + found.st_size, max(changed, found.st_mtime_ns), files + 1
    return Stamp(size, changed, files)


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several runs that divide a folder's work without talking.

    Attributes:
        number: From 1 to `count`.
        count: How many there are.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that `3/16` means.

        Raises:
            Pose3DError: It means none.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
        if found is None:
            raise Pose3DError(f"--shard {text}: expected NUMBER/COUNT, e.g. 3/16")
        number, count = int(found[1]), int(found[2])
        if not 1 <= number <= count:
            first = f"1/{max(count, 1)} to {max(count, 1)}/{max(count, 1)}"
            raise Pose3DError(f"--shard {text}: shards are counted from 1, expected {first}")
        return cls(number, count)

    def has(self, job: Job) -> bool:
        """Whether a job is this shard's: by its name alone, whatever else the folder holds."""
        if self.count == 1:
            return True
        digest = hashlib.sha256(os.fsencode(job.name)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    @property
    def part(self) -> str:
        """As a part of a file's name; empty where there is but one."""
        return "" if self.count == 1 else f"{self.number}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def find_jobs(place: Path, output: Path | None = None) -> tuple[list[Job], list[str]]:
    """What a folder holds to be lifted, in the natural order of names, and what was left out.

    Hidden files are left out, and so are folders of earlier results, `output` among them. Links are followed,
    each folder once.

    Args:
        place: The folder, or a single file.
        output: Where results go.

    Raises:
        Pose3DError: There is no such file or folder, or nothing in it to be lifted.
    """
    if not place.exists():
        raise Pose3DError(f"{place} does not exist, expected a folder of videos and keypoint files")
    if not place.is_dir():
        return [Job(place.name, place, _kind(place.name) or "keypoints")], []
    if is_frame_folder(place):
        search = _Search(place, output)
        others = _sorted(search.beside_frames(place, ""))
        name = place.resolve().name
        while name in {job.name for job in others}:
            name += "_frames"
        return [Job(name, place, "frames"), *others], search.notes()
    search = _Search(place, output)
    try:
        jobs = _sorted(search.jobs(place, ""))
    except OSError as error:
        raise Pose3DError(f"{error.filename or place} cannot be read: {error.strerror or error}") from None
    if not jobs:
        kinds = ", ".join(f"{count} {ending or 'without an ending'}" for ending, count in search.kinds())
        what = f"; it holds other files: {kinds}" if kinds else ""
        raise Pose3DError(f"{place} holds no video and no keypoint file to lift{what}")
    return jobs, search.notes()


def _sorted(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: [natural_order(part) for part in job.name.split("/")])


def _kind(name: str) -> str | None:
    ending = Path(name).suffix.lower()
    if ending in VIDEO_ENDINGS:
        return "video"
    return "keypoints" if ending in KEYPOINT_ENDINGS else None


class _Search:
    """Goes through a folder and counts what is no job."""

    def __init__(self, place: Path, output: Path | None) -> None:
        self._output = None if output is None else os.path.realpath(output)
        self._seen = {os.path.realpath(place)}
        self._others: Counter[str] = Counter()
        self._results: list[str] = []

    def jobs(self, folder: Path, prefix: str, frames: str = "") -> Iterator[Job]:
        """The jobs in a folder, but for files of the ending that its frames have."""
        for entry in self._entries(folder):
            name, path = f"{prefix}{entry}", folder / entry
            if _is_folder(path):
                yield from self._inside(path, name)
                continue
            if frames and entry.endswith(frames):
                continue
            kind = _kind(entry)
            if kind is None:
                self._others[Path(entry).suffix.lower()] += 1
            else:
                yield Job(name, path, kind)

    def beside_frames(self, folder: Path, prefix: str) -> Iterator[Job]:
        """The jobs in a folder whose JSON files, or labels where there are none, are one clip."""
        has_json = any(entry.endswith(".json") for entry in self._entries(folder))
        yield from self.jobs(folder, prefix, ".json" if has_json else ".txt")

    def _inside(self, path: Path, name: str) -> Iterator[Job]:
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        if real == self._output or has_manifest(path):
            self._results.append(name)
            return
        try:
            frames = is_frame_folder(path) and bool(self._entries(path))
        except OSError:
            # It cannot be looked into, which reading it will say.
            yield Job(name, path, "frames")
            return
        if frames:
            yield Job(name, path, "frames")
            yield from self.beside_frames(path, f"{name}/")
        else:
            yield from self.jobs(path, f"{name}/")

    def _entries(self, folder: Path) -> list[str]:
        return sorted(entry for entry in os.listdir(folder) if not entry.startswith("."))

    def kinds(self) -> list[tuple[str, int]]:
        """Endings of the files that are no jobs, the most frequent first."""
        return sorted(self._others.most_common(5), key=lambda found: (-found[1], not found[0], found[0]))

    def notes(self) -> list[str]:
        """What was left out, one line each."""
        notes = []
        if self._results:
            names = ", ".join(self._results[:3]) + (", ..." if len(self._results) > 3 else "")
            notes.append(f"left out, as it holds results of such a run: {names}")
        if self._others:
            kinds = ", ".join(f"{count} {ending or 'without an ending'}" for ending, count in self.kinds())
            notes.append(f"files of other kinds are left out: {kinds}")
        return notes


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def output_stems(jobs: Sequence[Job], suffixed: bool = False) -> dict[str, str]:
    """Name of each job -> its results' path in the output folder, without their endings.

    That is the input's path without its ending; inputs that would meet (`walk.mp4` and `walk.json`) keep the
    ending.

    Args:
        jobs: All of the folder, not those of one shard.
        suffixed: Names get more behind them, as `walk_1` for the person 1.
    """
    stems = {job.name: _bare(job) for job in jobs}
    while True:
        shared = Counter(stem.casefold() for stem in stems.values())
        meeting = {
            name
            for name, stem in stems.items()
            if stem != name
            and (shared[stem.casefold()] > 1 or (suffixed and _begins_with(stem.casefold(), shared)))
        }
        if not meeting:
            return stems
        stems |= {name: name for name in meeting}


def _bare(job: Job) -> str:
    return job.name if job.kind == "frames" else job.name[: -len(job.path.suffix)]


def _begins_with(stem: str, others: Counter[str]) -> bool:
    """Whether one of the others, and `_`, begins a stem."""
    places = [found.start() for found in re.finditer("_", stem)]
    return any(stem[:place] in others for place in places)
