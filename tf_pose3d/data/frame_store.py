"""All frames of a list of sequences in one array per quantity, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence as SequenceType

import numpy as np

from tf_pose3d.camera import Camera, normalize_screen_coordinates
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError

__all__ = ["FrameStore"]


class FrameStore:
    """All frames of a list of sequences, end to end, and where each sequence lies.

    Args:
        sequences: At least one; all of one skeleton, and each with the same quantities.
        mirrored: Also keep every frame's mirror image (joints swapped, x negated), in rows behind the
            originals, so that mirroring is an index, too.
        zeros: Keep one row of zeros at the end, for `"zeros"` padding.
        frame_rate: Hz that the sequences' rates are multiples of.
        subjects, actions: Name lists that fix the ids; by default those present, in order.
        channels: Numbers of a 2D joint to keep, the first of those that the sequences hold.
        fill_confidence: Where they hold x and y alone and three are to be kept, the third is 1.

    Attributes:
        arrays: Name -> `(rows, ...)` float32: `keypoints_2d` normalised screen coordinates `(J,
            channels)`, `pose_3d` metres `(J, 3)` (camera or world frame), and the sequences' `per_frame`.
        num_frames: Frames F over all sequences; row F + i is the mirror image of row i.
        skeleton, input_skeleton: Joint layouts of `pose_3d` and of `keypoints_2d`.
        zero_row: Index of the row of zeros, or None.
        offsets, lengths, multiples: `(S,)` first row, frames, and frame rate over `frame_rate`.
        intrinsics: `(S, 11)` normalised intrinsics, NaN where they are unknown.
        subjects, actions: Distinct names; `subject_ids`, `action_ids` `(S,)` point into them.
        names, camera_ids: `(S,)` the recording's full name and its camera's id (empty: none).

    Raises:
        Pose3DError: No sequences, mixed skeletons or frames, 2D poses without image size or with fewer
            numbers a joint than are read, or a frame rate that is no multiple of `frame_rate`.
    """

    def __init__(
        self,
        sequences: SequenceType[Sequence],
        mirrored: bool = False,
        zeros: bool = False,
        frame_rate: int = 50,
        subjects: SequenceType[str] | None = None,
        actions: SequenceType[str] | None = None,
        channels: int = 2,
        fill_confidence: bool = False,
    ) -> None:
        if not sequences:
            raise Pose3DError("no sequences to cut windows from")
        first = sequences[0]
        self.skeleton = first.skeleton
        self.input_skeleton = first.input_skeleton
        self.world_frame = first.world_frame
        self.lengths = np.array([sequence.num_frames for sequence in sequences], np.int32)
        self.offsets = (np.cumsum(self.lengths, dtype=np.int64) - self.lengths).astype(np.int32)
        self.num_frames = int(self.lengths.sum())
        self.multiples = np.array([_multiple(sequence, frame_rate) for sequence in sequences], np.int32)
        self.subjects = list(subjects or dict.fromkeys(s.subject for s in sequences))
        self.actions = list(actions or dict.fromkeys(s.action for s in sequences))
        self.subject_ids = np.array([self.subjects.index(s.subject) for s in sequences], np.int32)
        self.action_ids = np.array([self.actions.index(s.action) for s in sequences], np.int32)
        self.names = [s.name for s in sequences]
        self.camera_ids = [s.camera.id if s.camera is not None else "" for s in sequences]
        self.intrinsics = np.stack([_intrinsics(sequence.camera) for sequence in sequences])
        self.mirrored = mirrored
        rows = self.num_frames * (2 if mirrored else 1)
        self.zero_row = rows if zeros else None
        rows += int(zeros)

        # Whether confidences had to be supposed.
        self.confidence_filled = (
            fill_confidence
            and channels == 3
            and any(s.pose_2d is not None and s.pose_2d.shape[2] == 2 for s in sequences)
        )
        keys = _quantities(first, channels, fill_confidence)
        self.arrays = {name: _aligned((rows, *values.shape[1:])) for name, values in keys.items()}
        for sequence, offset in zip(sequences, self.offsets, strict=True):
            same = sequence.skeleton == first.skeleton and sequence.input_skeleton == first.input_skeleton
            if not same or sequence.world_frame != first.world_frame:
                raise Pose3DError(f"{sequence.label}: another joint layout or frame than {first.label}")
            values = _quantities(sequence, channels, fill_confidence)
            if {k: v.shape[1:] for k, v in values.items()} != {k: v.shape[1:] for k, v in keys.items()}:
                raise Pose3DError(f"{sequence.label}: holds other quantities than {first.label}")
            for name, frames in values.items():
                part = self.arrays[name][offset : offset + len(frames)]
                part[...] = frames
                if name == "keypoints_2d":
                    width, height = _image_size(sequence)
                    part[..., :2] = normalize_screen_coordinates(frames[..., :2], width, height)
        if mirrored:
            flips = {
                "keypoints_2d": list(self.input_skeleton.flip_order),
                "pose_3d": list(self.skeleton.flip_order),
                "pose_image": list(self.skeleton.flip_order),
            }
            for name, array in self.arrays.items():
                original = array[: self.num_frames]
                image = array[self.num_frames : 2 * self.num_frames]
                if name in flips:
                    # Any mode but the default, which would buffer the whole output.
                    np.take(original, flips[name], axis=1, out=image, mode="clip")
                    image[..., 0] *= -1
                else:
                    image[...] = original
        if zeros:
            for array in self.arrays.values():
                array[-1] = 0


def _multiple(sequence: Sequence, frame_rate: int) -> int:
    multiple = round(sequence.fps / frame_rate)
    if multiple < 1 or multiple * frame_rate != sequence.fps:
        raise Pose3DError(
            f"{sequence.label}: {sequence.fps:g} frames per second, expected a multiple of {frame_rate}"
        )
    return multiple


def _intrinsics(camera: Camera | None) -> np.ndarray:
    if camera is None or not camera.has_intrinsics:
        return np.full(11, np.nan, np.float32)
    return camera.intrinsics()


def _image_size(sequence: Sequence) -> tuple[int, int]:
    """Width and height in pixels."""
    if sequence.camera is None:
        raise Pose3DError(f"{sequence.label}: 2D poses without the image size that normalises them")
    return sequence.camera.width, sequence.camera.height


def _quantities(sequence: Sequence, channels: int, fill_confidence: bool) -> dict[str, np.ndarray]:
    """What goes into the store, before normalisation."""
    quantities = {}
    pose_2d = sequence.pose_2d
    held = 2 if pose_2d is None else pose_2d.shape[2]
    if held < channels and fill_confidence and pose_2d is not None:
        pose_2d = np.concatenate(
            [pose_2d, np.ones((*pose_2d.shape[:2], channels - held), np.float32)], axis=2
        )
    elif held < channels:
        raise Pose3DError(
            f"{sequence.label}: its 2D poses hold {held} numbers a joint, the model reads {channels}: x, y "
            "and a confidence (for LCN, IN_F or --in-F says how many)"
        )
    if pose_2d is not None:
        quantities["keypoints_2d"] = pose_2d[..., :channels]
    if sequence.pose_3d is not None:
        quantities["pose_3d"] = sequence.pose_3d
    return {**quantities, **sequence.per_frame}


# TensorFlow's kernels expect tensors to begin at such addresses.
_ALIGNMENT = 64


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 array that `_share` can turn into a tensor without a copy."""
    size = 4 * int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)
