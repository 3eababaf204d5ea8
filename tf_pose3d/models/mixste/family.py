"""MixSTE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.models.family import Loss
from tf_pose3d.models.mixste.config import JOINT_WEIGHTS, MixSTEConfig
from tf_pose3d.models.sequence_to_sequence import SequenceFamily
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.mixste.model import MixSTE

__all__ = ["MixSTEFamily", "mixste_loss"]


class MixSTEFamily(SequenceFamily[MixSTEConfig]):
    """Attention over joints and over frames in turn, trained and tested in VideoPose3D's way."""

    protocol = "metric_clips"
    config_class = MixSTEConfig

    def build_model(self, config: MixSTEConfig) -> MixSTE:
        from tf_pose3d.models.mixste.model import MixSTE

        model = MixSTE(
            frames=config.FRAMES,
            joints=get_skeleton(config.SKELETON).num_joints,
            width=config.CHANNELS,
            depth=config.LAYERS,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.DROP_PATH_RATE,
        )
        model.build()
        return model

    def loss(self, config: MixSTEConfig, split: str = "train") -> Loss:
        """`mixste_loss` of root-relative poses."""
        from keras import ops

        root = get_skeleton(config.SKELETON).root

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            total = mixste_loss(outputs["pose_3d_sequence"], target, config)
            if not config.LOSS_AS_GRADIENT:
                return total
            # The value stays; its gradient is multiplied with it.
            held = ops.stop_gradient(total)
            return total * held + (held - ops.square(held))

        return loss


def mixste_loss(poses: Tensor, target: Tensor, config: MixSTEConfig) -> Tensor:
    """Joint distance by joint weights, squared movement, and the distance between movements.

    Args:
        poses, target: `(B, F, J, 3)` metres.
        config: Its factors, and the layout that the weights are for.
    """
    import numpy as np
    from keras import ops

    from tf_pose3d.layers.losses import mean_length, mean_velocity_distance

    weights = np.array(JOINT_WEIGHTS[config.SKELETON], np.float32)
    poses = ops.cast(poses, "float32")
    total = mean_length(poses - target, weights)
    if config.LOSS_SMOOTHNESS and poses.shape[1] > 1:
        moved = ops.square(poses[:, 1:] - poses[:, :-1])
        total = total + config.LOSS_SMOOTHNESS * ops.mean(
            ops.convert_to_tensor(weights[:, None], moved.dtype) * moved
        )
    return total + config.LOSS_VELOCITY * mean_velocity_distance(poses, target)
