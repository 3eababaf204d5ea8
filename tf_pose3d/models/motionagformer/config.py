"""Config keys of MotionAGFormer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.sequence_to_sequence import ImageSequenceConfig

__all__ = ["MotionAGFormerConfig"]


@dataclasses.dataclass
class MotionAGFormerConfig(ImageSequenceConfig):
    """Keys of `config/motionagformer_b.json` and its siblings, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for clips of another length than the network's frames.
    """

    ARCH_NAME: ClassVar[str] = "MotionAGFormer"

    CHANNELS: int = key(128, "Width of a token.", minimum=1)
    LAYERS: int = key(16, "Layers.", minimum=1)
    MLP_RATIO: float = key(4.0, "Hidden width of the MLPs over the token width.", minimum=0)
    QKV_BIAS: bool = key(False, "Bias in query, key and value projections.")
    LAYER_SCALE: float | None = key(
        1e-5, "First value of the learned scales of branches; null: none.", minimum=0
    )
    HIERARCHICAL: bool = key(
        False, "Half of the features for each branch, the graph branch reading the attention branch's too."
    )
    TEMPORAL_GRAPH: str = key(
        "similar",
        "Graph branch over frames: similar (frames most alike), chain (frames that follow) or convolutions.",
        choices=("similar", "chain", "convolutions"),
    )
    NEIGHBOURS: int = key(
        2, "For similar: frames that a frame is connected with, itself included.", minimum=1
    )
    CHAIN_REACH: int = key(1, "For chain: frames after a frame that it is connected with.", minimum=1)
    JOINT_ORDER: str = key(
        "h36m",
        "Order in which the network sees joints: h36m, or mpi_inf_3dhp, of the release's networks for "
        "that data "
        "set; poses and keypoints have SKELETON's either way.",
        choices=("h36m", "mpi_inf_3dhp"),
    )
    BATCH_SIZE: int = key(16, "Clips per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(60, "Epochs to train.", minimum=0)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 5e-4, "decay_rate": 0.99}, "Arguments of the schedule."
    )

    @property
    def window_per_frame(self) -> bool:
        """Each frame that is tested on MPI-INF-3DHP has a window of its own, as in the release."""
        return True

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.clip_frames != self.FRAMES:
            raise Pose3DError(
                f"{source}: CLIP_FRAMES is {self.CLIP_FRAMES}, expected {self.FRAMES}: the graph branch has "
                "statistics for each of FRAMES frames"
            )
        if self.JOINT_ORDER == "mpi_inf_3dhp" and self.SPACE != "metric":
            raise Pose3DError(
                f"{source}: JOINT_ORDER mpi_inf_3dhp is of networks that give metres; set SPACE to metric"
            )
        parts = 2 if self.HIERARCHICAL else 1
        if self.CHANNELS % (parts * self.NUM_HEADS):
            raise Pose3DError(
                f"{source}: CHANNELS {self.CHANNELS} is not a multiple of {parts * self.NUM_HEADS}, the "
                f"heads of {'either half' if parts == 2 else 'a token'}"
            )
        if self.TEMPORAL_GRAPH == "convolutions" and self.CHANNELS // parts % 4:
            raise Pose3DError(
                f"{source}: CHANNELS {self.CHANNELS}: convolutions are four branches, expected a multiple of "
                f"{4 * parts}"
            )
