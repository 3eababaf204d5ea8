"""PoseResNet (Xiao et al., ECCV 2018): a ResNet and deconvolutions that make heat maps of joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.residual import BasicBlock, BottleneckBlock, NormedConvolution
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.models.pose_resnet.config import BLOCKS_PER_STAGE, has_bottlenecks
from tf_pose3d.types import Tensor

__all__ = ["PoseResNet"]

_STEM_FILTERS = 64
_DECONV_KERNEL = 4


@keras.saving.register_keras_serializable(package="tf_pose3d")
class PoseResNet(PoseModel):
    """Heat maps of one person's joints.

    Args:
        num_joints: Heat maps.
        num_layers: 18, 34, 50, 101 or 152.
        stage_channels: Channels inside the blocks of the four stages.
        deconv_filters: Channels of the three 4x4 deconvolutions, each of which doubles the size.
        deconv_bias: Whether they have a bias.
        final_kernel_size: 1 or 3.

    Inputs (dict):
        image: `(B, H, W, 3)` normalised; H and W are multiples of 32.

    Output (dict):
        heatmaps: `(B, H / 4, W / 4, num_joints)`.
    """

    def __init__(
        self,
        num_joints: int,
        num_layers: int = 152,
        stage_channels: Sequence[int] = (64, 128, 256, 512),
        deconv_filters: Sequence[int] = (256, 256, 256),
        deconv_bias: bool = False,
        final_kernel_size: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "num_joints": num_joints,
            "num_layers": num_layers,
            "stage_channels": list(stage_channels),
            "deconv_filters": list(deconv_filters),
            "deconv_bias": deconv_bias,
            "final_kernel_size": final_kernel_size,
        }
        policy = self.dtype_policy
        block = BottleneckBlock if has_bottlenecks(num_layers) else BasicBlock
        self.stem = NormedConvolution(_STEM_FILTERS, 7, 2, dtype=policy, name="stem")
        channels = _STEM_FILTERS
        self.stages = []
        for stage, (filters, count) in enumerate(
            zip(stage_channels, BLOCKS_PER_STAGE[num_layers], strict=True)
        ):
            blocks = []
            for index in range(count):
                strides = 2 if stage and not index else 1
                project = strides > 1 or channels != filters * block.expansion
                blocks.append(
                    block(filters, strides, project, dtype=policy, name=f"stage_{stage + 1}_{index}")
                )
                channels = filters * block.expansion
            self.stages.append(blocks)
        small = keras.initializers.RandomNormal(stddev=0.001)
        self.deconvolutions = [
            keras.layers.Conv2DTranspose(
                filters,
                _DECONV_KERNEL,
                2,
                padding="same",
                data_format="channels_last",
                use_bias=deconv_bias,
                kernel_initializer=small.clone(),
                dtype=policy,
                name=f"deconvolution_{index + 1}",
            )
            for index, filters in enumerate(deconv_filters)
        ]
        self.deconvolution_norms = [
            UnbiasedBatchNormalization(0.9, 1e-5, dtype=policy, name=f"deconvolution_norm_{index + 1}")
            for index in range(len(deconv_filters))
        ]
        self.final = keras.layers.Conv2D(
            num_joints,
            final_kernel_size,
            padding="same",
            data_format="channels_last",
            kernel_initializer=small.clone(),
            dtype=policy,
            name="final",
        )

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"image": (None, None, None, 3)}

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.stem.build((None, None, None, 3))
        channels = _STEM_FILTERS
        for block in (block for blocks in self.stages for block in blocks):
            block.build((None, None, None, channels))
            channels = block.filters * block.expansion
        for layer, norm in zip(self.deconvolutions, self.deconvolution_norms, strict=True):
            layer.build((None, None, None, channels))
            channels = layer.filters
            norm.build((None, None, None, channels))
        self.final.build((None, None, None, channels))
        self.built = True

    def heatmaps(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Heat maps `(B, H / 4, W / 4, num_joints)` float32 of images `(B, H, W, 3)`."""
        features = self.stem(ops.cast(images, self.compute_dtype), training=training)
        # Zeros serve as padding of a maximum, as nothing is negative behind a ReLU.
        features = ops.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
        features = ops.max_pool(features, 3, 2, padding="valid", data_format="channels_last")
        for block in (block for blocks in self.stages for block in blocks):
            features = block(features, training=training)
        for layer, norm in zip(self.deconvolutions, self.deconvolution_norms, strict=True):
            features = ops.relu(norm(layer(features), training=training))
        return ops.cast(self.final(features), "float32")

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        return {"heatmaps": self.heatmaps(inputs["image"], training=training)}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
