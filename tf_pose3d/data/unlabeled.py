"""Windows with poses, and windows of 2D poses alone that join them in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence as SequenceType
from typing import Any

import numpy as np
import tensorflow as tf

from tf_pose3d.data.datasets import Dataset, Log, get_pose_dataset, read_sequences
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.steps import epoch_steps
from tf_pose3d.data.window_spec import UnlabeledSpec, WindowSpec
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError

__all__ = ["SemiSupervisedWindows", "open_semi_supervised"]

# Added to the seed of the labelled windows: the order of the others is another one.
_SEED = 3087


class SemiSupervisedWindows(Windows):
    """Labelled windows whose training batches go on with as many unlabelled ones.

    Args:
        sequences: With poses.
        unlabeled: With 2D poses; 3D poses that they hold are not read.
        spec: How to cut both, with an `UnlabeledSpec`.
        seed, subjects, actions: See `Windows`.

    Raises:
        Pose3DError: As `Windows`; or unlabelled sequences without the cameras that are needed.
    """

    def __init__(
        self,
        sequences: SequenceType[Sequence],
        unlabeled: SequenceType[Sequence],
        spec: WindowSpec,
        seed: int = 0,
        subjects: SequenceType[str] | None = None,
        actions: SequenceType[str] | None = None,
    ) -> None:
        super().__init__(sequences, spec, seed, None, subjects, actions)
        if spec.unlabeled is None:
            raise Pose3DError("the spec names no unlabelled windows")
        self._joined: UnlabeledSpec = spec.unlabeled
        bare = [dataclasses.replace(sequence, pose_3d=None, per_frame={}) for sequence in unlabeled]
        if any(sequence.pose_2d is None for sequence in bare):
            raise Pose3DError(f"unlabelled {self._joined.subset}: there are no 2D poses to train on")
        self.unlabeled = Windows(
            bare,
            dataclasses.replace(spec, fraction=1.0, unlabeled=None, intrinsics_for=self._joined.need),
            seed + _SEED,
            None,
            subjects,
            actions,
        )

    def notes(self) -> list[str]:
        said = f"{len(self.unlabeled)} unlabelled windows of {self._joined.subset}"
        epochs = self._joined.warmup_epochs
        if epochs:
            said += f", from epoch {epochs + 1} on"
        return [*super().notes(), said, *(f"unlabelled: {note}" for note in self.unlabeled.notes())]

    def training_dataset(
        self,
        batch_size: int,
        first_step: int = 0,
        last_step: int | None = None,
        shards: int = 1,
        shard_ids: SequenceType[int] = (0,),
        drop: SequenceType[str] = (),
    ) -> tf.data.Dataset:
        """As `Windows.training_dataset`, with as many unlabelled windows behind the labelled ones.

        They are in `keypoints_2d`, which then has more rows than all else, and `unlabeled_intrinsics` `(U,
        11)` are their cameras. In the epochs of warming up U is 0.
        """
        asked = (batch_size, first_step, last_step, shards, shard_ids, drop)
        parts = [super().training_dataset(*asked), self.unlabeled.training_dataset(*asked)]
        warm = self._joined.warmup_epochs * epoch_steps(len(self), batch_size, self._joined.steps_per_epoch)
        first, turns = first_step * len(shard_ids), len(shard_ids)
        numbers = tf.data.Dataset.range(first, np.iinfo(np.int64).max)

        def join(
            number: tf.Tensor, labeled: dict[str, tf.Tensor], others: dict[str, tf.Tensor]
        ) -> dict[str, tf.Tensor]:
            rows = tf.where(number // turns >= warm, tf.shape(others["keypoints_2d"])[0], 0)
            keypoints = tf.concat([labeled["keypoints_2d"], others["keypoints_2d"][:rows]], axis=0)
            cameras = others["intrinsics"][:rows]
            return {**labeled, "keypoints_2d": keypoints, "unlabeled_intrinsics": cameras}

        return tf.data.Dataset.zip(numbers, *parts).map(join).prefetch(2)


def open_semi_supervised(
    dataset: str | Dataset,
    subset: str,
    options: Mapping[str, Any] | None,
    spec: WindowSpec,
    skeleton: str = "h36m_17",
    seed: int = 0,
    log: Log | None = None,
    input_skeleton: str | None = None,
) -> SemiSupervisedWindows:
    """Labelled windows of one part of a data set, and unlabelled ones of another.

    Args:
        dataset, subset, options, skeleton, seed, log, input_skeleton: As of
            `tf_pose3d.data.windows.open_windows`.
        spec: With an `UnlabeledSpec`, which names the other part.

    Raises:
        Pose3DError: As `open_windows` and `SemiSupervisedWindows`.
    """
    record = get_pose_dataset(dataset)
    options = record.complete(options)
    if spec.unlabeled is None:
        raise Pose3DError("the spec names no unlabelled windows")
    labeled = read_sequences(record, subset, options, skeleton, log, input_skeleton)
    read = record.read_unlabeled or record.read
    others = read(spec.unlabeled.subset, options, skeleton, input_skeleton or skeleton, log)
    subjects = [*record.subjects, *dict.fromkeys(one.subject for one in others)] if record.subjects else []
    subjects = list(dict.fromkeys(subjects))
    rate = options.get("frame_rate", record.frame_rate)
    spec = dataclasses.replace(spec, frame_rate=round(rate))
    return SemiSupervisedWindows(labeled, others, spec, seed, subjects or None, record.actions or None)
