"""EHFusion: motion angles, camera embedding and fusion of body parts on top of RIE's encoders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.normed_linear import NormedLinear
from tf_pose3d.layers.temporal_convolution import TemporalNetwork
from tf_pose3d.models.body_part_model import BodyPartModel
from tf_pose3d.types import Tensor

__all__ = ["EHFusion", "motion_angles"]


# The release's numbers: features of the angles' networks and results, and of the camera's embedding.
_ANGLE_CHANNELS = 256
_ANGLE_FEATURES = 64
_CAMERA_HIDDEN = 32
_CAMERA_FEATURES = 64
# Where focal length (2) and principal point (2) are among the 11 intrinsics.
_FOCAL_AND_CENTRE = slice(2, 6)
# PyTorch's smallest norm in a cosine.
_LEAST_NORM = 1e-8


def motion_angles(keypoints: Tensor, predicted: Tensor, root: int) -> Tensor:
    """exp(angle - pi), the angle at the root between a joint and the same joint in the predicted frame.

    Args:
        keypoints: `(B, N, J, 2)`.
        predicted: `(B, J, 2)`.
        root: Index of the root. Its own vector is zero; the angle then counts as a right one.

    Returns:
        `(B, N, J)`.
    """
    frames = keypoints - keypoints[:, :, root : root + 1]
    target = (predicted - predicted[:, root : root + 1])[:, None]
    norms = [
        ops.maximum(ops.sqrt(ops.sum(ops.square(vectors), axis=-1)), _LEAST_NORM)
        for vectors in (frames, target)
    ]
    cosine = ops.sum(frames * target, axis=-1) / (norms[0] * norms[1])
    return ops.exp(ops.arccos(ops.clip(cosine, -1.0, 1.0)) - math.pi)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class EHFusion(BodyPartModel):
    """Temporal features of body parts, motion angles and camera, fused between the parts.

    "EHFusion", the release of the heterogeneous feature fusion that extends RIE. Its release lacks the module
    that embeds the intrinsics; this one is Ray3D's (Zhan et al., CVPR 2022), of the same name and signature.

    Args:
        skeleton, filter_widths, channels, latent, hidden, dropout, causal: See `BodyPartModel`.
        stage: 0 is the one-stage network with two branches of decoders, without and with the fused features;
            1 to 3 are the stages of the three-stage network, whose first one has no fusion.
        fuse: False puts zeros where the fused features belong in the one-stage network, as its release does.
        camera: Whether the embedding gets the intrinsics; else it gets zeros.

    Input (dict): keypoints_2d `(B, N, J, 2)`, normalised screen coordinates; intrinsics `(B, 11)`, see
    `Camera.intrinsics`, or `(B, 4)`: normalised focal length and principal point.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame; in the one-stage network
    also pose_3d_unfused, the first branch's.
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
        stage: int = 0,
        fuse: bool = True,
        camera: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(skeleton, filter_widths, channels, latent, hidden, dropout, causal, **kwargs)
        self.settings |= {"stage": stage, "fuse": fuse, "camera": camera}
        self.torso_fusion = self.limb_fusion = None
        if stage != 1:
            self.torso_fusion = self._block(latent, "torso_fusion")
            # The release's four quarter-width maps side by side.
            self.limb_fusion = NormedLinear(latent, use_bias=True, name="limb_fusion")
        self.angle_networks = [
            TemporalNetwork(
                _ANGLE_FEATURES,
                filter_widths,
                _ANGLE_CHANNELS,
                dropout,
                slope=0.2,
                causal=causal,
                name=f"angle_{part.name}",
            )
            for part in self.parts
        ]
        self.camera_layers = [
            NormedLinear(width, use_bias=True, slope=0.01, dropout=0.25, name=f"camera_{index}")
            for index, width in enumerate((_CAMERA_HIDDEN, _CAMERA_FEATURES), start=1)
        ]
        self.unfused_decoders = self._decoders("unfused_decoder") if stage == 0 else []
        self.decoders = self._decoders("decoder")

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        shapes = super().input_shapes
        return {**shapes, "intrinsics": (None, 11)} if self.settings["camera"] else shapes

    def build(self, input_shape: object = None) -> None:
        self._build_encoders()
        latent = self.settings["latent"]
        for layer in self.fusion_layers:
            layer.build((None, 4 * latent))
        for network, part in zip(self.angle_networks, self.parts, strict=True):
            network.build((None, self.window, len(part.joints)))
        self.camera_layers[0].build((None, 4))
        self.camera_layers[1].build((None, _CAMERA_HIDDEN))
        beside = latent + _ANGLE_FEATURES + _CAMERA_FEATURES
        for decoder in self.unfused_decoders:
            decoder.build((None, latent + beside))
        for decoder in self.decoders:
            decoder.build((None, (2 if self.fusion_layers else 1) * latent + beside))
        self.built = True

    @property
    def fusion_layers(self) -> list[keras.Layer]:
        """The layers that fuse the parts' features; none in stage 1."""
        return [layer for layer in (self.torso_fusion, self.limb_fusion) if layer is not None]

    def _camera_features(self, intrinsics: Tensor | None, keypoints: Tensor, training: bool | None) -> Tensor:
        if not self.settings["camera"]:
            features = ops.zeros((ops.shape(keypoints)[0], 4), self.compute_dtype)
        elif intrinsics is None:
            raise ValueError("this model reads intrinsics, and the inputs hold none")
        else:
            whole = intrinsics.shape[-1] != 4
            features = intrinsics[:, _FOCAL_AND_CENTRE] if whole else intrinsics
            features = ops.cast(features, self.compute_dtype)
        for layer in self.camera_layers:
            features = layer(features, training=training)
        return features

    def _fused_features(self, local: list[Tensor], training: bool | None) -> list[Tensor]:
        """For each part what is made of the other four's features; zeros where the release forgets to."""
        if not self.settings["fuse"]:
            return [ops.zeros_like(part) for part in local]
        torso, limb = self.fusion_layers
        fused = []
        for index in range(len(local)):
            others = ops.concatenate(local[:index] + local[index + 1 :], axis=-1)
            fused.append((limb if index else torso)(others, training=training))
        return fused

    def lift_windows(
        self,
        expanded: list[Tensor],
        keypoints: Tensor,
        intrinsics: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        # Angles lose too much in half precision.
        exact = ops.cast(keypoints, "float32")
        angles = motion_angles(exact, exact[:, self.predicted_frame], self.root)
        angles = ops.cast(angles, self.compute_dtype)
        predicted = ops.cast(keypoints[:, self.predicted_frame], self.compute_dtype)
        whole = self.global_features(predicted, training)
        local = self.local_features(expanded, predicted, training)
        camera = self._camera_features(intrinsics, keypoints, training)
        beside = [
            [
                whole,
                network(ops.take(angles, np.array(part.joints), axis=-1), training=training)[:, 0],
                camera,
            ]
            for network, part in zip(self.angle_networks, self.parts, strict=True)
        ]
        outputs = {}
        if self.unfused_decoders:
            features = [[part, *others] for part, others in zip(local, beside, strict=True)]
            outputs["pose_3d_unfused"] = self.decode(self.unfused_decoders, features, training)
        fused = self._fused_features(local, training) if self.fusion_layers else [None] * len(local)
        features = [
            [part, *([] if mixed is None else [mixed]), *others]
            for part, mixed, others in zip(local, fused, beside, strict=True)
        ]
        return {"pose_3d": self.decode(self.decoders, features, training), **outputs}
