"""How a viewer sees the world: a perspective view that follows a person, and the scale that fits them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.render.scene import Scene

__all__ = ["ELEVATION", "View", "fit_view", "image_region", "input_region"]

# Degrees above the horizon, as in VideoPose3D's pictures.
ELEVATION = 15.0
# Metres from the viewer to the person: near enough for perspective, far enough not to distort limbs.
_DISTANCE = 7.0
# A person who crouches is not blown up to fill the panel: at least so many metres fit into its height.
_LEAST_HEIGHT = 1.5
# Wild predictions (e.g. of an untrained model) must not shrink the scene to a dot.
_FARTHEST = 2.5
# Nor people who are far from the one that the panel follows.
_FARTHEST_COMPANY = 4.0


@dataclasses.dataclass(frozen=True)
class View:
    """Maps world points to a panel.

    Attributes:
        azimuth, elevation: Degrees; the side from which the viewer looks.
        scale: Pixels per metre at the followed point.
        centre: `(2,)` panel pixel at which the followed point's floor spot (z = 0) is drawn.
    """

    azimuth: float
    elevation: float
    scale: float
    centre: tuple[float, float]

    def project(self, points: np.ndarray, followed: np.ndarray) -> np.ndarray:
        """Panel pixels and depth of world points.

        Args:
            points: `(..., 3)` metres, world frame.
            followed: `(2,)` or broadcastable `(..., 2)`: x, y of the followed point in the world.

        Returns:
            `(..., 3)`: pixel x and y, and metres towards the viewer.
        """
        relative = points - np.concatenate([followed, np.zeros_like(followed[..., :1])], axis=-1)
        turned = relative @ _axes(self.azimuth, self.elevation).T
        depth = np.minimum(turned[..., 2], 0.8 * _DISTANCE)
        factor = self.scale * _DISTANCE / (_DISTANCE - depth)
        return np.stack(
            [self.centre[0] + turned[..., 0] * factor, self.centre[1] - turned[..., 1] * factor, depth],
            axis=-1,
        )


def _axes(azimuth: float, elevation: float) -> np.ndarray:
    """`(3, 3)`: rows are the viewer's right, up, and the direction towards the viewer."""
    a, e = np.radians([azimuth, elevation])
    return np.array(
        [
            [-np.sin(a), np.cos(a), 0.0],
            [-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)],
            [np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)],
        ]
    )


def fit_view(scene: Scene, box: tuple[float, float, float, float]) -> View:
    """The view in which every pose of a scene fits into a box of the panel, of people who are not too far.

    Args:
        scene: Its last track, the truth where there is one, decides.
        box: Left, top, right, bottom in panel pixels.
    """
    left, top, right, bottom = box
    track = scene.tracks[-1]
    farthest = _FARTHEST if track.company is None else _FARTHEST_COMPANY
    unit = View(scene.azimuth, ELEVATION, 1.0, (0.0, 0.0))
    seen = unit.project(track.everyone, track.poses[:, None, scene.root, :2])
    half_width = min(float(np.nanmax(np.abs(seen[..., 0]))), farthest)
    highest = min(float(-np.nanmin(seen[..., 1])), farthest)
    lowest = min(float(np.nanmax(seen[..., 1])), farthest / 2)
    lowest = max(lowest, 0.1)
    height = max(highest + lowest, _LEAST_HEIGHT)
    scale = min((bottom - top) / height, (right - left) / (2 * max(half_width, 0.3)))
    middle = (top + bottom) / 2 + scale * (highest - lowest) / 2
    return View(scene.azimuth, ELEVATION, scale, ((left + right) / 2, middle))


def input_region(scene: Scene, whole: bool) -> tuple[float, float, float]:
    """Left, top and side of the square of the image that the 2D panel shows, pixels.

    Args:
        scene: Its image and 2D poses.
        whole: Show the whole image, not only the part where the person is.
    """
    return image_region(scene.everyone_2d, scene.image_size, whole)


def image_region(pose_2d: np.ndarray, image_size: tuple[int, int], whole: bool) -> tuple[float, float, float]:
    """As `input_region`, of any image.

    Args:
        pose_2d: `(..., 2)` pixels.
        image_size: Width and height, pixels.
        whole: See `input_region`.
    """
    low, high, share = np.zeros(2), np.array(image_size, float), 1.0
    points = pose_2d.reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not whole and len(points):
        low, high, share = points.min(axis=0), points.max(axis=0), 1.1
    side = max(float((high - low).max()) * share, 32.0)
    left, top = (low + high) / 2 - side / 2
    return float(left), float(top), side
