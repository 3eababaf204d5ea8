"""The rows of `benchmark_peers.py`, and what both sides of each are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

__all__ = ["WORKS", "Work", "inputs", "normalised", "recording"]


@dataclasses.dataclass(frozen=True)
class Work:
    """A row.

    Attributes:
        original: Name in `original_networks.ORIGINALS`.
        config: Shipped config of this package's side.
        kind: "train": a step on a batch. "predict": a forward pass on windows or clips that are ready.
            "video": every frame of a recording, mirrored passes included, as each side evaluates it.
        size: Windows or clips of a batch, or frames of the recording.
        settings: Config keys with other values.
        frames: Of a window or clip.
        joints: Of a pose.
        channels: Of a keypoint; 3 with its confidence.
        mask_stride: Of Uplift and Upsample: every so many frames are seen.
        release: The size is the release's own.
        long: A call takes a minute or so on two cores: measured only when it is named.
        note: In what the two do not do the same.
    """

    original: str
    config: str
    kind: str
    size: int
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    frames: int = 1
    joints: int = 17
    channels: int = 2
    mask_stride: int = 0
    release: bool = False
    long: bool = False
    note: str = ""


_ALL_FRAMES = (
    "the release predicts every frame, this package every fifth and interpolates as the release does"
)
_READY = "windows of the release are cut beforehand, this package's within the time"
_ALL_LOSSES = "the release computes four more losses, whose weights in its config are 0"
_FULL_HEAD = "the release also gives the poses of all frames, in both; this package in training only"


def _single(original: str, config: str, batches: tuple[int, ...], train: int, joints: int = 16, **more: Any):
    """Rows of a family that lifts single frames; `train` is the release's batch."""
    name = config.removesuffix("_gt")
    rows = {f"{name}-train": Work(original, config, "train", train, joints=joints, release=True, **more)}
    for batch in batches:
        rows[f"{name}-{batch}"] = Work(
            original, config, "predict", batch, joints=joints, release=batch == train, **more
        )
    return rows


