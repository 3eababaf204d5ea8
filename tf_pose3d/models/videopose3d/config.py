"""Config keys of VideoPose3D."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.temporal import TemporalConfig
from tf_pose3d.skeleton import missing_joints

__all__ = ["VideoPose3DConfig"]


@dataclasses.dataclass
class VideoPose3DConfig(TemporalConfig):
    """Keys of `config/videopose3d_243.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "VideoPose3D"

    FILTER_WIDTHS: list[int] = key(
        [3, 3, 3], "Kernel widths, odd; a prediction is made of as many frames as their product.", minimum=1
    )
    DENSE: bool = key(False, "Kernels that skip no frame, for comparison; slow.")
    INPUT_SKELETON: str | None = key(
        None, "Joint layout of the 2D poses that are read, e.g. coco_17; null: SKELETON."
    )
    TRAJECTORY: bool = key(
        False, "Also learn the root's place in the camera's frame, by a network of the same sizes."
    )
    UNLABELED_SUBSET: str | None = key(
        None,
        "Subset of the training data whose 2D poses alone are trained on besides, by their projection and by "
        "the lengths of bones; null: none. Needs TRAJECTORY.",
    )
    WARMUP_EPOCHS: int = key(1, "First epochs without the unlabelled subset.", minimum=0)
    PROJECTION_LOSS: bool = key(True, "Unlabelled poses must project onto their 2D poses.")
    LINEAR_PROJECTION: bool = key(False, "They project without the lens's distortion.")
    BONE_LENGTH_LOSS: bool = key(
        True, "Mean lengths of bones over unlabelled poses must be those over labelled ones."
    )
    CHUNK_LENGTH: int = key(1, "Frames that a training window predicts.", minimum=1)
    EPOCHS: int = key(60, "Epochs to train.", minimum=0)

    @property
    def input_skeleton(self) -> str:
        """Joint layout of the 2D poses."""
        return self.INPUT_SKELETON or self.SKELETON

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.UNLABELED_SUBSET and not self.TRAJECTORY:
            raise Pose3DError(
                f"{source}: UNLABELED_SUBSET is {self.UNLABELED_SUBSET} without TRAJECTORY, the network that "
                "says where poses project from; set TRAJECTORY to true"
            )
        # What is lifted is also shown beside the poses, in their joints.
        missing = missing_joints(self.input_skeleton, self.SKELETON)
        if missing:
            raise Pose3DError(
                f"{source}: INPUT_SKELETON is {self.input_skeleton}, of which nothing gives "
                f"{', '.join(missing)} of SKELETON {self.SKELETON}"
            )
