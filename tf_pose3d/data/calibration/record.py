"""The record of a calibrated camera of anybody's: OpenCV's model, metres, world to camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.lens import (
    COEFFICIENTS,
    distort,
    matrix_to_rotation_vector,
    rotation_vector_to_matrix,
    undistort,
)

__all__ = ["CalibratedCamera", "Calibration", "NoCamera", "Reading", "camera_from_vectors"]

Floats = npt.NDArray[np.float64]


class NoCamera(Pose3DError):
    """Numbers that are no camera; the file's name is still to be put in front."""


@dataclasses.dataclass(frozen=True, eq=False)
class CalibratedCamera:
    """A camera with its lens and its place in the world.

    A world point X is `R X + t` in the camera's frame (x right, y down, z forward), its ray is bent by the
    lens (`tf_pose3d.lens`) and lands at `K (u, v, 1)`. Pixel (0, 0) is the middle of the first pixel, as in
    OpenCV.

    Attributes:
        name: As in the file; cameras and keypoints are matched by it.
        size: Width and height of the image in pixels; None where the file does not say.
        matrix: `(3, 3)` intrinsics K, pixels.
        distortion: `(5,)` k1 k2 p1 p2 k3, or 8, 12, 14 of OpenCV's; `(4,)` k1 to k4 of a fisheye lens. Four
            of a perspective lens are filled up to five.
        rotation: `(3, 3)` world to camera.
        translation: `(3,)` metres, world to camera: the world's origin in the camera's frame.
        fisheye: Whether the lens is OpenCV's fisheye model.

    Raises:
        NoCamera: Numbers that are no camera.
    """

    name: str
    size: tuple[int, int] | None
    matrix: Floats
    distortion: Floats
    rotation: Floats
    translation: Floats
    fisheye: bool = False

    def __post_init__(self) -> None:
        for field, shape in (("matrix", (3, 3)), ("rotation", (3, 3)), ("translation", (3,))):
            self._hold(field, shape)
        distortion = np.array(self.distortion, np.float64)
        lengths = (4,) if self.fisheye else COEFFICIENTS
        if distortion.ndim != 1 or len(distortion) not in lengths:
            kind = "fisheye lens" if self.fisheye else "lens"
            expected = " or ".join(map(str, lengths))
            raise NoCamera(
                f"camera {self.name}: {distortion.size} distortion coefficients, a {kind} has {expected}"
            )
        if len(distortion) == 4 and not self.fisheye:
            distortion = np.append(distortion, 0.0)
        object.__setattr__(self, "distortion", distortion)
        self._hold("distortion", distortion.shape)
        focal = self.matrix[0, 0], self.matrix[1, 1]
        if min(focal) <= 0 or abs(self.matrix[2] - (0, 0, 1)).max() > 1e-9 or self.matrix[1, 0] != 0:
            raise NoCamera(
                f"camera {self.name}: its matrix {self.matrix.tolist()} is no [[fx, s, cx], [0, fy, cy], "
                "[0, 0, 1]] with positive focal lengths"
            )
        unit = self.rotation @ self.rotation.T
        if np.abs(unit - np.eye(3)).max() > 1e-3 or np.linalg.det(self.rotation) < 0:
            raise NoCamera(f"camera {self.name}: {self.rotation.tolist()} is no rotation matrix")
        # Files round their digits: the nearest rotation, so that its inverse is its transpose.
        left, _, right = np.linalg.svd(self.rotation)
        object.__setattr__(self, "rotation", left @ right)
        self._hold("rotation", (3, 3))
        if self.size is not None and not all(0 < side < 1_000_000 for side in self.size):
            raise NoCamera(f"camera {self.name}: image size {self.size[0]}x{self.size[1]} must be positive")

    def _hold(self, field: str, shape: tuple[int, ...]) -> None:
        values = np.array(getattr(self, field), np.float64)
        if values.shape != shape or not np.isfinite(values).all():
            raise NoCamera(
                f"camera {self.name}: {field} must be finite numbers of shape {shape}, got {values.tolist()}"
            )
        values.setflags(write=False)
        object.__setattr__(self, field, values)

    @property
    def centre(self) -> Floats:
        """`(3,)` the camera's place in the world, metres."""
        return -self.rotation.T @ self.translation

    @property
    def rotation_vector(self) -> Floats:
        """`(3,)` Rodrigues vector of the rotation, world to camera."""
        return matrix_to_rotation_vector(self.rotation)

    @property
    def extrinsic_matrix(self) -> Floats:
        """`(3, 4)` [R | t]: world points to the camera's frame; projects undistorted rays."""
        return np.concatenate([self.rotation, self.translation[:, None]], axis=1)

    @property
    def projection_matrix(self) -> Floats:
        """`(3, 4)` K [R | t]: world points to undistorted pixels."""
        return self.matrix @ self.extrinsic_matrix

    def from_world(self, points: npt.ArrayLike) -> Floats:
        """World points `(..., 3)` in metres in this camera's frame."""
        return np.asarray(points, np.float64) @ self.rotation.T + self.translation

    def project(self, points: npt.ArrayLike) -> Floats:
        """World points `(..., 3)` in metres to pixels `(..., 2)` of the distorted image.

        NaN where a point is missing, behind the camera, or beyond the angle that the lens model holds for.
        """
        seen = self.from_world(points)
        depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
        return self.to_pixels(distort(seen[..., :2] / depth, self.distortion, self.fisheye))

    def rays(self, pixels: npt.ArrayLike) -> Floats:
        """Pixels `(..., 2)` of the distorted image to undistorted rays X/Z, Y/Z `(..., 2)`.

        NaN where a pixel is missing or lies where the lens puts nothing.
        """
        x, y = np.moveaxis(np.asarray(pixels, np.float64), -1, 0)
        v = (y - self.matrix[1, 2]) / self.matrix[1, 1]
        u = (x - self.matrix[0, 2] - self.matrix[0, 1] * v) / self.matrix[0, 0]
        return undistort(np.stack([u, v], -1), self.distortion, self.fisheye)

    def undistort(self, pixels: npt.ArrayLike) -> Floats:
        """Pixels `(..., 2)` where a lens without distortion and with the same matrix would put them."""
        return self.to_pixels(self.rays(pixels))

    def to_pixels(self, plane: npt.ArrayLike) -> Floats:
        """Points `(..., 2)` of the image plane of focal length 1 to pixels."""
        return np.asarray(plane, np.float64) @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def scaled(self, factor: float) -> CalibratedCamera:
        """The same camera in a world whose lengths are `factor` times as long."""
        return dataclasses.replace(self, translation=self.translation * factor)

    def turned(self, quarters: int) -> CalibratedCamera:
        """The camera of images that were turned clockwise by so many quarter turns after recording.

        Raises:
            Pose3DError: Its size is unknown, or its matrix has skew or its sensor is tilted, which cannot be
                turned.
        """
        if self.size is None or self.matrix[0, 1] or len(self.distortion) > 12:
            reason = "its image size is unknown" if self.size is None else "of skew or tilt of its sensor"
            raise Pose3DError(f"camera {self.name} cannot be turned: {reason}")
        camera = self
        for _ in range(quarters % 4):
            camera = camera._turned_once()
        return camera

    def _turned_once(self) -> CalibratedCamera:
        """Pixel (u, v) of the image becomes (height - 1 - v, u)."""
        assert self.size is not None
        (fx, _, cx), (_, fy, cy), _ = self.matrix
        turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        distortion = self.distortion.copy()
        if not self.fisheye:
            # The tangential part points along (p2, p1), the prism's along (s1, s3) and (s2, s4).
            p1, p2 = distortion[2:4]
            distortion[2:4] = p2, -p1
            if len(distortion) == 12:
                s1, s2, s3, s4 = distortion[8:]
                distortion[8:] = -s3, -s4, s1, s2
        return dataclasses.replace(
            self,
            size=(self.size[1], self.size[0]),
            matrix=np.array([[fy, 0.0, self.size[1] - 1 - cy], [0.0, fx, cx], [0.0, 0.0, 1.0]]),
            distortion=distortion,
            rotation=turn @ self.rotation,
            translation=turn @ self.translation,
        )

    def resized(self, size: tuple[int, int]) -> CalibratedCamera:
        """The camera of images that were scaled to another size after recording.

        Raises:
            Pose3DError: Its size is unknown.
        """
        if self.size is None:
            raise Pose3DError(f"camera {self.name} cannot be scaled: its image size is unknown")
        scale = np.array([size[0] / self.size[0], size[1] / self.size[1]])
        matrix = self.matrix.copy()
        matrix[:2] *= scale[:, None]
        # The middle of the first pixel is (0, 0): edges lie half a pixel further out.
        matrix[:2, 2] += (scale - 1) / 2
        return dataclasses.replace(self, size=size, matrix=matrix)


