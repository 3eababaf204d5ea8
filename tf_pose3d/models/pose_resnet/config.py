"""Config keys of the families that read images, and of PoseResNet alone."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton, joint_indices

__all__ = ["BLOCKS_PER_STAGE", "ImageConfig", "PoseResNetConfig", "has_bottlenecks"]

# Depth -> residual blocks of the four stages.
BLOCKS_PER_STAGE = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
# Heat-map layout -> the layout of the poses: union_20 has three joints that Human3.6M does not.
_POSE_LAYOUTS = {"union_20": "h36m_17", "mpi_inf_3dhp_17": "mpi_inf_3dhp_17", "h36m_17": "h36m_17"}
# An encoder and three deconvolutions: heat maps have a quarter of the image's size.
_STRIDE = 4
_ENCODER_STRIDE = 32


def has_bottlenecks(num_layers: int) -> bool:
    """Whether a ResNet of this depth is made of bottleneck blocks."""
    return num_layers >= 50


@dataclasses.dataclass
class ImageConfig(TrainingConfig):
    """Keys of the families whose input are images, with DenseWarper's defaults on Human3.6M.

    Heat maps have `num_joints` channels in the layout JOINTS; 2D and 3D poses have the `len(used_joints)`
    joints of `skeleton`, in its order.

    Raises (on `validate`):
        Pose3DError: Also for sizes that the network cannot have.
    """

    DATASET: str | None = key("multiview_h36m", "Data set when no --dataset is given.")
    DATA_ROOT: str = key("data", "Folder of the images and annotations.")
    DATA_FORMAT: str = key(
        "jpg", "Where the images are: jpg, files in folders; zip, images.zip.", choices=("jpg", "zip")
    )
    SELECTED_CAMS: list[int] = key([0, 1, 2, 3], "Cameras, by the data set's own numbers.", minimum=0)
    MISSING_VIEW: str = key(
        "skip",
        "A group whose image is missing in some view is skipped and counted, or an error.",
        choices=("skip", "error"),
    )
    BGR: bool = key(True, "Channels in the order blue, green, red, as released weights expect.")
    IMAGE_SIZE: list[int] = key([384, 384], "Width and height of the network's input, pixels.", minimum=32)
    HEATMAP_SIZE: list[int] = key([96, 96], "Width and height of the heat maps: a quarter.", minimum=8)
    SIGMA: float = key(3.0, "Standard deviation of the Gaussian targets, heat-map pixels.", minimum=0.1)
    JOINTS: str = key(
        "union_20",
        "Joint layout of the heat maps; union_20: Human3.6M's 17 joints and three of MPII.",
        choices=tuple(_POSE_LAYOUTS),
    )
    ROT_FACTOR: float = key(
        40.0,
        "Rotation in training: standard deviation, degrees, cut at twice that, for 60% of images.",
        minimum=0,
        maximum=180,
    )
    SCALE_FACTOR: float = key(
        0.3, "Scale in training: standard deviation round 1, cut at that.", minimum=0, maximum=0.9
    )
    NUM_LAYERS: int = key(152, "Depth of the residual network.", choices=(18, 34, 50, 101, 152))
    STAGE_CHANNELS: list[int] = key([64, 128, 256, 512], "Channels of its four stages.", minimum=1)
    NUM_DECONV_FILTERS: list[int] = key([256, 256, 256], "Channels of the deconvolutions.", minimum=1)
    DECONV_WITH_BIAS: bool = key(False, "Deconvolutions with a bias.")
    FINAL_CONV_KERNEL: int = key(1, "Kernel size of the last convolution.", choices=(1, 3))
    PRETRAINED: str | None = key(
        None,
        "PoseResNet checkpoint (.pth.tar) or weights (.h5) that training starts from; a last layer for other "
        "joints is left out.",
    )

    TRAIN_SUBSET: str = key("train", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("validation", "Subset to validate on when no --val_subset is given.")
    BATCH_SIZE: int = key(4, "Groups or images per training step, over all replicas.", minimum=1)
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_TRAIN_3D_SUBSAMPLE_STEP: int = key(20, "Every n-th group or image is trained on.", minimum=1)
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(64, "Every n-th group or image is validated.", minimum=1)
    DATASET_TEST_3D_SUBSAMPLE_STEP: int = key(64, "Every n-th group or image is tested.", minimum=1)
    AUGM_FLIP_PROB: float = key(
        0.0, "Mirrored images in training: not possible, as cameras are real.", minimum=0, maximum=0
    )
    EVAL_FLIP: bool = key(False, "Average with the mirrored image: not possible.", choices=(False,))
    OPTIMIZER_PARAMS: dict = key({"epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    SCHEDULE: str = key(
        "EpochSteps", "Learning rate schedule; as released: factors at some epochs.", choices=SCHEDULE_NAMES
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-4, "decay_epochs": [10, 10], "decay_rate": 0.2},
        "Arguments of the schedule; epochs are counted from 1, and one listed twice counts twice.",
    )
    CHECKPOINT_INTERVAL: int = key(1, "Write a checkpoint every n epochs.", minimum=1)

    @property
    def num_joints(self) -> int:
        """Channels of the heat maps."""
        return get_skeleton(self.JOINTS).num_joints

    @property
    def skeleton(self) -> str:
        """Joint layout of 2D and 3D poses."""
        return _POSE_LAYOUTS[self.JOINTS]

    @property
    def used_joints(self) -> list[int]:
        """The heat map of each joint of `skeleton`."""
        return joint_indices(self.JOINTS, self.skeleton).tolist()

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        for name, count in (("IMAGE_SIZE", 2), ("HEATMAP_SIZE", 2), ("STAGE_CHANNELS", 4)):
            if len(getattr(self, name)) != count:
                raise Pose3DError(
                    f"{source}: {name} is {getattr(self, name)}, expected {count} whole numbers"
                )
        if len(self.NUM_DECONV_FILTERS) != 3:
            raise Pose3DError(
                f"{source}: NUM_DECONV_FILTERS is {self.NUM_DECONV_FILTERS}, expected three whole numbers"
            )
        if any(size % _ENCODER_STRIDE for size in self.IMAGE_SIZE):
            raise Pose3DError(
                f"{source}: IMAGE_SIZE is {self.IMAGE_SIZE}, expected multiples of {_ENCODER_STRIDE}"
            )
        quarter = [size // _STRIDE for size in self.IMAGE_SIZE]
        if quarter != self.HEATMAP_SIZE:
            raise Pose3DError(
                f"{source}: HEATMAP_SIZE is {self.HEATMAP_SIZE}, expected {quarter}, a quarter of IMAGE_SIZE"
            )
        cameras = self.SELECTED_CAMS
        if not cameras or len(set(cameras)) != len(cameras):
            raise Pose3DError(
                f"{source}: SELECTED_CAMS is {cameras}, expected different cameras, at least one"
            )


@dataclasses.dataclass
class PoseResNetConfig(ImageConfig):
    """Keys of `config/pose2d_h36m.json` and `config/pose2d_3dhp.json`."""

    ARCH_NAME: ClassVar[str] = "PoseResNet"

    MIX_MPII: bool = key(False, "Also train on MPII, whose images come in turn with the data set's.")
    ROT_FACTOR: float = key(
        20.0,
        "Rotation in training: standard deviation, degrees, cut at twice that, for 60% of images.",
        minimum=0,
        maximum=180,
    )
    SCALE_FACTOR: float = key(
        0.15, "Scale in training: standard deviation round 1, cut at that.", minimum=0, maximum=0.9
    )
    USE_TARGET_WEIGHT: bool = key(True, "Leave joints that are not visible out of the loss.")
    POST_PROCESS: bool = key(
        False, "Move each maximum a quarter of a pixel towards its higher neighbour in evaluation."
    )
    EPOCHS: int = key(10, "Epochs to train.", minimum=0)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-4, "decay_epochs": [8, 25], "decay_rate": 0.1},
        "Arguments of the schedule; epochs are counted from 1, and one listed twice counts twice.",
    )
    DATASET_TRAIN_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th image is trained on.", minimum=1)
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th image is validated.", minimum=1)
    DATASET_TEST_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th image is tested.", minimum=1)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "detection_rate",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "detection_rate"),
    )

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.MIX_MPII and self.JOINTS != "union_20":
            raise Pose3DError(f"{source}: MIX_MPII needs JOINTS union_20, not {self.JOINTS}")