WORKS: dict[str, Work] = {
    **_single("SemGCN", "martinez_gt", (64, 1024), 64),
    **_single("SemGCN", "semgcn_gt", (64, 256), 64),
    **_single("HOIF", "hoif_gt", (256, 1024), 256),
    **_single("HGCN", "hgcn_gt", (256, 1024), 256),
    **_single("LCN", "lcn_gt", (200,), 200, joints=17),
    "videopose3d-train": Work("VideoPose3D", "videopose3d_243", "train", 64, frames=243),
    "videopose3d-train-1024": Work(
        "VideoPose3D", "videopose3d_243", "train", 1024, frames=243, release=True, long=True
    ),
    "videopose3d-windows": Work("VideoPose3D", "videopose3d_243", "predict", 64, frames=243),
    "videopose3d-video": Work("VideoPose3D", "videopose3d_243", "video", 3000, frames=243, release=True),
    "rie-train": Work("RIE", "rie_243", "train", 64, frames=243),
    "rie-train-1024": Work("RIE", "rie_243", "train", 1024, frames=243, release=True, long=True),
    "rie-windows": Work("RIE", "rie_243", "predict", 64, frames=243),
    "strided-train": Work("StridedTransformer", "strided_351", "train", 16, frames=351),
    "strided-train-256": Work(
        "StridedTransformer", "strided_351", "train", 256, frames=351, release=True, long=True
    ),
    "strided-windows": Work("StridedTransformer", "strided_351", "predict", 16, frames=351, note=_FULL_HEAD),
    "poseformer-train": Work("PoseFormer", "poseformer_81", "train", 32, frames=81),
    "poseformer-train-512": Work(
        "PoseFormer", "poseformer_81", "train", 512, frames=81, release=True, long=True
    ),
    "poseformer-windows": Work("PoseFormer", "poseformer_81", "predict", 32, frames=81),
    "poseformer-video": Work("PoseFormer", "poseformer_81", "video", 128, frames=81, note=_READY),
    "uplift-train-s5": Work("Uplift", "h36m_351", "train", 64, frames=71, mask_stride=5),
    "uplift-train-s20": Work("Uplift", "h36m_351", "train", 64, frames=71, mask_stride=20),
    "uplift-train-512": Work(
        "Uplift", "h36m_351", "train", 512, frames=71, mask_stride=5, release=True, long=True
    ),
    "uplift-windows": Work("Uplift", "h36m_351", "predict", 64, frames=71, mask_stride=5),
    "uplift-video": Work(
        "Uplift", "h36m_351", "video", 320, frames=71, mask_stride=5, note=f"{_ALL_FRAMES}; {_READY}"
    ),
    "motionagformer_xs-train": Work(
        "MotionAGFormer",
        "motionagformer_xs",
        "train",
        16,
        frames=27,
        channels=3,
        release=True,
        note=_ALL_LOSSES,
    ),
    "motionagformer_xs-clips": Work(
        "MotionAGFormer", "motionagformer_xs", "predict", 16, frames=27, channels=3, release=True
    ),
    "motionagformer_b-train": Work(
        "MotionAGFormer", "motionagformer_b", "train", 1, frames=243, channels=3, note=_ALL_LOSSES
    ),
    "motionagformer_b-clips": Work(
        "MotionAGFormer", "motionagformer_b", "predict", 1, frames=243, channels=3
    ),
    "motionbert-train": Work(
        "MotionBERT", "motionbert", "train", 1, frames=243, channels=3, note=_ALL_LOSSES
    ),
    "motionbert-clips": Work("MotionBERT", "motionbert", "predict", 1, frames=243, channels=3),
    "mixste-train": Work("MixSTE", "mixste_243", "train", 1, frames=243),
    "mixste-train-4": Work("MixSTE", "mixste_243", "train", 4, frames=243, release=True, long=True),
    "mixste-clips": Work("MixSTE", "mixste_243", "predict", 1, frames=243),
    "d3dp-train": Work("D3DP", "d3dp_243", "train", 1, frames=243),
    "d3dp-clips": Work(
        "D3DP",
        "d3dp_243",
        "predict",
        1,
        {"PROPOSALS": 1, "SAMPLING_STEPS": 1},
        frames=243,
        note="one hypothesis, one denoising step, its mirrored clip",
    ),
    "ehfusion-train": Work("EHFusion", "ehfusion_threestage", "train", 64, frames=243),
    "densewarper-train": Work("DenseWarper", "densewarper_h36m", "train", 1),
}


def inputs(work: Work) -> dict[str, np.ndarray]:
    """Random keypoints in the image and poses of a person's size, 5 m off; float32, the same each time.

    Returns:
        `keypoints_2d (B, N, J, C)` normalised, `pose_3d (B, N, J, 3)` metres, and with a mask stride
        `stride_mask (B, N)` bool.
    """
    random = np.random.default_rng(0)
    shape = (work.size, work.frames, work.joints)
    arrays = {
        "keypoints_2d": random.uniform(-1, 1, (*shape, work.channels)).astype(np.float32),
        "pose_3d": (random.uniform(-0.8, 0.8, (*shape, 3)) + np.array([0, 0, 5])).astype(np.float32),
    }
    if work.mask_stride:
        offsets = (np.arange(work.frames) - work.frames // 2) * 5
        arrays["stride_mask"] = np.tile(offsets % work.mask_stride == 0, (work.size, 1))
    return arrays


def recording(work: Work) -> np.ndarray:
    """`(F, J, 2)` pixels of an image of 1000 x 1000, the same each time."""
    return np.random.default_rng(0).uniform(0, 1000, (work.size, work.joints, 2)).astype(np.float32)


def normalised(pixels: np.ndarray) -> np.ndarray:
    """Pixels of an image of 1000 x 1000 as networks read them, -1 to 1."""
    return (pixels / 500 - 1).astype(np.float32)
