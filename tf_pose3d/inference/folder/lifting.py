"""`tf_pose3d.lift_folder`: a folder run from Python."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.inference.folder.jobs import Shard
from tf_pose3d.inference.folder.run import FILE_TIMEOUT, FolderResult, run_folder
from tf_pose3d.inference.folder.task import Assignment, Work, file_mark
from tf_pose3d.inference.lifter import load
from tf_pose3d.inference.people import choose_people, file_suffixes
from tf_pose3d.inference.reading import read_keypoints
from tf_pose3d.inference.writers import check_motion_file

__all__ = ["lift_folder"]


def lift_folder(
    folder: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] = "general",
    config: str | os.PathLike[str] | None = None,
    arch: str | None = None,
    formats: Sequence[str] = (".npz",),
    people: str = "largest",
    layout: str | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    min_confidence: float = 0.3,
    max_gap: int = 10,
    normalization: str = "frame",
    repair_sides: bool | None = None,
    workers: int | None = None,
    threads: int = 1,
    shard: str | None = None,
    engine: str = "processes",
    file_timeout: float | None = FILE_TIMEOUT,
    log: Callable[[str], None] = print,
) -> FolderResult:
    """Lifts every video, keypoint file and folder of frames in a folder, as `inference.py --output_dir` does.

        result = tf_pose3d.lift_folder("videos", "poses", workers=2)
        print(result.done, result.failed)

    A second call goes on where the first one ended; `output_dir/manifest.jsonl` says what became of each
    file. Files that cannot be lifted are in the result and stop nothing. Workers are processes of their own,
    which import neither the caller's script nor its notebook.

    Args:
        folder: The folder, or a single file.
        output_dir: Gets a file for each input and format, under the input's path.
        weights, config, arch, min_confidence, max_gap, normalization, repair_sides: As of `tf_pose3d.load`.
        formats: Endings of `LiftedPerson.save`.
        people: Whom to lift: `"largest"`, `"confident"`, `"all"` (a file for each), or the id of one.
        layout, width, height, fps: As of `tf_pose3d.read_keypoints`, for all files.
        workers: Lifters at a time; None: as many as there are cores for.
        threads: Of each lifter; the last digits of results depend on it.
        shard: `"3/16"`: the third of sixteen parts; the others are other calls'. None: everything.
        engine: `"processes"`, or `"ray"`: actors of a Ray cluster.
        file_timeout: Seconds without a step after which a file counts as failed; None: it is waited for.
        log: Takes lines of what is done, and of what failed.

    Raises:
        Pose3DError: Nothing to lift, arguments that make no sense, a folder that another run is in, a full
            disk, or weights that cannot be loaded.
    """
    if isinstance(formats, str) or not formats:
        raise Pose3DError(f"formats is {formats!r}, expected endings, e.g. ['.npz', '.bvh']")
    endings = tuple(f".{ending.lower().lstrip('.')}" for ending in formats)
    for ending in endings:
        check_motion_file(f"x{ending}")
    task = LifterTask(
        model={
            "weights": os.fspath(weights),
            "config": None if config is None else os.fspath(config),
            "arch": arch,
        },
        lifter={
            "min_confidence": min_confidence,
            "max_gap": max_gap,
            "normalization": normalization,
            "repair_sides": repair_sides,
        },
        facts={"layout": layout, "width": width, "height": height, "fps": fps},
        people=people,
        endings=endings,
        folder=os.getcwd(),
        marks={"weights": file_mark(resolve_weights(weights)), "config": file_mark(config)},
    )
    return run_folder(
        task,
        folder,
        output_dir,
        workers=workers,
        threads=threads,
        shard=None if shard is None else Shard.parse(shard),
        engine=engine,
        file_timeout=file_timeout,
        log=log,
        warn=log,
    )


@dataclasses.dataclass(frozen=True)
class LifterTask:
    """Makes a `Lifter` in a worker.

    Attributes:
        model: Arguments of `load` that say which.
        lifter: Those that say how.
        facts: Arguments of `read_keypoints`.
        people: Whom to lift.
        endings: Of the results.
        folder: Where relative paths begin.
        marks: What the files of weights and config hold.
    """

    model: dict[str, Any]
    lifter: dict[str, Any]
    facts: dict[str, Any]
    people: str
    endings: tuple[str, ...]
    folder: str
    marks: dict[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """What the results depend on."""
        chosen = {"formats": list(self.endings), "people": self.people}
        return {"arch": self.model["arch"], **self.marks, **self.lifter, **self.facts, **chosen}

    @property
    def suffixed(self) -> bool:
        """Whether each person has a file."""
        return self.people == "all"

    def start(self) -> Work:
        os.chdir(self.folder)
        lifter = load(**self.model, **self.lifter)

        def work(assignment: Assignment) -> dict[str, Any]:
            video = read_keypoints(assignment.path, **self.facts, show_progress=True)
            lifter.begin_anew()
            if self.people == "all":
                suffixes = file_suffixes(choose_people(video, "all"))
                lifted = lifter.lift_all(video, show_progress=True)
            else:
                suffixes = [""]
                lifted = [lifter.lift(video, people=self.people, show_progress=True)]
            stem = Path(assignment.folder) / assignment.stem
            for person, suffix in zip(lifted, suffixes, strict=True):
                for ending in self.endings:
                    person.save(f"{stem}{suffix}{ending}")
            warnings = dict.fromkeys(message for person in lifted for message in person.warnings)
            return {
                "frames": video.num_frames,
                "people": len(lifted),
                "notes": list(video.notes),
                "warnings": list(warnings),
            }

        return work
