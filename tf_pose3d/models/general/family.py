"""The general lifter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.data.motion_clips import MOTION_FPS, MOTION_SKELETON
from tf_pose3d.data.motion_views import MotionSpec
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed, Tensor, Tensors

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.general.model import GeneralNet

__all__ = ["GeneralFamily"]

_SMALL = 1e-9


class GeneralFamily(Family[GeneralConfig]):
    """A lifter of anyone's keypoints, trained on made-up views of motion capture."""

    config_class = GeneralConfig
    protocol = "motion"

    def skeleton(self, config: GeneralConfig) -> str:
        return MOTION_SKELETON

    def build_model(self, config: GeneralConfig) -> GeneralNet:
        from tf_pose3d.models.general.model import GeneralNet

        model = GeneralNet(
            config.WIDTH,
            config.BLOCKS,
            config.TEMPORAL_WIDTH,
            config.DILATIONS,
            config.VIRTUAL_CAMERA,
            config.CONSTANT_BONES,
            config.KNEES_FORWARD,
            name="general",
        )
        model.build()
        return model

    def data_spec(self, config: GeneralConfig, split: str) -> MotionSpec:
        """Clips of motion; a frame depends on those that the dilations reach, clips are lifted whole."""
        return MotionSpec(
            length=1 + 2 * sum(config.DILATIONS), frame_rate=int(MOTION_FPS), channels=3, views=config
        )

    def loss(self, config: GeneralConfig, split: str = "train") -> Loss:
        """Mean joint distance in metres, and what the config weighs beside it.

        The likelihood of the uncertainty is Laplace's over a joint's distance, which is taken as it is: the
        pose itself is not pulled by it.
        """
        from keras import ops

        from tf_pose3d.geometry.small_alignment import aligned_residual

        parents = np.array(get_skeleton(MOTION_SKELETON).parents[1:])

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, :1]
            pose = outputs["pose_3d_sequence"]
            distance = _norm(pose - target)
            total = ops.mean(distance)
            if config.LOSS_ALIGNED:
                total = total + config.LOSS_ALIGNED * ops.mean(_norm(aligned_residual(pose, target)))
            if config.LOSS_UNCERTAINTY:
                scale = outputs["scale"][:, :, 1:]
                error = ops.stop_gradient(distance[:, :, 1:])
                total = total + config.LOSS_UNCERTAINTY * ops.mean(error / scale + ops.log(scale))
            if config.LOSS_VELOCITY and config.CLIP_FRAMES > 1:
                moved = (pose[:, 1:] - pose[:, :-1]) - (target[:, 1:] - target[:, :-1])
                total = total + config.LOSS_VELOCITY * ops.mean(_norm(moved))
            if config.LOSS_BONES:
                lengths = [_norm(one[:, :, 1:] - ops.take(one, parents, axis=2)) for one in (pose, target)]
                total = total + config.LOSS_BONES * ops.mean(ops.abs(lengths[0] - lengths[1]))
            return total

        return loss

    def load_initial_weights(self, model: keras.Model, path: Parsed) -> None:
        """Sets all weights, or those that see one frame, where the file's network sees nothing else."""
        from tf_pose3d.models.general.model import GeneralNet
        from tf_pose3d.models.loading import load_model

        held = load_model(path)
        if isinstance(held, GeneralNet) and not held.temporal and model.temporal:
            _copy_frame_layers(held, model)
            return
        super().load_initial_weights(model, path)


def _copy_frame_layers(source: GeneralNet, model: GeneralNet) -> None:
    pairs: list[tuple[keras.layers.Layer, keras.layers.Layer]] = [
        (getattr(source, name), getattr(model, name)) for name in ("entry", "head_norm", "head")
    ]
    pairs += list(zip(source.blocks, model.blocks, strict=True))
    for held, layer in pairs:
        layer.set_weights(held.get_weights())


def _norm(vectors: Tensor) -> Tensor:
    """Lengths over the last axis, with a gradient where they vanish."""
    from keras import ops

    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1) + _SMALL)
