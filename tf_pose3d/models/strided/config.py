"""Config keys of Strided Transformer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.strided_length import strided_length
from tf_pose3d.models.centre_frame import CentreFrameConfig

__all__ = ["StridedTransformerConfig", "strides_of"]

# By frames; 27 and 351 are the release's, the others its paper's.
_STRIDES = {27: [3, 3, 3], 81: [3, 3, 9], 243: [3, 9, 9], 351: [3, 9, 13]}
_STRIDED_BLOCKS = 3


def strides_of(frames: int) -> list[int] | None:
    """The published strides of a window of so many frames; None where there are none."""
    return _STRIDES.get(frames)


@dataclasses.dataclass
class StridedTransformerConfig(CentreFrameConfig):
    """Keys of `config/strided_351.json` and its sibling, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for strides that do not end in one frame, or a width that the heads do not divide.
    """

    ARCH_NAME: ClassVar[str] = "StridedTransformer"

    FRAMES: int = key(351, "Frames in a window, an odd number.", minimum=3)
    STRIDES: list[int] | None = key(
        None,
        "Strides of the three strided blocks; null: the published ones of 27, 81, 243 or 351 frames.",
        minimum=1,
    )
    CHANNELS: int = key(256, "Width of a frame token.", minimum=2)
    HIDDEN: int = key(512, "Width inside the blocks' MLPs.", minimum=1)
    LAYERS: int = key(3, "Blocks before the strided ones.", minimum=1)
    NUM_HEADS: int = key(8, "Attention heads.", minimum=1)
    DROP_RATE: float = key(
        0.1, "Dropout of attention weights, branches and inside MLPs.", minimum=0, maximum=0.99
    )
    ENCODER_DROP_RATE: float = key(0.25, "Dropout of the frame tokens.", minimum=0, maximum=0.99)
    REFINE: bool = key(
        False, "Correct x and y by the pose that the 2D input and the predicted depth give; see docs."
    )
    REFINE_DROP_RATE: float = key(0.5, "Dropout inside the refine module.", minimum=0, maximum=0.99)
    EPOCHS: int = key(20, "Epochs to train.", minimum=0)
    OPTIMIZER_PARAMS: dict = key(
        {"amsgrad": True, "epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2."
    )
    SCHEDULE_PARAMS: dict = key(
        {
            "initial_learning_rate": 1e-3,
            "decay_rate": 0.95,
            "large_decay_epochs": 5,
            "large_decay_rate": 0.5,
        },
        "Arguments of the schedule.",
    )
    CHECKPOINT_INTERVAL: int = key(1, "Write a checkpoint every n epochs.", minimum=1)

    @property
    def strides(self) -> list[int]:
        """Of the strided blocks."""
        return (self.STRIDES if self.STRIDES is not None else strides_of(self.FRAMES)) or []

    def evaluation_settings(self) -> list[tuple[str, StridedTransformerConfig]]:
        """With REFINE the model itself averages with the mirrored input's pose, before it refines."""
        return [("", self.replace(EVAL_FLIP=False) if self.REFINE else self)]

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.CHANNELS % self.NUM_HEADS:
            raise Pose3DError(
                f"{source}: CHANNELS {self.CHANNELS} is not a multiple of NUM_HEADS {self.NUM_HEADS}"
            )
        if not self.strides and self.STRIDES is None:
            known = ", ".join(map(str, _STRIDES))
            raise Pose3DError(
                f"{source}: no strides are published for {self.FRAMES} FRAMES (for {known} there are); "
                "give STRIDES"
            )
        if len(self.strides) != _STRIDED_BLOCKS:
            raise Pose3DError(f"{source}: STRIDES holds {len(self.strides)} numbers, expected 3")
        lengths = [self.FRAMES]
        for stride in self.strides:
            lengths.append(strided_length(lengths[-1], stride, (1, 1)))
        if lengths[-1] != 1:
            raise Pose3DError(
                f"{source}: STRIDES {self.strides} take {self.FRAMES} frames to "
                f"{' -> '.join(map(str, lengths[1:]))}; they must end in one frame"
            )