def camera_from_vectors(
    name: str,
    size: tuple[int, int] | None,
    matrix: npt.ArrayLike,
    distortion: npt.ArrayLike,
    rotation: npt.ArrayLike,
    translation: npt.ArrayLike,
    fisheye: bool = False,
) -> CalibratedCamera:
    """A camera whose rotation is a Rodrigues vector `(3,)` or a matrix `(3, 3)`, world to camera."""
    turn = np.asarray(rotation, np.float64)
    if turn.size == 3:
        turn = rotation_vector_to_matrix(turn.reshape(3))
    return CalibratedCamera(
        name=name,
        size=size,
        matrix=np.asarray(matrix, np.float64),
        distortion=np.asarray(distortion, np.float64).ravel(),
        rotation=turn,
        translation=np.asarray(translation, np.float64).ravel(),
        fisheye=fisheye,
    )


@dataclasses.dataclass(frozen=True)
class Reading:
    """One way to take what a file says, where it leaves something open.

    Attributes:
        what: In words, e.g. `"lengths in millimetres"`.
        cameras: What it gives.
    """

    what: str
    cameras: tuple[CalibratedCamera, ...]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The cameras of one or several files.

    Attributes:
        source: The files, for messages.
        format: A name of `FORMATS`.
        cameras: In the order of the files; names are unique.
        notes: What was taken for granted or found odd, one line each; to be shown once.
        alternatives: Other readings of the same files, to be held against people.
        unit: In which lengths were read.
        unit_stated: Whether the format or the user states it; else it was told from the rig.
        usual_unit: In which files of the kind are, though they state none; None: in any.
    """

    source: str
    format: str
    cameras: tuple[CalibratedCamera, ...]
    notes: tuple[str, ...] = ()
    alternatives: tuple[Reading, ...] = ()
    unit: str = "m"
    unit_stated: bool = True
    usual_unit: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names."""
        return tuple(camera.name for camera in self.cameras)

    def select(self, names: Sequence[str]) -> Calibration:
        """These cameras in this order, in every reading.

        Raises:
            Pose3DError: A name that is not there; the message lists those that are.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            raise Pose3DError(
                f"{self.source} has no camera {', '.join(missing)}; it holds {', '.join(self.names)}"
            )
        index = [self.names.index(name) for name in names]
        return dataclasses.replace(
            self,
            cameras=tuple(self.cameras[i] for i in index),
            alternatives=tuple(
                Reading(reading.what, tuple(reading.cameras[i] for i in index))
                for reading in self.alternatives
            ),
        )
