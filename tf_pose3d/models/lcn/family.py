"""LCN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.graphs import laplacian_matrix
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.models.lcn.model import LCN

__all__ = ["LCNFamily"]


class LCNFamily(Family[LCNConfig]):
    """Locally connected layers over the joints, one frame at a time, in the image frame."""

    config_class = LCNConfig
    protocol = "lcn"
    lifted_in_keras_because = "the root's depth comes of the network's own output first"

    def skeleton(self, config: LCNConfig) -> str:
        return config.skeleton

    def build_model(self, config: LCNConfig) -> LCN:
        from tf_pose3d.models.lcn.model import LCN

        learnable = config.MASK_TYPE == "locally_connected_learnable"
        model = LCN(
            config.mask().tolist(),
            input_features=config.IN_F,
            channels=config.CHANNELS,
            num_layers=config.LAYERS,
            dropout=config.DROPOUT,
            residual=config.RESIDUAL,
            max_norm=config.WEIGHT_MAX_NORM,
            learnable_mask=config.INIT_TYPE if learnable else None,
            regularization=config.REGULARIZATION,
            seed=config.SHUFFLE_SEED,
            name="lcn",
        )
        model.build()
        return model

    def data_spec(self, config: LCNConfig, split: str) -> WindowSpec:
        return WindowSpec(
            length=1,
            step=config.subsample_step(split),
            mirror=config.mirroring(split),
            channels=config.IN_F,
            image_poses=True,
            options={"mode": config.MODE, "confidence": config.IN_F == 3},
        )

    def config_from_data(self, config: LCNConfig, examples: Windows) -> LCNConfig:
        """Fills in MASK where it is the Laplacian, from the mean limb lengths of the labels."""
        from tf_pose3d.models.lcn.labels import window_labels

        if config.MASK is not None or config.MASK_SOURCE != "laplacian":
            return config
        return config.replace(MASK=laplacian_matrix(window_labels(examples), config.GRAPH).T.tolist())

    def loss(self, config: LCNConfig, split: str = "train") -> Loss:
        """Mean squared error of normalised image coordinates, and the weight penalty where there is one."""
        from keras import ops

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            error = ops.mean(ops.square(outputs["pose_image"] - self.labels(config, batch)))
            return error + outputs["weight_penalty"] if "weight_penalty" in outputs else error

        return loss

    @staticmethod
    def labels(config: LCNConfig, batch: Tensors) -> Tensor:
        """`(B, J, 3)` normalised image coordinates of a batch's true poses."""
        from keras import ops

        from tf_pose3d.models.lcn.image_frame import image_poses, pinhole_parameters

        if "pose_image" in batch:
            # Data that hold poses of the image: the very labels.
            return ops.reshape(batch["pose_image"], (-1, config.IN_JOINTS, 3))
        pose = ops.reshape(batch["pose_3d"], (-1, config.IN_JOINTS, 3))
        depth, width = batch.get("root_depth"), batch.get("box_width")
        return image_poses(
            pose,
            pinhole_parameters(batch["intrinsics"]),
            pose[:, 0, 2] if depth is None else ops.reshape(depth, (-1,)),
            None if width is None else ops.reshape(width, (-1,)),
        )
