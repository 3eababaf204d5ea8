"""Config keys of transformers that lift the centre of a window of frames.

Strided Transformer and PoseFormer train and evaluate in VideoPose3D's way, but have none of its
convolutions.
"""

from __future__ import annotations

import dataclasses

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.video import VideoConfig

__all__ = ["CentreFrameConfig"]


@dataclasses.dataclass
class CentreFrameConfig(VideoConfig):
    """Keys of the releases' windows.

    Raises (on `validate`):
        Pose3DError: Also for an even number of frames, which has no centre.
    """

    FRAMES: int = key(81, "Frames in a window, an odd number.", minimum=1)

    @property
    def receptive_field(self) -> int:
        """Frames that one prediction is made of."""
        return self.FRAMES

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.FRAMES % 2 == 0:
            raise Pose3DError(f"{source}: FRAMES is {self.FRAMES}, expected an odd number")
