"""Which way is up by a person's posture: a small network that has seen how people stand, walk and exercise.

It reads one frame as it is where some direction is taken for up, and says how far the true one leans from
that, and how sure this is. `tools/train_posture.py` trains it, on exact poses and on lifted ones, which lean
in ways of their own.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.skeleton import Skeleton
from tf_pose3d.weight_files.hdf5 import read_weights

__all__ = [
    "FEATURES",
    "JOINTS",
    "LAYERS",
    "MOST",
    "RANGE",
    "SURE",
    "WEIGHTS",
    "Network",
    "Posture",
    "lean",
    "shipped_network",
]

JOINTS = (
    *(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in "lr"),
    "neck",
)
_COLUMN = {name: number for number, name in enumerate(JOINTS)}
_ANKLES = [_COLUMN["l_ankle"], _COLUMN["r_ankle"]]
# Joints of the mirror image.
_MIRRORED = np.array([*(column + 1 - 2 * (column % 2) for column in range(12)), 12])
FEATURES = 3 * len(JOINTS) + 2 + 3
# Layers of the network and the shapes of their weights.
_WIDTH = 32
LAYERS = {
    "first": ((FEATURES, _WIDTH), (_WIDTH,)),
    "second": ((_WIDTH, _WIDTH), (_WIDTH,)),
    "lean": ((_WIDTH, 4), (4,)),
}
WEIGHTS = Path(__file__).with_name("posture.h5")
# Radians that a lean is at most; radians of a frame's standard error where the network says nothing of it.
MOST, SURE = math.radians(30), math.radians(6)
# By how much more or less sure it may be, as the logarithm of the variance.
RANGE = 4.0


@dataclasses.dataclass(frozen=True)
class Posture:
    """Frames of one person as the network reads them.

    Attributes:
        joints: `(F, 13, 3)` of `JOINTS` from between the ankles, in lengths of the leg, camera frame.
        resting: `(F, 2)` 1 where the left or right foot rests, else 0.
    """

    joints: np.ndarray
    resting: np.ndarray

    @classmethod
    def of(cls, poses: np.ndarray, skeleton: Skeleton, resting: np.ndarray | None, most: int) -> Posture:
        """Of poses `(F, J, 3)` in a layout with `JOINTS`; `most` frames of them, evenly."""
        joints = poses[:, [skeleton.index(name) for name in JOINTS]]
        hips, knees, ankles = joints[:, :2], joints[:, 2:4], joints[:, 4:6]
        leg = np.linalg.norm(hips - knees, axis=-1).mean() + np.linalg.norm(knees - ankles, axis=-1).mean()
        rows = np.unique(np.linspace(0, len(poses) - 1, min(most, len(poses))).round().astype(int))
        joints = (joints - ankles.mean(axis=1, keepdims=True)) / max(leg, 1e-6)
        rests = np.zeros((len(poses), 2)) if resting is None else resting.astype(np.float64)
        return cls(joints[rows], rests[rows])

    def mirrored(self) -> Posture:
        """As in a mirror whose normal is the camera's right axis."""
        return Posture(self.joints[:, _MIRRORED] * [-1.0, 1.0, 1.0], self.resting[:, ::-1])

    def seen_from(self, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the network reads, `(F, FEATURES)`, and left and forward, `(F, 2, 3)`, where `up` is up.

        Args:
            up: `(3,)`, or `(F, 3)` of each frame.
        """
        up = np.broadcast_to(up, (len(self.joints), 3))
        forward = _unit(np.cross(self.joints[:, _COLUMN["l_hip"]] - self.joints[:, _COLUMN["r_hip"]], up))
        axes = np.stack([np.cross(up, forward), forward, up], axis=1)
        joints = np.einsum("fak,fjk->fja", axes, self.joints)
        # Where the camera looks is its own third axis.
        features = [joints.reshape(len(up), -1), self.resting, axes[:, :, 2]]
        return np.concatenate(features, axis=1), axes[:, :2]


Network = Sequence[Sequence[np.ndarray]]


@functools.cache
def shipped_network() -> Network:
    """Weights and biases of `LAYERS`."""
    layers = read_weights(WEIGHTS, LAYERS)
    return [layers[name] for name in LAYERS]


def lean(features: np.ndarray, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """How far up is from where it was taken to be.

    Args:
        features: `(F, FEATURES)` of `Posture.seen_from`.
        network: Weights and biases of `LAYERS`.

    Returns:
        `(F, 2)` radians to the left and forward, and `(F, 2)` the inverse of their variances.
    """
    values = features.astype(np.float32)
    first, second, last = network
    for weights, bias in (first, second):
        values = np.maximum(values @ weights + bias, 0)
    values = (values @ last[0] + last[1]).astype(np.float64)
    return MOST * np.tanh(values[:, :2]), np.exp(np.clip(values[:, 2:], -RANGE, RANGE)) / SURE**2


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
