"""The general lifter's network in NumPy alone: it lifts without Keras and its start-up.

`GeneralNet` is what trains; both give the same poses (tests/models/test_numpy_network.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.motion_clips import MOTION_SKELETON
from tf_pose3d.data.motion_views import DETECTOR_SKELETON
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.general.assembly import BONE_LENGTHS, assemble_clip, bone_groups
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.weight_files.hdf5 import read_config, read_weights

if TYPE_CHECKING:
    from tf_pose3d.models.general.model import GeneralNet

__all__ = ["LOG_SIZE", "LOG_SIZE_SPREAD", "RADIUS", "NumpyNetwork", "layer_shapes", "virtual_view"]

Floats = npt.NDArray[np.float32]

# Mean and spread of the logarithm of sizes that cameras see; typical uncertainty of a joint, metres.
LOG_SIZE, LOG_SIZE_SPREAD = -2.4, 0.7
RADIUS = 0.08

_SEEN = DETECTOR_SKELETON.num_joints
_JOINTS = get_skeleton(MOTION_SKELETON).num_joints
# Of Keras's RMSNormalization.
_EPSILON = np.float32(1e-6)


class NumpyNetwork:
    """What `GeneralNet` computes in inference, float32.

    Args:
        config: Its config.
        layers: Each top-level layer's weights by its name, as `layer_shapes` says.

    Attributes:
        config: As given.
        settings: The network's, as `GeneralNet.settings` has them.
    """

    def __init__(
        self, config: GeneralConfig, layers: Mapping[str, Sequence[npt.NDArray[np.floating]]]
    ) -> None:
        self.config = config
        self.settings: dict[str, object] = {
            "width": config.WIDTH,
            "blocks": config.BLOCKS,
            "temporal_width": config.TEMPORAL_WIDTH,
            "dilations": list(config.DILATIONS),
            "use_virtual_camera": config.VIRTUAL_CAMERA,
            "constant_bones": config.CONSTANT_BONES,
            "knees_forward": config.KNEES_FORWARD,
        }
        kinds, _ = bone_groups()
        self._log_lengths = np.log([BONE_LENGTHS[kind] for kind in kinds]).astype(np.float32)
        self._parts = _parts(config)
        self._weights = {
            name: [np.ascontiguousarray(weight, np.float32) for weight in layers[name]]
            for name in layer_shapes(config)
        }

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> NumpyNetwork:
        """The network of a weight file.

        Raises:
            Pose3DError: The file is unreadable, damaged, or holds another network.
        """
        values = read_config(path) or {}
        if values.get("ARCH") != GeneralConfig.ARCH_NAME:
            raise Pose3DError(f"{path}: holds {values.get('ARCH', 'no config')}, expected a general lifter")
        config = GeneralConfig.from_dict(values, source=str(path))
        return cls(config, read_weights(path, layer_shapes(config)))

    @classmethod
    def of_model(cls, model: GeneralNet) -> NumpyNetwork:
        """The network of a Keras model, with its weights as they are now."""
        layers = {
            layer.name: [np.asarray(weight) for weight in layer.get_weights()] for layer in model.layers
        }
        changed = {
            "WIDTH": model.settings["width"],
            "BLOCKS": model.settings["blocks"],
            "TEMPORAL_WIDTH": model.settings["temporal_width"],
            "DILATIONS": list(model.settings["dilations"]),
            "VIRTUAL_CAMERA": model.settings["use_virtual_camera"],
            "CONSTANT_BONES": model.settings["constant_bones"],
            "KNEES_FORWARD": model.settings["knees_forward"],
        }
        config = model.config if isinstance(model.config, GeneralConfig) else GeneralConfig()
        return cls(config.replace(**changed), layers)

    def count_params(self) -> int:
        """Numbers that the network holds."""
        return sum(weight.size for weights in self._weights.values() for weight in weights)

    def lift_frames(self, keypoints: Floats, intrinsics: Floats) -> dict[str, Floats]:
        """What the network says of each frame; see `GeneralNet.lift_frames`.

        Args:
            keypoints: `(B, N, 13, 3)` normalised screen coordinates and confidence, 0 where unseen.
            intrinsics: `(B, 11)`, see `Camera.intrinsics`.

        Returns:
            bones `(B, N, 16, 3)`, log_lengths `(B, N, kinds)`, scale `(B, N, 17)` metres.
        """
        batch, frames = keypoints.shape[:2]
        camera = intrinsics[:, None, None]
        rays = (keypoints[..., :2] - camera[..., 4:6]) / camera[..., 2:4]
        confidence = keypoints[..., 2]
        points, log_size, direction = virtual_view(rays, confidence, self.config.VIRTUAL_CAMERA)
        size = (log_size - LOG_SIZE) / LOG_SIZE_SPREAD
        flat = np.concatenate([points.reshape(batch, frames, -1), confidence, size], axis=-1)
        features = self._dense("entry", flat.reshape(-1, flat.shape[-1]).astype(np.float32, copy=False))
        for number in range(self.config.BLOCKS):
            features = features + self._rows(f"block{number}", features)
        features = self._norm("head_norm", features)
        outputs = self._dense("head", features)
        if self.config.DILATIONS:
            narrow = self._dense("temporal_entry", features).reshape(batch, frames, -1)
            for number, dilation in enumerate(self.config.DILATIONS):
                narrow = narrow + self._temporal(f"temporal{number}", narrow, dilation)
            rows = narrow.reshape(batch * frames, -1)
            outputs = outputs + self._dense("temporal_head", self._norm("temporal_norm", rows))
        first, second = self._parts
        bones = outputs[:, :first].reshape(batch, frames, _JOINTS - 1, 3)
        lengths = outputs[:, first:second].reshape(batch, frames, second - first)
        scale = outputs[:, second:].reshape(batch, frames, _JOINTS)
        if self.config.CONSTANT_BONES:
            square = np.sum(bones * bones, axis=-1, keepdims=True)
            bones = bones / np.sqrt(np.maximum(square, np.float32(1e-6)))
            lengths = lengths + self._log_lengths
        if self.config.VIRTUAL_CAMERA:
            bones = _turned_back(bones, direction)
        return {
            "bones": bones,
            "log_lengths": lengths,
            "scale": np.float32(RADIUS) * np.exp(np.clip(scale, np.float32(-5), np.float32(4))),
        }

    def assemble(self, raw: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Poses of a clip and the radii that hold nine true joints of ten.

        Args:
            raw: Of `lift_frames`, B = 1; bone lengths are one mean over the frames.

        Returns:
            `(F, 17, 3)` metres, root at 0; `(F, 17)` metres.
        """
        poses = assemble_clip(raw["bones"][0], raw["log_lengths"][0], self.settings)
        factor, power = self._weights["calibration"]
        return poses, factor * raw["scale"][0] ** power

    def _dense(self, name: str, rows: Floats) -> Floats:
        kernel, bias = self._weights[name]
        return rows @ kernel + bias

    def _norm(self, name: str, rows: Floats) -> Floats:
        return _normed(rows, self._weights[name][0])

    def _rows(self, name: str, rows: Floats) -> Floats:
        scale, first, first_bias, second, second_bias = self._weights[name]
        return _silu(_normed(rows, scale) @ first + first_bias) @ second + second_bias

    def _temporal(self, name: str, clips: Floats, dilation: int) -> Floats:
        scale, first, first_bias, second, second_bias = self._weights[name]
        frames = clips.shape[1]
        padded = np.pad(_normed(clips, scale), ((0, 0), (dilation, dilation), (0, 0)))
        taps = [padded[:, tap * dilation : tap * dilation + frames] for tap in range(3)]
        rows = np.concatenate(taps, axis=-1).reshape(-1, first.shape[0])
        return (_silu(rows @ first + first_bias) @ second + second_bias).reshape(clips.shape)


