"""Config keys of DenseWarper, with the release's defaults."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.pose_resnet.config import ImageConfig

__all__ = ["DenseWarperConfig"]


@dataclasses.dataclass
class DenseWarperConfig(ImageConfig):
    """Keys of `config/densewarper_h36m.json` and `config/densewarper_3dhp.json`.

    Raises (on `validate`):
        Pose3DError: Also for a PATTERN that does not fit SELECTED_CAMS.
    """

    ARCH_NAME: ClassVar[str] = "DenseWarper"

    PATTERN: list[int] = key(
        [0, 1, 2, 3],
        "The frame of a group that each camera of SELECTED_CAMS shows, counted from 0.",
        minimum=0,
    )
    DILATIONS: list[int] = key([3, 6, 12, 18, 24], "Dilations of a warper's convolutions.", minimum=1)
    WARPER_CHANNELS: int = key(128, "Channels inside a warper.", minimum=1)
    WARPER_BLOCKS: int = key(20, "Residual blocks of a warper.", minimum=1)
    WARPER_START: str = key(
        "random",
        "Weights of new warpers: random, as released, or those that hand a map on unchanged.",
        choices=("random", "identity"),
    )
    TRAIN_BACKBONE: bool = key(
        False, "Train end to end; false: warpers only, the backbone with its batch norms frozen."
    )
    LOSS_TARGET: str = key(
        "frame",
        "2D target of a warped map: its view's pose at its frame; released: at the frame that view shows.",
        choices=("frame", "released"),
    )
    JOINT_LOSS: float = key(1.0, "Factor of the robust 2D joint loss.", minimum=0)
    HEATMAP_LOSS: float = key(0.0, "Factor of the mean squared error of the heat maps.", minimum=0)
    MIN_TRAINING_VIEWS: int = key(
        3, "Views that must see a joint in its own frame for it to count in the joint loss.", minimum=0
    )
    MIN_CONFIDENCE: float = key(
        0.01,
        "Maximum of a heat map below which its view is not used for the joint; 0: all views, as released.",
        minimum=0,
    )
    TRIANGULATION: str = key(
        "dlt",
        "How views make a 3D joint: all alike, weighted by confidence, or the largest agreeing set.",
        choices=("dlt", "confidence", "ransac"),
    )
    RANSAC_THRESHOLD: float = key(
        15.0, "Largest reprojection error of an agreeing view, image pixels.", minimum=0
    )
    EPOCHS: int = key(49, "Epochs to train.", minimum=0)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE"),
    )

    @property
    def num_views(self) -> int:
        """Views of a group."""
        return len(self.SELECTED_CAMS)

    @property
    def num_frames(self) -> int:
        """Frames of a group."""
        return max(self.PATTERN) + 1

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        views, pattern = self.num_views, self.PATTERN
        if views < 2:
            raise Pose3DError(
                f"{source}: SELECTED_CAMS is {self.SELECTED_CAMS}, expected at least two cameras"
            )
        if len(pattern) != views:
            raise Pose3DError(
                f"{source}: PATTERN is {pattern}, expected a frame for each of the {views} cameras"
            )
        missing = sorted(set(range(self.num_frames)) - set(pattern))
        if missing:
            raise Pose3DError(
                f"{source}: PATTERN is {pattern}: no view shows frame {missing[0]}; every frame up to "
                f"{self.num_frames - 1} needs one"
            )
        if self.JOINT_LOSS == 0 and self.HEATMAP_LOSS == 0:
            raise Pose3DError(f"{source}: JOINT_LOSS and HEATMAP_LOSS are both 0, so that nothing is trained")
        if not self.DILATIONS:
            raise Pose3DError(f"{source}: DILATIONS is empty, expected e.g. [3, 6, 12, 18, 24]")
