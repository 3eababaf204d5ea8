"""RIE: relative information encoding of body parts."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from tf_pose3d.models.body_part_model import BodyPartModel
from tf_pose3d.types import Tensor

__all__ = ["RIE"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class RIE(BodyPartModel):
    """Shan et al., "Improving robustness and accuracy via relative information encoding in 3D human pose
    estimation", ACM Multimedia 2021.

    Args:
        skeleton, filter_widths, channels, latent, hidden, dropout, causal: See `BodyPartModel`.
        stage: 1 decodes each part's features and the whole pose's; 2 and 3 also what a block makes of the
            other four parts' features.

    Input (dict): keypoints_2d `(B, N, J, 2)`, normalised screen coordinates.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame.
    """

    def __init__(
        self,
        skeleton: str = "h36m_17",
        filter_widths: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 256,
        latent: int = 256,
        hidden: int = 1024,
        dropout: float = 0.2,
        causal: bool = False,
        stage: int = 1,
        **kwargs: object,
    ) -> None:
        super().__init__(skeleton, filter_widths, channels, latent, hidden, dropout, causal, **kwargs)
        self.settings["stage"] = stage
        self.fusion_blocks = []
        if stage > 1:
            self.fusion_blocks = [self._block(latent, f"fusion_{part.name}") for part in self.parts]
        self.decoders = self._decoders("decoder")

    def build(self, input_shape: object = None) -> None:
        self._build_encoders()
        latent = self.settings["latent"]
        for block in self.fusion_blocks:
            block.build((None, 4 * latent))
        for decoder in self.decoders:
            decoder.build((None, (3 if self.fusion_blocks else 2) * latent))
        self.built = True

    def lift_windows(
        self,
        expanded: list[Tensor],
        keypoints: Tensor,
        intrinsics: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        predicted = ops.cast(keypoints[:, self.predicted_frame], self.compute_dtype)
        whole = self.global_features(predicted, training)
        local = self.local_features(expanded, predicted, training)
        features = [[part] for part in local]
        for index, block in enumerate(self.fusion_blocks):
            others = ops.concatenate(local[:index] + local[index + 1 :], axis=-1)
            features[index].append(block(others, training=training))
        return {"pose_3d": self.decode(self.decoders, [[*parts, whole] for parts in features], training)}
