"""D3DP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.models.d3dp.config import D3DPConfig
from tf_pose3d.models.family import Loss
from tf_pose3d.models.sequence_to_sequence import SequenceFamily
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.d3dp.model import D3DP

__all__ = ["D3DPFamily"]


class D3DPFamily(SequenceFamily[D3DPConfig]):
    """Several poses for each frame, by taking noise off random ones."""

    protocol = "hypotheses"
    config_class = D3DPConfig

    def build_model(self, config: D3DPConfig) -> D3DP:
        from tf_pose3d.models.d3dp.model import D3DP

        model = D3DP(
            frames=config.FRAMES,
            width=config.CHANNELS,
            depth=config.LAYERS,
            diffusion_steps=config.DIFFUSION_STEPS,
            proposals=config.PROPOSALS,
            sampling_steps=config.SAMPLING_STEPS,
            flip=config.EVAL_FLIP,
            seed=config.SHUFFLE_SEED,
            aggregation=config.AGGREGATION,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.DROP_PATH_RATE,
        )
        model.build()
        return model

    def loss(self, config: D3DPConfig, split: str = "train") -> Loss:
        """Mean joint distance of every frame, root-centred, metres."""
        from keras import ops

        from tf_pose3d.layers.losses import mean_joint_distance

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, :1]
            total = mean_joint_distance(outputs["pose_3d_sequence"], target)
            if not config.LOSS_AS_GRADIENT:
                return total
            held = ops.stop_gradient(total)
            return total * held + (held - ops.square(held))

        return loss
