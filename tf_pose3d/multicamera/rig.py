"""Calibrated cameras as arrays, and rays of their pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.record import CalibratedCamera

__all__ = ["Rig", "make_rig"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Rig:
    """V cameras.

    Attributes:
        cameras: The records.
        rotation: `(V, 3, 3)` world to camera.
        translation: `(V, 3)` metres: a world point X is at `R X + t` in the camera's frame.
        matrix: `(V, 3, 3)` pixels.
        focal: `(V,)` pixels, the mean of both axes: turns differences of rays into pixels.
    """

    cameras: tuple[CalibratedCamera, ...]
    rotation: Floats
    translation: Floats
    matrix: Floats
    focal: Floats

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def centres(self) -> Floats:
        """`(V, 3)` metres: where the cameras stand."""
        return -np.einsum("vji,vj->vi", self.rotation, self.translation)

    def rays(self, keypoints: npt.NDArray[np.floating]) -> Floats:
        """Undistorted rays x/z, y/z of pixels.

        Args:
            keypoints: `(V, ..., 2 or more)` pixels, NaN where missing.

        Returns:
            `(V, ..., 2)`, NaN where missing, and where a pixel lies so far out that no ray gives it.
        """
        return np.stack(
            [camera.rays(view[..., :2]) for camera, view in zip(self.cameras, keypoints, strict=True)]
        )

    def images(self, points: npt.NDArray[np.floating]) -> Floats:
        """Pixels `(V, ..., 2)` of world points `(..., 3)` in every view, lens distortion included; NaN where
        a point is missing or behind the camera.
        """
        return np.stack([camera.project(points) for camera in self.cameras])

    def take(self, order: Sequence[int]) -> Rig:
        """Some of the cameras, or all in another order."""
        return make_rig([self.cameras[number] for number in order])


def make_rig(cameras: Sequence[CalibratedCamera]) -> Rig:
    """The rig of some cameras, in their order."""
    matrix = np.stack([camera.matrix for camera in cameras])
    return Rig(
        cameras=tuple(cameras),
        rotation=np.stack([camera.rotation for camera in cameras]),
        translation=np.stack([camera.translation for camera in cameras]),
        matrix=matrix,
        focal=(matrix[:, 0, 0] + matrix[:, 1, 1]) / 2,
    )
