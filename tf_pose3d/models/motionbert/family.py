"""MotionBERT."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tf_pose3d.data.window_spec import KeypointSource, WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.motionbert.config import MotionBERTConfig
from tf_pose3d.models.sequence_to_sequence import ImageSequenceFamily

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.motionbert.model import MotionBERT

__all__ = ["MotionBERTFamily"]


class MotionBERTFamily(ImageSequenceFamily[MotionBERTConfig]):
    """Two transformers over joints and frames, in either order, on one input."""

    config_class = MotionBERTConfig

    def data_spec(self, config: MotionBERTConfig, split: str) -> WindowSpec:
        spec = super().data_spec(config, split)
        if split != "train":
            return spec
        return dataclasses.replace(
            spec,
            synthetic_2d=config.SYNTHETIC_2D,
            noise=config.NOISE,
            mask_joints=config.MASK_RATIO,
            mask_frames=config.MASK_FRAME_RATIO,
            keypoint_sources=self._keypoint_sources(config),
        )

    def _keypoint_sources(self, config: MotionBERTConfig) -> tuple[KeypointSource, ...]:
        """In the release's order; it adds noise to PoseTrack's annotations, not to InstaVariety's
        detections."""
        first = config.CURRICULUM_EPOCHS + 1
        sources = []
        if config.POSETRACK is not None:
            sources.append(KeypointSource("posetrack", config.POSETRACK, first, noise=True, crop=False))
        if config.INSTAVARIETY is not None:
            sources.append(KeypointSource("instavariety", config.INSTAVARIETY, first, noise=False, crop=True))
        return tuple(sources)

    def trained_variables(self, model: keras.Model, config: MotionBERTConfig) -> list[keras.Variable]:
        """All, or those that PARTIAL_TRAIN names.

        Raises:
            Pose3DError: A part that no weight's name holds.
        """
        if config.PARTIAL_TRAIN is None:
            return model.trainable_variables
        paths = [variable.path for variable in model.trainable_variables]
        for part in config.PARTIAL_TRAIN:
            if not any(part in path for path in paths):
                names = sorted({path.split("/")[-2] for path in paths})
                raise Pose3DError(
                    f"PARTIAL_TRAIN: no weight's name holds {part!r}; layers: {', '.join(names)}"
                )
        return [
            variable
            for variable in model.trainable_variables
            if any(part in variable.path for part in config.PARTIAL_TRAIN)
        ]

    def build_model(self, config: MotionBERTConfig) -> MotionBERT:
        from tf_pose3d.models.motionbert.model import MotionBERT

        model = MotionBERT(
            frames=config.FRAMES,
            width=config.CHANNELS,
            representation=config.REPRESENTATION,
            depth=config.LAYERS,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.DROP_PATH_RATE,
            adaptive_fusion=config.ADAPTIVE_FUSION,
            root_relative=config.ROOT_RELATIVE,
        )
        model.build()
        return model
