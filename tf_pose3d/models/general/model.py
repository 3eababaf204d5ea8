"""A network from the joints that every detector finds to a whole pose with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.data.motion_clips import MOTION_SKELETON
from tf_pose3d.data.motion_views import DETECTOR_SKELETON
from tf_pose3d.geometry.knees import bend_forwards, front_of
from tf_pose3d.geometry.virtual_camera import turn_back, virtual_view
from tf_pose3d.models.general.assembly import BONE_LENGTHS, KNEE_MARGIN, bone_chain, bone_groups
from tf_pose3d.models.general.numpy_network import LOG_SIZE, LOG_SIZE_SPREAD, RADIUS
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor

__all__ = ["GeneralNet"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class ResidualDense(keras.layers.Layer):
    """Normalised, widened by nothing, rectified smoothly, added: a block of two dense layers.

    Args:
        units: Features.

    Input and output: `(N, units)`.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.norm = keras.layers.RMSNormalization(dtype=self.dtype_policy, name="norm")
        self.first = keras.layers.Dense(
            units, kernel_initializer="he_normal", dtype=self.dtype_policy, name="first"
        )
        self.second = keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.VarianceScaling(0.1),
            dtype=self.dtype_policy,
            name="second",
        )

    def build(self, input_shape: tuple) -> None:
        for layer in (self.norm, self.first, self.second):
            layer.build((None, self.units))

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.second(ops.silu(self.first(self.norm(inputs))))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class ResidualTemporal(keras.layers.Layer):
    """A convolution over three frames, some apart, and a dense layer, added to what came in.

    Beyond the clip's ends lie zeros.

    Args:
        units: Features.
        dilation: Frames from one tap to the next.

    Input and output: `(B, N, units)`.
    """

    def __init__(self, units: int, dilation: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.dilation = units, dilation
        self.norm = keras.layers.RMSNormalization(dtype=self.dtype_policy, name="norm")
        self.first = keras.layers.Dense(
            units, kernel_initializer="he_normal", dtype=self.dtype_policy, name="first"
        )
        self.second = keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.VarianceScaling(0.1),
            dtype=self.dtype_policy,
            name="second",
        )

    def build(self, input_shape: tuple) -> None:
        self.norm.build((None, None, self.units))
        self.first.build((None, None, 3 * self.units))
        self.second.build((None, None, self.units))

    def call(self, inputs: Tensor) -> Tensor:
        normed = self.norm(inputs)
        frames = ops.shape(inputs)[1]
        padded = ops.pad(normed, ((0, 0), (self.dilation, self.dilation), (0, 0)))
        # As one matrix product: dilated convolutions are slow on CPUs.
        taps = [padded[:, tap * self.dilation : tap * self.dilation + frames] for tap in range(3)]
        rows = ops.reshape(ops.concatenate(taps, axis=-1), (-1, 3 * self.units))
        rows = self.second(ops.silu(self.first(rows)))
        return inputs + ops.reshape(rows, ops.shape(inputs))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "dilation": self.dilation}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class RadiusCalibration(keras.layers.Layer):
    """From the mean error that a network foresees to a radius that holds nine joints of ten.

    The radius is `factor * scale ** power` with a factor and a power for each joint, which are no matter of
    gradients: calibration sets them on people that the network was not trained on.

    Input and output: `(B, N, J)` metres.
    """

    def build(self, input_shape: tuple) -> None:
        for name, value in (("factor", 2.0), ("power", 1.0)):
            weight = self.add_weight(
                shape=(input_shape[-1],),
                initializer=keras.initializers.Constant(value),
                trainable=False,
                dtype="float32",
                name=name,
            )
            setattr(self, name, weight)

    def call(self, inputs: Tensor) -> Tensor:
        return self.factor * ops.power(inputs, self.power)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable(package="tf_pose3d")