def _parts(config: GeneralConfig) -> tuple[int, int]:
    """Where lengths, and where uncertainties begin among the network's outputs."""
    bones = 3 * (_JOINTS - 1)
    return bones, bones + (len(bone_groups()[0]) if config.CONSTANT_BONES else 0)


def layer_shapes(config: GeneralConfig) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of the weights of each layer, in the order of weight files."""
    width, narrow = config.WIDTH, config.TEMPORAL_WIDTH
    outputs = _parts(config)[1] + _JOINTS
    shapes: dict[str, list[tuple[int, ...]]] = {"entry": [(3 * _SEEN + 1, width), (width,)]}
    for number in range(config.BLOCKS):
        shapes[f"block{number}"] = [(width,), (width, width), (width,), (width, width), (width,)]
    shapes |= {"head_norm": [(width,)], "head": [(width, outputs), (outputs,)]}
    shapes["calibration"] = [(_JOINTS,), (_JOINTS,)]
    if not config.DILATIONS:
        return shapes
    shapes["temporal_entry"] = [(width, narrow), (narrow,)]
    for number in range(len(config.DILATIONS)):
        shapes[f"temporal{number}"] = [
            *((narrow,), (3 * narrow, narrow), (narrow,)),
            *((narrow, narrow), (narrow,)),
        ]
    return shapes | {"temporal_norm": [(narrow,)], "temporal_head": [(narrow, outputs), (outputs,)]}


def _normed(rows: Floats, scale: Floats) -> Floats:
    square = np.mean(rows * rows, axis=-1, keepdims=True)
    return rows / np.sqrt(square + _EPSILON) * scale


def _silu(x: Floats) -> Floats:
    # exp overflows to infinity far below zero, where x / infinity is the right 0.
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def virtual_view(rays: Floats, confidence: Floats, turned: bool = True) -> tuple[Floats, Floats, Floats]:
    """A person as a camera sees them that is turned to them; see `geometry/virtual_camera.py`.

    Args:
        rays: `(..., J, 2)` X/Z and Y/Z of each joint in the real camera.
        confidence: `(..., J)`, the weights of the mean; 0 where unseen.
        turned: False: rays are centred and scaled, no camera is turned.

    Returns:
        `(..., J, 2)` joints at unit root mean square, 0 where unseen; `(..., 1)` the logarithm of that root
        mean square; `(..., 3)` the virtual optical axis in the real camera.
    """
    weights = confidence / np.maximum(confidence.sum(axis=-1, keepdims=True), np.float32(1e-6))
    rays = np.where(confidence[..., None] > 0, rays, np.float32(0))
    x, y = rays[..., 0], rays[..., 1]

    def mean(values: Floats) -> Floats:
        return np.sum(weights * values, axis=-1, keepdims=True)

    inverse = 1 / np.sqrt(x * x + y * y + 1)
    a, b = mean(x * inverse), mean(y * inverse)
    c = np.maximum(mean(inverse), np.float32(1e-3))
    norm = 1 / np.sqrt(a * a + b * b + c * c)
    a, b, c = a * norm, b * norm, c * norm
    u, v = x, y
    if turned:
        k = 1 / (1 + c)
        z = np.maximum(a * x + b * y + c, np.float32(1e-2))
        u = (x * (1 - a * a * k) - y * a * b * k - a) / z
        v = (y * (1 - b * b * k) - x * a * b * k - b) / z
    u, v = u - mean(u), v - mean(v)
    size = np.sqrt(np.maximum(mean(u * u + v * v), np.float32(1e-8)))
    seen = confidence > 0
    points = np.stack([u / size * seen, v / size * seen], axis=-1)
    return points, np.log(size), np.concatenate([a, b, c], axis=-1)


def _turned_back(vectors: Floats, direction: Floats) -> Floats:
    """Vectors `(..., J, 3)` of the virtual camera in the real one."""
    a, b, c = (direction[..., None, axis] for axis in range(3))
    k = 1 / (1 + c)
    x, y, z = (vectors[..., axis] for axis in range(3))
    return np.stack(
        [
            x * (1 - a * a * k) - y * a * b * k + z * a,
            y * (1 - b * b * k) - x * a * b * k + z * b,
            z * c - x * a - y * b,
        ],
        axis=-1,
    )
