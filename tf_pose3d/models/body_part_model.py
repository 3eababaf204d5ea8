"""What RIE and EHFusion share: a temporal network for each body part and an encoder of the whole pose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.batch_normalization import SharedMomentum
from tf_pose3d.layers.body_parts import BodyPart, body_parts, join_order
from tf_pose3d.layers.fully_connected import FullyConnectedBlock
from tf_pose3d.layers.normed_linear import NormedLinear
from tf_pose3d.layers.temporal_convolution import TemporalNetwork, receptive_field, unfold_strided
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor

__all__ = ["BodyPartModel"]


# Of LeakyReLU, of dropout in fully connected layers.
_SLOPE = 0.2
_FULL_DROPOUT = 0.25


class BodyPartModel(PoseModel):
    """Predicts the pose of one frame of a window from five parts of the body.

    Each part's network reads where its joints are, where they are relative to the root, and relative to
    themselves in the frame that is predicted. Its first layer is linear in all of these, so that it is one
    convolution of plain coordinates, the same for all windows of a sequence, less one vector a window.

    Args:
        skeleton: Name of the joint layout.
        filter_widths: Odd kernel widths; a window is as long as their product.
        channels: Features inside the parts' networks.
        latent: Features of a part and of the whole pose.
        hidden: Features inside fully connected blocks.
        dropout: Rate in the parts' networks; that of fully connected blocks is 0.25.
        causal: Whether a window ends at the frame that is predicted, and does not lie around it.
    """

    def __init__(
        self,
        skeleton: str,
        filter_widths: Sequence[int],
        channels: int,
        latent: int,
        hidden: int,
        dropout: float,
        causal: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "skeleton": skeleton,
            "filter_widths": list(filter_widths),
            "channels": channels,
            "latent": latent,
            "hidden": hidden,
            "dropout": dropout,
            "causal": causal,
        }
        layout = get_skeleton(skeleton)
        self.joints, self.root = layout.num_joints, layout.root
        self.parts = body_parts(layout)
        self.window = receptive_field(filter_widths)
        self.predicted_frame = self.window - 1 if causal else self.window // 2
        self._mixing = {part.name: part.mixing_matrices() for part in self.parts}
        # The releases' decay of momentum reaches these networks only.
        self.momentum = SharedMomentum()
        self.local_networks = [
            TemporalNetwork(
                latent,
                filter_widths,
                channels,
                dropout,
                _SLOPE,
                causal,
                momentum=self.momentum,
                name=f"local_{part.name}",
            )
            for part in self.parts
        ]
        self.global_encoder = self._block(latent, pairs=2, name="global_encoder")

    def _block(self, units: int, name: str, pairs: int = 1) -> FullyConnectedBlock:
        hidden = self.settings["hidden"]
        return FullyConnectedBlock(units, hidden, pairs, _FULL_DROPOUT, _SLOPE, name=name)

    def _decoders(self, prefix: str) -> list[FullyConnectedBlock]:
        return [self._block(3 * len(part.joints), f"{prefix}_{part.name}") for part in self.parts]

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, self.window, self.joints, 2)}

    @property
    def first_stage_layers(self) -> list[keras.Layer]:
        """What the releases' second stage takes over from the first and leaves as it is."""
        return [*self.local_networks, self.global_encoder]

    def _build_encoders(self) -> None:
        for network, part in zip(self.local_networks, self.parts, strict=True):
            network.build((None, self.window, 6 * len(part.joints)))
        self.global_encoder.build((None, 2 * self.joints))

    def _first_kernels(self, layer: NormedLinear, part: BodyPart, width: int) -> tuple[Tensor, Tensor]:
        """The first layer's kernel for plain coordinates of `width` frames, and for the predicted frame's."""
        frame, predicted = self._mixing[part.name]
        kernel = ops.reshape(layer.effective_kernel, (width, -1, self.settings["channels"]))
        of_frames = ops.matmul(ops.convert_to_tensor(frame), kernel)
        of_predicted = ops.matmul(ops.convert_to_tensor(predicted), ops.sum(kernel, axis=0))
        return ops.reshape(of_frames, (-1, self.settings["channels"])), of_predicted

    def _columns(self, keypoints: Tensor, part: BodyPart) -> Tensor:
        """`(..., J, 2)` as `(..., 2 I)`: the coordinates of a part's inputs."""
        columns = ops.take(keypoints, np.array(part.inputs), axis=-2)
        return ops.reshape(columns, (*ops.shape(keypoints)[:-2], 2 * len(part.inputs)))

    def expand_frames(self, keypoints: Tensor, stride: int) -> list[Tensor]:
        """The share of the first layers that no window's predicted frame enters.

        Args:
            keypoints: `(B, T, J, 2)`.
            stride: Frames between results: the first filter width for windows, 1 for whole sequences.

        Returns:
            For each part `(B, T', channels)`.
        """
        width = self.settings["filter_widths"][0]
        results = []
        for network, part in zip(self.local_networks, self.parts, strict=True):
            columns = self._columns(ops.cast(keypoints, self.compute_dtype), part)
            if stride == width:
                rows = unfold_strided(columns, width)
            else:
                count = ops.shape(columns)[1] - width + 1
                rows = ops.concatenate([columns[:, k : k + count] for k in range(width)], axis=-1)
            kernel, _ = self._first_kernels(network.expand, part, width)
            product = ops.matmul(
                ops.reshape(rows, (-1, rows.shape[-1])), ops.cast(kernel, self.compute_dtype)
            )
            results.append(ops.reshape(product, (-1, ops.shape(rows)[1], self.settings["channels"])))
        return results

    def local_features(
        self, expanded: list[Tensor], predicted: Tensor, training: bool | None = None
    ) -> list[Tensor]:
        """`(B, latent)` of each part.

        Args:
            expanded: For each part `(B, N / w, channels)` of `expand_frames`, for windows of N frames.
            predicted: `(B, J, 2)`, the 2D pose of the frame that is predicted.
        """
        width, channels = self.settings["filter_widths"][0], self.settings["channels"]
        features = []
        for network, part, frames in zip(self.local_networks, self.parts, expanded, strict=True):
            _, kernel = self._first_kernels(network.expand, part, width)
            shift = ops.matmul(self._columns(predicted, part), ops.cast(kernel, self.compute_dtype))
            rows = ops.reshape(frames + shift[:, None], (-1, channels))
            rows = network.expand.activate(rows, training)
            window = ops.reshape(rows, (-1, self.window // width, channels))
            features.append(network.window_result(window, training))
        return features

    def global_features(self, predicted: Tensor, training: bool | None = None) -> Tensor:
        """`(B, latent)` of the whole pose `(B, J, 2)` of the frame that is predicted."""
        return self.global_encoder(ops.reshape(predicted, (-1, 2 * self.joints)), training=training)

    def decode(
        self,
        decoders: list[FullyConnectedBlock],
        features: list[list[Tensor]],
        training: bool | None = None,
    ) -> Tensor:
        """`(B, J, 3)` of each part's list of features `(B, C)`."""
        poses = [
            ops.reshape(
                decoder(ops.concatenate(parts, axis=-1), training=training), (-1, len(part.joints), 3)
            )
            for decoder, parts, part in zip(decoders, features, self.parts, strict=True)
        ]
        return ops.take(ops.concatenate(poses, axis=1), np.array(join_order(self.parts)), axis=1)

    def lift_windows(
        self,
        expanded: list[Tensor],
        keypoints: Tensor,
        intrinsics: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        """The outputs for windows whose `expand_frames` is known.

        Args:
            expanded: For each part `(B, N / w, channels)`.
            keypoints: `(B, N, J, 2)`.
            intrinsics: `(B, 11)`, where the model reads them.
        """
        raise NotImplementedError

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        keypoints = inputs["keypoints_2d"][..., :2]
        if keypoints.shape[1] != self.window:
            raise ValueError(f"windows have {keypoints.shape[1]} frames, this model reads {self.window}")
        expanded = self.expand_frames(keypoints, self.settings["filter_widths"][0])
        return self.lift_windows(expanded, keypoints, inputs.get("intrinsics"), training)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
