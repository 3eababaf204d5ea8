"""How sequences are cut into windows, said without TensorFlow: families give it under every backend."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf_pose3d.errors import Pose3DError

__all__ = ["KeypointSource", "UnlabeledSpec", "WindowSpec"]


@dataclasses.dataclass(frozen=True)
class UnlabeledSpec:
    """Windows of 2D poses alone that join the training batches.

    Attributes:
        subset: Of the same data set.
        warmup_epochs: First epochs without them.
        steps_per_epoch: Training steps an epoch; None: as many as go once through the labelled windows.
        need: Why their cameras must be known, for a message; None: they need not.
    """

    subset: str
    warmup_epochs: int = 0
    steps_per_epoch: int | None = None
    need: str | None = None


@dataclasses.dataclass(frozen=True)
class KeypointSource:
    """Clips of 2D poses alone that come before the windows in each epoch from one on.

    Attributes:
        kind: `"posetrack"` or `"instavariety"`.
        path: Their folder.
        first_epoch: Counted from 1.
        noise: Whether the spec's noise is added to them.
        crop: Whether they are cropped anew each time; others come cropped.
    """

    kind: str
    path: str
    first_epoch: int
    noise: bool
    crop: bool


@dataclasses.dataclass(frozen=True)
class WindowSpec:
    """How sequences are cut into windows.

    Attributes:
        length: Tokens N in a window; 1 for single-frame families.
        stride: Frames between tokens, at `frame_rate`.
        step: Every n-th frame is the centre of a window.
        padding: Past a video's ends: `"copy"` repeats the first (last) sample that the window's own
            stride hits inside the video; `"zeros"` gives zeros.
        mask_strides: Frames between 2D poses (s_in), multiples of `stride`; several are drawn from
            per window; None: every token has its pose.
        align_mask: True aligns the mask with the video's frame numbers, False with the window's centre.
        shift_mask: Move the mask at random by a multiple of `stride`, at most half of s_in.
        mirror: `"none"`; `"entries"`: mirrored windows are entries of their own; `"in_batch"`: each
            window is followed by its mirror image; `"random"`: half of the windows are mirrored, other ones
            each time.
        frame_rate: Hz; a sequence of n times that rate has all its strides multiplied by n.
        pack_visible: Also give `visible_rows` and `visible_lookup` (see `Windows.batch`).
        causal: True: a window ends at its frame; False: it lies around it.
        fraction: Share of each sequence's frames to use, see `take_fraction`.
        channels: Numbers of a 2D joint that are read: x, y, and with 3 a confidence.
        clip_stride: Frames from the first frame of a clip to that of the next, see `tf_pose3d.data.clips`;
            None: a window lies round each centre.
        clip_tail: What becomes of frames behind a video's last whole clip: `"drop"`, `"shift"`, `"pad"` or
            `"resample"`.
        synthetic_2d: Training keypoints are x and y of the image's poses, with confidence 1.
        noise: Training keypoints have a detector's errors, see `tf_pose3d.data.keypoint_noise`.
        mask_joints, mask_frames: Shares of training keypoints, and of whole frames, that are set to 0.
        fill_confidence: 2D poses without a confidence, where one is read, have the confidence 1; False:
            they are refused.
        image_poses: Data with poses of the image alone will do, without any in metres.
        videos_only: Only data sets that cameras recorded as videos will do.
        intrinsics_for: Why sequences need their cameras' intrinsics, for a message; None: they do not.
        unlabeled: Windows of 2D poses alone that join the training batches, see `UnlabeledSpec`; None: none.
        keypoint_sources: Clips of 2D poses alone to train on, too.
        options: What a data set's reader is told, as far as it takes it, e.g. `mode` of LCN's pickles.
    """

    length: int = 1
    stride: int = 1
    step: int = 1
    padding: str = "copy"
    mask_strides: tuple[int, ...] | None = None
    align_mask: bool = False
    shift_mask: bool = False
    mirror: str = "none"
    frame_rate: int = 50
    pack_visible: bool = False
    causal: bool = False
    fraction: float = 1.0
    channels: int = 2
    clip_stride: int | None = None
    clip_tail: str = "drop"
    synthetic_2d: bool = False
    noise: bool = False
    mask_joints: float = 0.0
    mask_frames: float = 0.0
    fill_confidence: bool = False
    image_poses: bool = False
    videos_only: bool = False
    intrinsics_for: str | None = None
    unlabeled: UnlabeledSpec | None = None
    keypoint_sources: tuple[KeypointSource, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def target_token(self) -> int:
        """Which token is the window's own frame."""
        return self.length - 1 if self.causal else self.length // 2

    def __post_init__(self) -> None:
        if self.padding not in ("copy", "zeros"):
            raise Pose3DError(f"padding is {self.padding!r}, expected copy or zeros")
        if self.mirror not in ("none", "entries", "in_batch", "random"):
            raise Pose3DError(f"mirror is {self.mirror!r}, expected none, entries, in_batch or random")
        if self.clip_tail not in ("drop", "shift", "pad", "resample"):
            raise Pose3DError(f"clip_tail is {self.clip_tail!r}, expected drop, shift, pad or resample")
        if self.align_mask and self.shift_mask:
            raise Pose3DError("a mask is either aligned with the frame numbers or shifted at random")
        for stride in self.mask_strides or ():
            if stride < self.stride or stride % self.stride:
                raise Pose3DError(f"s_in {stride} is not a multiple of s_out {self.stride}")
