"""Windows over sequences: index arithmetic and one gather per batch.

All sequences lie end to end in one array per quantity (`FrameStore`). A window is a row of integers
into it, made on the fly for a batch of window indices, so that memory stays O(frames). Everything that
is random is a pure function of (seed, step): a run that starts at step k sees exactly what an
uninterrupted one sees there.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceType
from typing import Any

import numpy as np
import tensorflow as tf

from tf_pose3d.camera import Camera
from tf_pose3d.data.clips import clip_frames, clip_notes
from tf_pose3d.data.datasets import Dataset, Log, get_pose_dataset, read_sequences
from tf_pose3d.data.fractions import take_fraction
from tf_pose3d.data.frame_store import FrameStore
from tf_pose3d.data.keypoint_clips import FurtherExamples, open_keypoint_clips
from tf_pose3d.data.keypoint_noise import synthetic_keypoints
from tf_pose3d.data.projection import project, world_to_camera
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.steps import shuffled_entries, step_dataset
from tf_pose3d.data.window_rows import token_positions
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError

__all__ = ["FrameStore", "Windows", "open_windows"]

# Streams of random numbers, so that no two draws of a step share a key.
_SHUFFLE, _MASK_STRIDE, _MASK_SHIFT, _CAMERA, _MIRROR, _NOISE = range(6)

# Which of the 11 intrinsics change sign in a mirrored image: centre x and the first tangential
# coefficient, as in the Uplift and EHFusion releases.
_MIRRORED_INTRINSICS = np.ones(11, np.float32)
_MIRRORED_INTRINSICS[[4, 9]] = -1


class Windows:
    """Every window of a set of sequences, by number.

    Windows are numbered sequence by sequence, centre by centre; with `mirror="entries"` the mirrored
    ones follow in the upper half. `len()` counts what an epoch holds, mirror images included.

    Args:
        sequences: What to cut. 3D poses in the world frame need `cameras`.
        spec: How to cut.
        seed: Of every random draw.
        cameras: Cameras to draw from per window, for sequences in the world frame.
        subjects, actions: Name lists that fix the ids in the batches; by default those present.

    Raises:
        Pose3DError: As `FrameStore`; no frame to predict; no cameras for poses in the world; or no intrinsics
            of a camera where the spec needs them.
    """

    def __init__(
        self,
        sequences: SequenceType[Sequence],
        spec: WindowSpec,
        seed: int = 0,
        cameras: SequenceType[Camera] | None = None,
        subjects: SequenceType[str] | None = None,
        actions: SequenceType[str] | None = None,
    ) -> None:
        self.spec = spec
        self.seed = seed
        if spec.fraction < 1:
            sequences = [take_fraction(sequence, spec.fraction, spec.stride) for sequence in sequences]
        self.store = FrameStore(
            sequences,
            mirrored=spec.mirror != "none",
            zeros=spec.padding == "zeros",
            frame_rate=spec.frame_rate,
            subjects=subjects,
            actions=actions,
            channels=spec.channels,
            fill_confidence=spec.fill_confidence,
        )
        centres = -(-self.store.lengths.astype(np.int64) // spec.step)
        self._clips: np.ndarray | None = None
        if spec.clip_stride is not None:
            strides = spec.stride * self.store.multiples
            lengths = -(-self.store.lengths // strides)
            frames, video = clip_frames(lengths, spec.length, spec.clip_stride, spec.clip_tail)
            frames = frames * strides[video][:, None]
            self._clips = (frames + self.store.offsets[video][:, None]).astype(np.int32)
            centres = np.bincount(video, minlength=len(self.store.lengths))
        self._first_window = np.concatenate([[0], np.cumsum(centres)])
        self.num_centres = int(self._first_window[-1])
        if not self.num_centres:
            raise Pose3DError("every sequence is empty: no frame to predict")
        self.num_entries = self.num_centres * (2 if spec.mirror == "entries" else 1)
        self.cameras = None
        if self.store.world_frame:
            if not cameras:
                raise Pose3DError("poses in the world frame need cameras to be seen by")
            self.cameras = np.stack([np.concatenate([c.extrinsics(), c.intrinsics()]) for c in cameras])
        self._require_intrinsics()
        self._tensors: dict[str, tf.Tensor] | None = None
        # Examples of another kind that each epoch begins with.
        self.further: list[FurtherExamples] = []

    def _require_intrinsics(self) -> None:
        reason = self.spec.intrinsics_for
        if reason is None or self.cameras is not None:
            return
        known = np.isfinite(self.store.intrinsics[:, 2:6]).all(axis=1)
        if not known.all():
            name = self.store.names[int(np.argmin(known))]
            raise Pose3DError(
                f"{int((~known).sum())} of {len(known)} sequences have no camera intrinsics, {name} among "
                f"them: {reason}"
            )

    def with_mask_strides(self, mask_strides: tuple[int, ...] | None) -> Windows:
        """The same windows over the same arrays with another s_in."""
        other = copy.copy(self)
        other.spec = dataclasses.replace(self.spec, mask_strides=mask_strides)
        return other

    def __len__(self) -> int:
        return self.num_entries * (2 if self.spec.mirror == "in_batch" else 1)

    def centre_frames(self, indices: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(sequence number, frame number in its video) of windows; of all centres when None."""
        indices = np.arange(self.num_centres) if indices is None else np.asarray(indices) % self.num_centres
        sequence = np.searchsorted(self._first_window, indices, side="right") - 1
        if self._clips is not None:
            middle = self._clips[indices, self.spec.length // 2]
            return sequence, middle - self.store.offsets[sequence]
        return sequence, (indices - self._first_window[sequence]) * self.spec.step

    def by_video(self, indices: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Windows sorted by their video and, at a stride of k frames, by which of its k phases they lie in.

        Args:
            indices: `(n,)` window numbers.

        Yields:
            The video's number; the phase, its first frame; positions `(m,)` in `indices`; and the places
            `(m,)` of these windows among the phase's frames.
        """
        sequence, frame = self.centre_frames(indices)
        # One sort for all: looking each video up would be quadratic in their number.
        order = np.argsort(sequence, kind="stable")
        ends = np.flatnonzero(np.diff(sequence[order])) + 1
        for mine in np.split(order, ends) if len(order) else []:
            video = int(sequence[mine[0]])
            stride = self.spec.stride * int(self.store.multiples[video])
            phase = frame[mine] % stride
            for first in np.unique(phase):
                those = mine[phase == first]
                yield video, int(first), those, frame[those] // stride

    def notes(self) -> list[str]:
        """Lines about the data that the user should know, such as videos shorter than a window."""
        said = ["2D poses without confidences: taken as 1"] if self.store.confidence_filled else []
        said += [note for held in self.further for note in held.examples.notes()]
        if self._clips is not None:
            return [*said, *clip_notes(self.store.lengths, self.spec.length, self.spec.clip_tail)]
        frames = -(-self.store.lengths // (self.spec.stride * self.store.multiples))
        short = int((frames < self.spec.length).sum())
        if not short:
            return said
        filled = "their first and last frames are repeated"
        if self.spec.padding == "zeros":
            filled = "zeros stand for the frames that are missing"
        return [
            *said,
            f"{short} of {len(frames)} sequences are shorter than the window of {self.spec.length} frames: "
            f"{filled}",
        ]

    def _constants(self) -> dict[str, tf.Tensor]:
        """The store as tensors, made once and outside any graph."""
        if self._tensors is None:
            with tf.init_scope(), tf.device("CPU:0"):
                constants = {name: _share(array) for name, array in self.store.arrays.items()}
                tables = {
                    "first_window": self._first_window.astype(np.int64),
                    "offset": self.store.offsets,
                    "length": self.store.lengths,
                    "multiple": self.store.multiples,
                    "subject": self.store.subject_ids,
                    "action": self.store.action_ids,
                    "intrinsics": self.store.intrinsics,
                }
                if self._clips is not None:
                    tables["clips"] = self._clips
                if self.cameras is not None:
                    tables["cameras"] = self.cameras
                constants.update({f"table/{name}": tf.constant(table) for name, table in tables.items()})
            self._tensors = constants
        return self._tensors

    def rows(self, indices: tf.Tensor, step: tf.Tensor | int = 0) -> dict[str, tf.Tensor]:
        """The index arithmetic of a batch.

        Args:
            indices: `(B,)` int64 window indices.
            step: Keys the random draws.

        Returns:
            Dict of `rows (B, N)` int32 into the store, `pad_mask (B, N)` float32 (0 on padding),
            `stride_mask (B, N)` bool (with `mask_strides`), `mirrored (B,)` bool, and `sequence`,
            `frame` `(B,)` int32.
        """
        spec, tables = self.spec, self._constants()
        indices = tf.cast(indices, tf.int64)
        mirrored = indices >= self.num_centres
        centre = indices % self.num_centres
        sequence = tf.searchsorted(tables["table/first_window"], centre, side="right") - 1
        if self._clips is not None:
            return self._clip_rows(centre, mirrored, sequence, step)
        frame = tf.cast(centre - tf.gather(tables["table/first_window"], sequence), tf.int32) * spec.step
        length = tf.gather(tables["table/length"], sequence)[:, None]
        multiple = tf.gather(tables["table/multiple"], sequence)[:, None]
        stride = spec.stride * multiple

        token = tf.range(spec.length)[None, :]
        position, inside = token_positions(spec, frame[:, None], length, stride, token, tf)
        rows = tf.gather(tables["table/offset"], sequence)[:, None] + position
        result = {}
        if spec.mask_strides is not None:
            mask_stride = self._draw_mask_stride(tf.shape(indices)[0], step) * multiple
            offset = (token - spec.target_token) * stride
            if spec.align_mask:
                offset = offset + frame[:, None]
            elif spec.shift_mask:
                offset = offset + self._draw_shift(mask_stride // stride, step) * stride
            result["stride_mask"] = offset % mask_stride == 0
        rows = tf.where(mirrored[:, None], rows + self.store.num_frames, rows)
        if self.store.zero_row is not None:
            rows = tf.where(inside, rows, self.store.zero_row)
        return {
            **result,
            "rows": rows,
            "pad_mask": tf.cast(inside, tf.float32),
            "mirrored": mirrored,
            "sequence": sequence,
            "frame": frame,
        }

    def _clip_rows(
        self, clip: tf.Tensor, mirrored: tf.Tensor, sequence: tf.Tensor, step: tf.Tensor | int
    ) -> dict[str, tf.Tensor]:
        """`rows` of clips."""
        rows = tf.gather(self._constants()["table/clips"], clip)
        if self.spec.mirror == "random":
            mirrored = tf.random.stateless_uniform(tf.shape(clip), self._key(_MIRROR, step)) < 0.5
        middle = rows[:, self.spec.length // 2] - tf.gather(self._constants()["table/offset"], sequence)
        return {
            "rows": tf.where(mirrored[:, None], rows + self.store.num_frames, rows),
            "pad_mask": tf.ones_like(rows, tf.float32),
            "mirrored": mirrored,
            "sequence": sequence,
            "frame": middle,
        }

    def _key(self, stream: int, step: tf.Tensor | int) -> tf.Tensor:
        return tf.stack([tf.constant(self.seed * 8 + stream, tf.int64), tf.cast(step, tf.int64)])

    def _draw_mask_stride(self, count: tf.Tensor, step: tf.Tensor | int) -> tf.Tensor:
        """`(count, 1)` s_in of each window."""
        held = self.spec.mask_strides or (self.spec.stride,)
        strides = tf.constant(held, tf.int32)
        if len(held) == 1:
            return tf.fill([count, 1], strides[0])
        choice = tf.random.stateless_uniform(
            [count, 1], self._key(_MASK_STRIDE, step), 0, len(held), tf.int32
        )
        return tf.gather(strides, choice)

    def _draw_shift(self, tokens: tf.Tensor, step: tf.Tensor | int) -> tf.Tensor:
        """`(count, 1)` shift in tokens: uniform over the `tokens` values around 0."""
        draw = tf.random.stateless_uniform(tf.shape(tokens), self._key(_MASK_SHIFT, step))
        shift = tf.cast(tf.floor(draw * tf.cast(tokens, tf.float32)), tf.int32)
        # The smallest shift is -ceil((tokens - 1) / 2), as the release draws it.
        return shift - tokens // 2

    def batch(self, indices: tf.Tensor, step: tf.Tensor | int = 0) -> dict[str, tf.Tensor]:
        """The batch dict of some windows.

        Args:
            indices: `(B,)` window indices. With `mirror="in_batch"` 2 B windows come out, each
                followed by its mirror image.
            step: Keys the random draws (mask stride, mask shift, camera).

        Returns:
            Dict with, as far as the sequences hold them: `keypoints_2d (B, N, J, 2)` normalised,
            `pose_3d (B, N, J, 3)` metres in the camera frame, `pad_mask (B, N)`, `stride_mask (B, N)`
            bool, `intrinsics (B, 11)`, `extrinsics (B, 7)` for drawn cameras, `subject`, `action`,
            `sequence`, `frame` `(B,)` int32, further per-frame quantities `(B, N, ...)`; and with
            `pack_visible` `visible_rows (M,)` (which of the B * N frames have a 2D pose) and
            `visible_lookup (B, N)` (where each frame is among those M; M where it has none).
        """
        tables = self._constants()
        index = self.rows(indices, step)
        rows, mirrored = index.pop("rows"), index.pop("mirrored")
        sequence = index.pop("sequence")
        batch = {
            **index,
            "sequence": tf.cast(sequence, tf.int32),
            "subject": tf.gather(tables["table/subject"], sequence),
            "action": tf.gather(tables["table/action"], sequence),
        }
        if self.cameras is None:
            batch["intrinsics"] = tf.gather(tables["table/intrinsics"], sequence)
        else:
            choice = tf.random.stateless_uniform(
                tf.shape(indices), self._key(_CAMERA, step), 0, len(self.cameras), tf.int32
            )
            cameras = tf.gather(tables["table/cameras"], choice)
            batch["extrinsics"], batch["intrinsics"] = cameras[:, :7], cameras[:, 7:]
        if self.spec.mirror == "in_batch":
            batch = {name: tf.repeat(values, 2, axis=0) for name, values in batch.items()}
            rows = _interleave(rows, rows + self.store.num_frames)
            mirrored = tf.equal(tf.range(tf.shape(rows)[0]) % 2, 1)
            if self.store.zero_row is not None:
                rows = tf.where(batch["pad_mask"] > 0, rows, self.store.zero_row)
        for name in self.store.arrays:
            batch[name] = tf.gather(tables[name], rows)
        if self.cameras is not None:
            # The release mirrors the world, not the camera: intrinsics keep their signs.
            batch["pose_3d"] = world_to_camera(batch["pose_3d"], batch["extrinsics"])
            batch["keypoints_2d"] = project(batch["pose_3d"], batch["intrinsics"])
        else:
            signs = tf.where(mirrored[:, None], tf.constant(_MIRRORED_INTRINSICS), 1.0)
            batch["intrinsics"] = batch["intrinsics"] * signs
        if self.spec.pack_visible:
            batch.update(pack_visible(batch["stride_mask"]))
        return batch

    def _with_noise(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        """A training batch with the keypoints that pre-training reads, where the spec asks for them."""
        spec = self.spec
        if not (spec.synthetic_2d or spec.noise or spec.mask_joints or spec.mask_frames):
            return batch
        pose = batch.get("pose_image") if spec.synthetic_2d else None
        if spec.synthetic_2d and pose is None:
            raise Pose3DError(
                "SYNTHETIC_2D makes keypoints of the image's poses, which these data do not hold"
            )
        made = synthetic_keypoints(
            batch["keypoints_2d"],
            pose,
            self._key(_NOISE, step),
            spec.noise,
            spec.mask_joints,
            spec.mask_frames,
        )
        return {**batch, "keypoints_2d": made}

    def shuffled(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """`(batch_size,)` entries of training step `step`.

        Steps run through pass after pass over all entries, each in an order of its own. The order is
        a keyed permutation computed per index, so nothing is stored and any step can be asked for.
        """
        return shuffled_entries(self.seed * 8 + _SHUFFLE, step, batch_size, self.num_entries)

    def training_dataset(
        self,
        batch_size: int,
        first_step: int = 0,
        last_step: int | None = None,
        shards: int = 1,
        shard_ids: SequenceType[int] = (0,),
        drop: SequenceType[str] = (),
    ) -> tf.data.Dataset:
        """Endless shuffled batches, beginning at any step.

        Args:
            batch_size: Windows per step over all shards, mirror images included.
            first_step, last_step: First step to give and the one to stop before (None: never).
            shards: Over how many replicas each step's batch is spread.
            shard_ids: The replicas that this dataset feeds; it gives their shares in turn.
            drop: Keys of the batch dict that are not wanted.

        Raises:
            Pose3DError: If the batch cannot be split so.
        """
        share = 2 if self.spec.mirror == "in_batch" else 1
        if batch_size % (shards * share):
            raise Pose3DError(
                f"BATCH_SIZE {batch_size} is not a multiple of {shards * share} "
                f"({shards} replicas{', each window with its mirror image' if share == 2 else ''})"
            )
        entries = batch_size // share
        self._constants()

        def make(indices: tf.Tensor, key: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = self._with_noise(self.batch(indices, key), key)
            return {name: values for name, values in batch.items() if name not in drop}

        return step_dataset(
            make,
            lambda step: self.shuffled(step, entries),
            entries,
            first_step,
            last_step,
            shards,
            shard_ids,
        )

    def ordered_batches(
        self, batch_size: int, count: int | None = None, drop: SequenceType[str] = ()
    ) -> tf.data.Dataset:
        """Batches over the centres in order, each once; the last may be smaller.

        Args:
            batch_size: Windows per batch.
            count: Stop after this many windows; None: all.
            drop: Keys of the batch dict that are not wanted.
        """
        count = self.num_centres if count is None else min(count, self.num_centres)
        self._constants()

        def make(first: tf.Tensor) -> dict[str, tf.Tensor]:
            windows = tf.range(first, tf.minimum(first + batch_size, count))
            batch = self.batch(windows, first // batch_size)
            return {name: values for name, values in batch.items() if name not in drop}

        dataset = tf.data.Dataset.range(0, count, batch_size)
        return dataset.map(make, num_parallel_calls=2, deterministic=True).prefetch(2)


def open_windows(
    dataset: str | Dataset,
    subset: str,
    options: Mapping[str, Any] | None,
    spec: WindowSpec,
    skeleton: str = "h36m_17",
    seed: int = 0,
    log: Log | None = None,
    input_skeleton: str | None = None,
) -> Windows:
    """Windows over a part of a data set.

    Args:
        dataset: A name of `tf_pose3d.data.datasets.DATASETS`, or the record.
        subset, options, skeleton, log, input_skeleton: See `read_sequences`.
        spec: How to cut; the data set says the frame rate.
        seed: Of every random draw.

    Raises:
        Pose3DError: As `read_sequences` and `Windows`.
    """
    record = get_pose_dataset(dataset)
    options = record.complete(options)
    rate = options.get("frame_rate", record.frame_rate)
    windows = Windows(
        read_sequences(record, subset, options, skeleton, log, input_skeleton),
        dataclasses.replace(spec, frame_rate=round(rate)),
        seed,
        cameras=record.cameras or None,
        subjects=record.subjects or None,
        actions=record.actions or None,
    )
    windows.further = open_keypoint_clips(spec, seed)
    return windows


def _share(array: np.ndarray) -> tf.Tensor:
    """A tensor over the array's own memory; `tf.constant` would hold two more copies for a while."""
    if array.size == 0:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _interleave(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.stack([first, second], axis=1), [-1, first.shape[1]])


def pack_visible(stride_mask: tf.Tensor) -> dict[str, tf.Tensor]:
    """Where the visible frames of a batch are, so that hidden ones cost nothing.

    Args:
        stride_mask: `(B, N)` bool.

    Returns:
        `visible_rows (M,)` int32: rows of the folded `(B * N)` frames that are visible;
        `visible_lookup (B, N)` int32: each frame's place among them, M for hidden frames.
    """
    flat = tf.reshape(stride_mask, [-1])
    rows = tf.cast(tf.where(flat)[:, 0], tf.int32)
    place = tf.cumsum(tf.cast(flat, tf.int32)) - 1
    lookup = tf.where(flat, place, tf.shape(rows)[0])
    return {"visible_rows": rows, "visible_lookup": tf.reshape(lookup, tf.shape(stride_mask))}