class GeneralNet(PoseModel):
    """Lifts every frame of a clip.

    A virtual camera is turned to the person in each frame, a residual network reads what it sees, temporal
    convolutions (where there are any) read its features over time, and the pose is turned back. So neither
    the place in the image nor focal length and resolution matter.

    Args:
        width, blocks: Of the network of one frame.
        temporal_width, dilations: Of the temporal convolutions; no dilations: none.
        use_virtual_camera: False: rays are centred and scaled, no camera is turned.
        constant_bones: Poses of bone directions and of lengths that are means over the clip's frames; else
            of free joints.
        knees_forward: No knee lies more than 35 mm behind the line from hip to ankle, as hips and trunk say
            what is behind: 99.8 % of real legs that are bent. See `geometry/knees.py`.

    Input (dict): keypoints_2d `(B, N, 13, 3)` or `(B, 13, 3)` in `DETECTOR_SKELETON`: normalised screen
    coordinates and confidence, 0 where unseen; intrinsics `(B, 11)`, see `Camera.intrinsics`.
    Output (dict), metres: pose_3d_sequence `(B, N, 17, 3)`, root at 0, camera frame; radius_90 `(B, N, 17)`:
    within it the true joint is to be found nine times of ten; pose_3d `(B, 17, 3)` and radius_90_central
    `(B, 17)` of the middle frame; in training also scale `(B, N, 17)`, the mean error that is foreseen.
    """

    def __init__(
        self,
        width: int = 512,
        blocks: int = 2,
        temporal_width: int = 256,
        dilations: Sequence[int] = (),
        use_virtual_camera: bool = True,
        constant_bones: bool = True,
        knees_forward: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "width": width,
            "blocks": blocks,
            "temporal_width": temporal_width,
            "dilations": list(dilations),
            "use_virtual_camera": use_virtual_camera,
            "constant_bones": constant_bones,
            "knees_forward": knees_forward,
        }
        self.joints = get_skeleton(MOTION_SKELETON).num_joints
        kinds, self._kinds = bone_groups()
        self._log_lengths = np.log([BONE_LENGTHS[kind] for kind in kinds]).astype(np.float32)
        self._chain = bone_chain()
        bones = self.joints - 1
        self._parts = [3 * bones, len(kinds), self.joints] if constant_bones else [3 * bones, 0, self.joints]
        outputs = sum(self._parts)
        self.entry = keras.layers.Dense(width, kernel_initializer="he_normal", name="entry")
        self.blocks = [ResidualDense(width, name=f"block{index}") for index in range(blocks)]
        self.head_norm = keras.layers.RMSNormalization(name="head_norm")
        self.head = keras.layers.Dense(
            outputs, kernel_initializer=keras.initializers.VarianceScaling(0.1), dtype="float32", name="head"
        )
        self.calibration = RadiusCalibration(name="calibration")
        self.temporal: list[ResidualTemporal] = []
        if dilations:
            self.temporal_entry = keras.layers.Dense(temporal_width, name="temporal_entry")
            self.temporal = [
                ResidualTemporal(temporal_width, dilation, name=f"temporal{index}")
                for index, dilation in enumerate(dilations)
            ]
            self.temporal_norm = keras.layers.RMSNormalization(name="temporal_norm")
            self.temporal_head = keras.layers.Dense(
                outputs, kernel_initializer="zeros", dtype="float32", name="temporal_head"
            )

    _reads_longer_windows = True

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        joints = DETECTOR_SKELETON.num_joints
        return {"keypoints_2d": (None, 1, joints, 3), "intrinsics": (None, 11)}

    def build(self, input_shape: object = None) -> None:
        width, narrow = self.settings["width"], self.settings["temporal_width"]
        self.entry.build((None, 3 * DETECTOR_SKELETON.num_joints + 1))
        for layer in (*self.blocks, self.head_norm, self.head):
            layer.build((None, width))
        if self.temporal:
            self.temporal_entry.build((None, width))
            for layer in self.temporal:
                layer.build((None, None, narrow))
            for layer in (self.temporal_norm, self.temporal_head):
                layer.build((None, narrow))
        self.calibration.build((None, None, self.joints))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        raw = self.lift_frames(inputs)
        return self.assemble(raw, ops.mean(raw["log_lengths"], axis=1, keepdims=True))

    def lift_frames(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the network says of each frame.

        Returns:
            bones `(B, N, 16, 3)`: unit vectors in the real camera (free joints: vectors of any length);
            log_lengths `(B, N, kinds)`, natural logarithms of metres; scale `(B, N, 17)` metres.
        """
        keypoints = ops.cast(inputs["keypoints_2d"], "float32")
        if len(keypoints.shape) == 3:
            keypoints = ops.expand_dims(keypoints, 1)
        batch, frames = ops.shape(keypoints)[0], ops.shape(keypoints)[1]
        intrinsics = ops.cast(inputs["intrinsics"], "float32")[:, None, None]
        rays = (keypoints[..., :2] - intrinsics[..., 4:6]) / intrinsics[..., 2:4]
        confidence = keypoints[..., 2]
        view = virtual_view(rays, confidence)
        points, direction = view.points, view.direction
        if not self.settings["use_virtual_camera"]:
            points, log_size = _centred(rays, confidence)
        else:
            log_size = view.log_size
        size = (log_size - LOG_SIZE) / LOG_SIZE_SPREAD
        flat = ops.concatenate(
            [ops.reshape(points, (batch, frames, 2 * DETECTOR_SKELETON.num_joints)), confidence, size],
            axis=-1,
        )
        features = self.entry(ops.reshape(flat, (-1, flat.shape[-1])))
        for block in self.blocks:
            features = block(features)
        features = self.head_norm(features)
        outputs = self.head(features)
        if self.temporal:
            narrow = self.temporal_entry(features)
            narrow = ops.reshape(narrow, (batch, frames, self.settings["temporal_width"]))
            for layer in self.temporal:
                narrow = layer(narrow)
            narrow = ops.reshape(narrow, (-1, self.settings["temporal_width"]))
            outputs = outputs + self.temporal_head(self.temporal_norm(narrow))
        bones = ops.reshape(outputs[:, : self._parts[0]], (batch, frames, self.joints - 1, 3))
        lengths = outputs[:, self._parts[0] : self._parts[0] + self._parts[1]]
        lengths = ops.reshape(lengths, (batch, frames, self._parts[1]))
        scale = ops.reshape(outputs[:, -self.joints :], (batch, frames, self.joints))
        if self.settings["constant_bones"]:
            square = ops.sum(bones * bones, axis=-1, keepdims=True)
            bones = bones * ops.rsqrt(ops.maximum(square, 1e-6))
            lengths = ops.add(lengths, self._log_lengths)
        if self.settings["use_virtual_camera"]:
            bones = turn_back(bones, direction)
        return {
            "bones": bones,
            "log_lengths": lengths,
            "scale": RADIUS * ops.exp(ops.clip(scale, -5.0, 4.0)),
        }

    def assemble(self, raw: dict[str, Tensor], log_lengths: Tensor) -> dict[str, Tensor]:
        """Poses of what `lift_frames` gives.

        Args:
            raw: Of `lift_frames`.
            log_lengths: `(B, 1, kinds)` for the whole clip.
        """
        bones = raw["bones"]
        if self.settings["constant_bones"]:
            lengths = ops.exp(ops.take(log_lengths, self._kinds, axis=-1))
            bones = bones * ops.expand_dims(lengths, -1)
        if self.settings["knees_forward"]:
            bones = _bend_knees(bones)
        # Not matmul, which Keras 3.12 broadcasts: TensorFlow 2.21 (issue 117700) writes beyond the result of
        # `(B, 1, 3, 16)` by `(16, 17)`.
        poses = ops.swapaxes(ops.tensordot(ops.swapaxes(bones, -1, -2), self._chain, axes=1), -1, -2)
        scale = raw["scale"]
        radius = self.calibration(scale)
        middle = poses.shape[1] // 2 if poses.shape[1] is not None else ops.shape(poses)[1] // 2
        return {
            "pose_3d": poses[:, middle],
            "pose_3d_sequence": poses,
            "radius_90": radius,
            "radius_90_central": radius[:, middle],
            "scale": scale,
        }

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}


def _bend_knees(bones: Tensor) -> Tensor:
    """`(..., 16, 3)` bones whose shins bend the right way, see `bend_forwards`."""
    joints = get_skeleton(MOTION_SKELETON).joints[1:]
    parts = {joint: bones[..., number, :] for number, joint in enumerate(joints)}
    front = front_of(parts["l_hip"] - parts["r_hip"], parts["spine"] + parts["neck"])
    for side in "lr":
        ankle = f"{side}_ankle"
        parts[ankle] = bend_forwards(parts[f"{side}_knee"], parts[ankle], front, KNEE_MARGIN)
    return ops.stack([parts[joint] for joint in joints], axis=-2)


def _centred(rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """Rays round their mean at unit size, without turning a camera."""
    total = ops.maximum(ops.sum(confidence, axis=-1, keepdims=True), 1e-6)
    weights = ops.expand_dims(confidence / total, -1)
    rays = ops.where(weights > 0, rays, 0.0)
    offset = (rays - ops.sum(weights * rays, axis=-2, keepdims=True)) * ops.cast(weights > 0, rays.dtype)
    square = ops.sum(weights * offset * offset, axis=(-2, -1))
    size = ops.sqrt(ops.maximum(square, 1e-8))[..., None]
    return offset / ops.expand_dims(size, -1), ops.log(size)
