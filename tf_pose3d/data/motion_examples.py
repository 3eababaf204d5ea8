"""Clips of a motion file as training and test examples of families that lift made-up views."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_pose3d.data.motion_clips import MotionClips, load_motion, require_motion
from tf_pose3d.data.motion_views import MotionSpec, MotionViews
from tf_pose3d.data.steps import step_dataset
from tf_pose3d.errors import Pose3DError

__all__ = ["MOTION_SUBSETS", "MotionExamples", "open_motion"]

MOTION_SUBSETS = ("train", "val", "test")
# Where nobody of the file is to be held out by name, every n-th clip is.
_EVERY = 10


@dataclasses.dataclass(frozen=True)
class MotionExamples:
    """Clips of one subset.

    Attributes:
        clips: The clips.
        spec: How training sees them.
        remarks: Lines that a user should know.
    """

    clips: MotionClips
    spec: MotionSpec
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Frames."""
        return len(self.clips.positions)

    @property
    def num_centres(self) -> int:
        """Frames."""
        return len(self)

    def notes(self) -> list[str]:
        """Lines about the data that the user should know."""
        return list(self.remarks)

    def training_dataset(
        self,
        batch_size: int,
        first_step: int = 0,
        last_step: int | None = None,
        shards: int = 1,
        shard_ids: Sequence[int] = (0,),
    ) -> tf.data.Dataset:
        """Training batches, see `MotionViews.batch`; each a function of the seed and its step alone."""
        views = MotionViews(self.clips, self.spec.views)
        names = ("keypoints_2d", "pose_3d", "intrinsics")
        local = batch_size // shards
        shapes = {name: values.shape[1:] for name, values in views.batch(1, 0).items()}

        def draw(number: np.ndarray) -> tuple[np.ndarray, ...]:
            batch = views.batch(local, int(number))
            return tuple(batch[name] for name in names)

        def make_batch(entries: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
            values = tf.numpy_function(draw, [number], [tf.float32] * len(names))
            batch = dict(zip(names, values, strict=True))
            for name, value in batch.items():
                value.set_shape((local, *shapes[name]))
            return batch

        def entries_of(step: tf.Tensor) -> tf.Tensor:
            return tf.range(batch_size, dtype=tf.int64)

        return step_dataset(
            make_batch, entries_of, batch_size, first_step, last_step, shards, shard_ids, parallel=1
        )


def open_motion(
    path: Path | None, subset: str, spec: MotionSpec, log: Callable[[str], None]
) -> MotionExamples:
    """A subset of a motion file or folder.

    Args:
        path: The file.
        subset: `train`: all but the people of HELD_OUT; `val`: these; `test`: everybody; or one subject.
            Where the file has nobody of HELD_OUT, or nobody else, every tenth clip is held out.
        spec: How it is seen.
        log: Takes a line for the user.

    Raises:
        Pose3DError: No file is named, or what `load_motion` finds wrong; an unknown subset; nothing is left.
    """
    clips = load_motion(require_motion(path), log)
    if subset == "test":
        return MotionExamples(clips, spec)
    if subset not in MOTION_SUBSETS:
        people = sorted(set(clips.subjects.tolist()))
        if subset not in people:
            there = ", ".join([*MOTION_SUBSETS, *people][:20])
            raise Pose3DError(f"{path} has no subset or subject {subset!r}; it has {there}")
        return MotionExamples(clips.select(clips.subjects == subset), spec)
    everybody = set(clips.subjects.tolist())
    known = sorted(set(spec.views.HELD_OUT) & everybody)
    if known and len(known) < len(everybody):
        rest, held = clips.split(known, str(path))
        remarks: tuple[str, ...] = (f"held out: {', '.join(known)}",)
    else:
        if len(clips) < 2:
            raise Pose3DError(
                f"{path} holds a single clip, expected two or more: one is held out for validation"
            )
        every = np.arange(len(clips)) % _EVERY == min(_EVERY, len(clips)) - 1
        rest, held = clips.select(~every), clips.select(every)
        who = "everybody" if known else "nobody"
        remarks = (f"held out: {int(every.sum())} of {len(clips)} clips, as HELD_OUT names {who} of {path}",)
    return MotionExamples(rest if subset == "train" else held, spec, remarks if subset == "train" else ())
