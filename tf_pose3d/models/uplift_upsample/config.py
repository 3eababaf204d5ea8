"""Config keys of Uplift and Upsample, with the release's names and defaults."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.strided_length import strided_length

__all__ = ["UpliftUpsampleConfig"]


@dataclasses.dataclass
class UpliftUpsampleConfig(TrainingConfig):
    """Keys of `config/h36m_351.json` and its siblings.

    Defaults are the release's, but for TEMPORAL_EMBED_DIM: its 348 is no multiple of its 8 heads.

    Raises (on `validate`):
        Pose3DError: Also for strides that do not end in one frame, an s_in that is no multiple of
            s_out, and widths that the heads do not divide.
    """

    ARCH_NAME: ClassVar[str] = "UpliftUpsampleTransformer"

    NUM_KEYPOINTS: int = key(17, "Joints.", choices=(17,))
    ROOT_KEYTPOINT: int = key(6, "Root joint (the release's spelling).", minimum=0, maximum=16)
    AUGM_FLIP_KEYPOINT_ORDER: list[int] = key(
        [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 10, 16, 15, 14, 13, 12, 11],
        "Joint order after mirroring; fixed by the joint layout.",
    )
    SEQUENCE_LENGTH: int = key(27, "Tokens in a window.", minimum=1)
    SEQUENCE_STRIDE: int = key(1, "s_out: frames (at 50 Hz) between tokens.", minimum=1)
    PADDING_TYPE: str = key("copy", "Past a video's ends: copy or zeros.", choices=("copy", "zeros"))
    MASK_STRIDE: int | list[int] | None = key(
        None,
        "s_in: frames between 2D poses, a multiple of s_out; a list is drawn from per window.",
        minimum=1,
    )
    STRIDE_MASK_RAND_SHIFT: bool = key(False, "Shift the mask at random in training.")
    FIRST_STRIDED_TOKEN_ATTENTION_LAYER: int = key(
        0, "Number of first blocks in which nobody attends to frames without 2D pose.", minimum=0
    )
    SPATIAL_EMBED_DIM: int = key(32, "Width of a joint token.", minimum=1)
    TEMPORAL_EMBED_DIM: int = key(384, "Width of a frame token.", minimum=1)
    SPATIAL_TRANSFORMER_BLOCKS: int = key(4, "Blocks over joints.", minimum=0)
    TEMPORAL_TRANSFORMER_BLOCKS: int = key(4, "Blocks over frames.", minimum=0)
    STRIDES: list[int] = key([3, 3, 3], "Strides of the strided blocks.", minimum=1)
    PADDINGS: list[list[int]] | None = key(
        None, "(before, after) padding of each strided block, 0 or 1; null means 1 and 1."
    )
    NUM_HEADS: int = key(8, "Attention heads.", minimum=1)
    MLP_RATIO: float = key(2, "Hidden width of the MLPs over the token width.")
    QKV_BIAS: bool = key(True, "Bias in query, key and value projections.")
    DROP_RATE: float = key(0.0, "Dropout.", minimum=0, maximum=1)
    ATTENTION_DROP_RATE: float = key(0.0, "Dropout of attention weights.", minimum=0, maximum=1)
    DROP_PATH_RATE: float | list[float] = key(
        [0.1, 0.1, 0.0],
        "Highest stochastic depth rate of the spatial, temporal and strided part.",
        minimum=0,
        maximum=1,
    )
    DROP_PATH_TEMPORAL_RELEASED: bool = key(
        False, "Space the temporal rates over TEMPORAL_EMBED_DIM values, as the release did until 2023."
    )
    OUTPUT_BN: bool = key(False, "Batch normalisation before the heads.")
    TOKEN_MASK_RATE: float = key(
        0.0, "Share of tokens that training hides, never the centre.", minimum=0, maximum=1
    )
    LEARNABLE_MASKED_TOKEN: bool = key(False, "Hide those by a learned token, not zeros.")
    LOSS_WEIGHT_CENTER: float = key(1.0, "Weight of the centre frame's loss.")
    LOSS_WEIGHT_SEQUENCE: float = key(1.0, "Weight of the whole sequence's loss.")
    USE_REFINE: bool = key(False, "True removes the sequence head (all that the release does with it).")
    REFINE_FC_SIZE: int = key(1024, "Never read, as in the release.")
    REFINE_DROP_RATE: float = key(0.5, "Never read, as in the release.")
    TEST_STRIDED_EVAL: bool = key(True, "Evaluate frames between those divisible by s_out by interpolation.")
    EVAL_DISABLE_LEARNED_UPSAMPLING: bool = key(
        False, "Interpolate between frames divisible by s_in instead."
    )
    OPTIMIZER_PARAMS: dict = key(
        {"amsgrad": True, "epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2."
    )
    SCHEDULE: str = key("ExponentialDecayWithSteps", "Learning rate schedule.", choices=SCHEDULE_NAMES)
    SCHEDULE_PARAMS: dict = key(
        {
            "initial_learning_rate": 1e-3,
            "decay_steps": 12000,
            "decay_rate": 0.95,
            "large_decay_steps": 60000,
            "large_decay_rate": 0.5,
        },
        "Arguments of the schedule; decay_steps count training steps.",
    )

    @property
    def mask_strides(self) -> list[int]:
        """s_in values, empty when every frame has its 2D pose."""
        if self.MASK_STRIDE is None:
            return []
        return self.MASK_STRIDE if isinstance(self.MASK_STRIDE, list) else [self.MASK_STRIDE]

    @property
    def strided_input(self) -> bool:
        """Whether a learned token replaces frames without 2D pose."""
        return bool(self.mask_strides) and self.mask_strides[0] != 1

    @property
    def drop_path(self) -> list[float]:
        """Rates of the spatial, temporal and strided part."""
        rate = self.DROP_PATH_RATE
        return rate if isinstance(rate, list) else [rate] * 3

    def evaluation_settings(self) -> list[tuple[str, UpliftUpsampleConfig]]:
        """One setting per s_in."""
        if not self.mask_strides:
            return [("", self)]
        return [(f"s_in={stride}", self.replace(MASK_STRIDE=stride)) for stride in self.mask_strides]

    @property
    def prediction_stride(self) -> int:
        if self.SEQUENCE_STRIDE == 1 or not self.TEST_STRIDED_EVAL:
            return 1
        if self.EVAL_DISABLE_LEARNED_UPSAMPLING and self.mask_strides:
            return self.mask_strides[0]
        return self.SEQUENCE_STRIDE

    @property
    def keyframe_stride(self) -> int | None:
        input_stride = self.mask_strides[0] if self.mask_strides else self.SEQUENCE_STRIDE
        if max(input_stride, self.SEQUENCE_STRIDE) == 1 or not self.TEST_STRIDED_EVAL:
            return None
        return input_stride

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        for width in ("SPATIAL_EMBED_DIM", "TEMPORAL_EMBED_DIM"):
            if getattr(self, width) % self.NUM_HEADS:
                raise Pose3DError(
                    f"{source}: {width} {getattr(self, width)} is not a multiple of "
                    f"NUM_HEADS {self.NUM_HEADS}"
                )
        if self.MASK_STRIDE == []:
            raise Pose3DError(f"{source}: MASK_STRIDE is empty; give null or at least one s_in")
        for stride in self.mask_strides:
            if stride % self.SEQUENCE_STRIDE:
                raise Pose3DError(
                    f"{source}: MASK_STRIDE (s_in) {stride} is not a multiple of SEQUENCE_STRIDE "
                    f"(s_out) {self.SEQUENCE_STRIDE}"
                )
        if len(self.drop_path) != 3:
            raise Pose3DError(f"{source}: DROP_PATH_RATE needs one rate or three, not {len(self.drop_path)}")
        if sorted(self.AUGM_FLIP_KEYPOINT_ORDER) != list(range(self.NUM_KEYPOINTS)):
            raise Pose3DError(
                f"{source}: AUGM_FLIP_KEYPOINT_ORDER is no order of {self.NUM_KEYPOINTS} joints"
            )
        if not self.TEMPORAL_TRANSFORMER_BLOCKS and self.FIRST_STRIDED_TOKEN_ATTENTION_LAYER > 1:
            raise Pose3DError(
                f"{source}: FIRST_STRIDED_TOKEN_ATTENTION_LAYER is "
                f"{self.FIRST_STRIDED_TOKEN_ATTENTION_LAYER}; without temporal blocks it can be 0 or 1, as "
                "later strided blocks have fewer tokens than frames"
            )
        self._check_strides(source)

    def _check_strides(self, source: str) -> None:
        paddings = self.PADDINGS if self.PADDINGS is not None else [[1, 1]] * len(self.STRIDES)
        if len(paddings) != len(self.STRIDES):
            raise Pose3DError(f"{source}: {len(paddings)} PADDINGS for {len(self.STRIDES)} STRIDES")
        lengths = [self.SEQUENCE_LENGTH]
        for stride, padding in zip(self.STRIDES, paddings, strict=True):
            if len(padding) != 2 or not set(padding) <= {0, 1}:
                raise Pose3DError(f"{source}: PADDINGS holds {padding}, expected pairs of 0 or 1")
            lengths.append(strided_length(lengths[-1], stride, (padding[0], padding[1])))
        if self.STRIDES and lengths[-1] != 1:
            raise Pose3DError(
                f"{source}: STRIDES {self.STRIDES} take {self.SEQUENCE_LENGTH} tokens to "
                f"{' -> '.join(map(str, lengths[1:]))}; they must end in one frame"
            )
