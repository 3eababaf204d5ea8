"""Config keys of D3DP."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.sequence_to_sequence import SequenceConfig

__all__ = ["D3DPConfig"]


@dataclasses.dataclass
class D3DPConfig(SequenceConfig):
    """Keys of `config/d3dp_243.json`, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for clips of another length than the network's frames, or more denoising steps
        than the
            schedule has.
    """

    ARCH_NAME: ClassVar[str] = "D3DP"

    SKELETON: str = key("h36m_17", "Joint layout.", choices=("h36m_17",))
    CLIP_STRIDE: int = key(243, "Frames from one training clip to the next.", minimum=1)
    CLIP_TAIL: str = key(
        "pad",
        "Training frames behind a video's last whole clip: pad (clips in the middle, first and last frames "
        "repeated), drop, shift or resample.",
        choices=("drop", "shift", "pad", "resample"),
    )
    DROP_PATH_RATE: float = key(0.1, "Highest stochastic depth rate.", minimum=0, maximum=0.99)
    DIFFUSION_STEPS: int = key(1000, "Steps of the noise schedule.", minimum=2)
    PROPOSALS: int = key(5, "Hypotheses that are sampled.", minimum=1)
    SAMPLING_STEPS: int = key(5, "Denoising steps of a hypothesis.", minimum=1)
    AGGREGATION: str = key(
        "mean",
        "How hypotheses become one pose: mean (P-Agg), or joint: of each joint the one that is seen "
        "nearest to its "
        "keypoint, with an estimated root and a typical camera (J-Agg without the truth).",
        choices=("mean", "joint"),
    )
    RADII: list | None = key(
        None,
        "Factor and power of each joint, so that factor * spread ** power (metres) holds the true joint "
        "nine times "
        "of ten; tools/calibrate_hypotheses.py finds them. null: not calibrated.",
    )
    LOSS_AS_GRADIENT: bool = key(
        False, "Multiply gradients with the loss, as the release does; Adam hardly notices."
    )
    BATCH_SIZE: int = key(4, "Clips per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(400, "Epochs to train.", minimum=0)
    WEIGHT_DECAY: float | None = key(
        0.1, "AdamW: share of a weight taken off per step; TorchAdamW: times the rate."
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 6e-5, "decay_rate": 0.993}, "Arguments of the schedule."
    )

    def evaluation_settings(self) -> list[tuple[str, D3DPConfig]]:
        """The model itself averages with the mirrored clip, in each denoising step."""
        return [("", self.replace(EVAL_FLIP=False))]

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.clip_frames != self.FRAMES:
            raise Pose3DError(
                f"{source}: CLIP_FRAMES is {self.CLIP_FRAMES}, expected {self.FRAMES}: the network reads "
                "FRAMES frames at once"
            )
        if self.RADII is not None:
            pairs = [pair for pair in self.RADII if isinstance(pair, (list, tuple)) and len(pair) == 2]
            numbers = [value for pair in pairs for value in pair]
            whole = all(isinstance(value, (int, float)) and 0 <= value < 1e6 for value in numbers)
            if len(pairs) != len(self.RADII) or len(pairs) != 17 or not whole:
                raise Pose3DError(
                    f"{source}: RADII has {len(self.RADII)} entries, expected 17 of factor and power"
                )
        if self.RADII is not None and self.PROPOSALS < 2:
            raise Pose3DError(f"{source}: PROPOSALS is 1, which have no spread that RADII could scale")
        if self.SAMPLING_STEPS >= self.DIFFUSION_STEPS:
            raise Pose3DError(
                f"{source}: SAMPLING_STEPS is {self.SAMPLING_STEPS}, expected fewer than DIFFUSION_STEPS "
                f"{self.DIFFUSION_STEPS}"
            )
