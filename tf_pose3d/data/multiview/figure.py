"""Draws a shaded figure of capsules in front of a floor and a wall, as a calibrated camera sees it.

Every pixel's ray is cut with each capsule inside that capsule's bounding box; a depth buffer keeps the
nearest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tf_pose3d.skeleton import get_skeleton

__all__ = ["Outfit", "View", "background", "draw_figure"]

_JOINTS = get_skeleton("h36m_17").joints

# Part -> (joint, joint, radius in millimetres, colour). No two limbs have one colour, as on a suit made for
# motion capture: small images show little else that tells left from right.
_PARTS: Mapping[str, tuple[str, str, float, str]] = {
    "hips": ("l_hip", "r_hip", 88, "shorts"),
    "belly": ("pelvis", "spine", 112, "shirt"),
    "chest": ("spine", "neck", 108, "shirt"),
    "shoulders": ("l_shoulder", "r_shoulder", 62, "shirt"),
    "throat": ("neck", "head", 45, "skin"),
    "skull": ("head", "head_top", 82, "hair"),
    "l_thigh": ("l_hip", "l_knee", 72, "green"),
    "r_thigh": ("r_hip", "r_knee", 72, "purple"),
    "l_shin": ("l_knee", "l_ankle", 52, "lime"),
    "r_shin": ("r_knee", "r_ankle", 52, "pink"),
    "l_upper_arm": ("l_shoulder", "l_elbow", 46, "blue"),
    "r_upper_arm": ("r_shoulder", "r_elbow", 46, "red"),
    "l_forearm": ("l_elbow", "l_wrist", 37, "cyan"),
    "r_forearm": ("r_elbow", "r_wrist", 37, "orange"),
}
_COLOURS = {
    "skin": (224, 172, 138),
    "hair": (80, 50, 36),
    "shirt": (230, 228, 220),
    "shorts": (60, 62, 72),
    "green": (36, 124, 72),
    "purple": (122, 48, 140),
    "lime": (130, 214, 70),
    "pink": (238, 120, 196),
    "blue": (44, 84, 214),
    "red": (212, 46, 46),
    "cyan": (70, 204, 236),
    "orange": (246, 160, 40),
}
# Towards the light, world frame.
_LIGHT = np.array([0.35, -0.25, 0.9])
_AMBIENT = 0.55
_TILE = 600.0  # millimetres
_FLOORS = np.array([[156, 148, 138], [140, 132, 124]], np.float32)
_WALL = np.array([188, 192, 196], np.float32)
_HAZE = 9000.0  # millimetres over which the floor fades into the wall


@dataclasses.dataclass(frozen=True)
class View:
    """A camera of small images.

    Attributes:
        rotation: `(3, 3)` world to camera.
        centre: `(3,)` camera centre, world, millimetres.
        intrinsics: `(4,)` fx, fy, cx, cy, pixels.
        size: Width and height, pixels.
    """

    rotation: np.ndarray
    centre: np.ndarray
    intrinsics: np.ndarray
    size: tuple[int, int]

    def rays(self) -> np.ndarray:
        """`(height, width, 3)` directions through the pixels' centres, camera frame, of length 1."""
        fx, fy, cx, cy = self.intrinsics
        x, y = np.meshgrid(np.arange(self.size[0]), np.arange(self.size[1]))
        directions = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones(x.shape)], axis=-1)
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Outfit:
    """`(P, 3)` colours of the parts, 0 to 255, and their radii `(P,)` in millimetres."""

    colours: np.ndarray
    radii: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Outfit:
        """A person's clothes and build, drawn round the common ones."""
        shades = {name: np.array(colour) + rng.uniform(-16, 16, 3) for name, colour in _COLOURS.items()}
        colours = np.stack([shades[colour] for *_, colour in _PARTS.values()]).clip(0, 255)
        build = rng.uniform(0.9, 1.12)
        return cls(colours, np.array([radius * build for *_, radius, _ in _PARTS.values()]))


def background(view: View) -> np.ndarray:
    """`(height, width, 3)` float32, 0 to 255: a tiled floor at z = 0 that fades into a wall."""
    rays = view.rays() @ view.rotation
    falling = rays[..., 2] < -1e-6
    distance = np.where(falling, view.centre[2] / np.where(falling, -rays[..., 2], 1.0), np.inf)
    reach = np.where(falling, distance, 0.0)
    ground = view.centre[:2] + reach[..., None] * rays[..., :2]
    tile = np.floor(ground / _TILE).astype(np.int64).sum(axis=-1) % 2
    haze = np.clip(distance / _HAZE, 0.0, 1.0)[..., None] ** 2
    return (_FLOORS[tile] * (1 - haze) + _WALL * haze).astype(np.float32)


def draw_figure(joints: np.ndarray, view: View, outfit: Outfit, scene: np.ndarray) -> np.ndarray:
    """A person in front of a scene.

    Args:
        joints: `(17, 3)` in the order of `h36m_17`, world, millimetres, in front of the camera.
        view: The camera.
        outfit: Colours and radii.
        scene: Of `background`; it is not changed.

    Returns:
        `(height, width, 3)` uint8.
    """
    seen = (joints - view.centre) @ view.rotation.T
    rays = view.rays()
    picture = scene.copy()
    depth = np.full(picture.shape[:2], np.inf)
    light = view.rotation @ (_LIGHT / np.linalg.norm(_LIGHT))
    for (first, second, *_), colour, radius in zip(
        _PARTS.values(), outfit.colours, outfit.radii, strict=True
    ):
        begin, end = seen[_JOINTS.index(first)], seen[_JOINTS.index(second)]
        rows, columns = _bounds(begin, end, radius, view)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        directions = rays[rows, columns]
        distance, normal = _cut_capsule(directions, begin, end, radius)
        nearer = distance < depth[rows, columns]
        shade = _AMBIENT + (1 - _AMBIENT) * np.clip(normal @ light, 0, 1)
        # A little light from the camera keeps the side away from the lamp round.
        shade = shade + 0.18 * np.clip(-np.sum(normal * directions, axis=-1), 0, 1) - 0.1
        picture[rows, columns][nearer] = (shade[..., None] * colour)[nearer]
        depth[rows, columns][nearer] = distance[nearer]
    return picture.clip(0, 255).astype(np.uint8)


def _bounds(begin: np.ndarray, end: np.ndarray, radius: float, view: View) -> tuple[slice, slice]:
    """Rows and columns of the image that a capsule may cover."""
    fx, fy, cx, cy = view.intrinsics
    nearest = max(min(begin[2], end[2]) - radius, 1.0)
    ends = np.stack([begin, end])
    middle = ends[:, :2] / ends[:, 2:] * [fx, fy] + [cx, cy]
    margin = radius / nearest * max(fx, fy) * 1.1 + 1
    low = np.floor(middle.min(axis=0) - margin).astype(int).clip(0)
    high = np.ceil(middle.max(axis=0) + margin).astype(int).clip(0) + 1
    return slice(low[1], min(high[1], view.size[1])), slice(low[0], min(high[0], view.size[0]))


def _cut_capsule(
    rays: np.ndarray, begin: np.ndarray, end: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where rays from the origin first meet a capsule.

    Args:
        rays: `(..., 3)` directions of length 1.
        begin, end: `(3,)` ends of the axis.
        radius: Of the capsule.

    Returns:
        `(...)` distance, infinite where a ray misses, and `(..., 3)` outward normal.
    """
    axis = end - begin
    length = float(axis @ axis)
    along, across = rays @ axis, rays @ begin
    shift = float(begin @ axis)
    # The infinite cylinder: quadratic a t^2 - 2 b t + c in the distance t.
    a = np.maximum(length - along**2, 1e-9)
    b = length * across - shift * along
    c = length * float(begin @ begin) - shift**2 - radius**2 * length
    inner = b**2 - a * c
    distance = (b - np.sqrt(np.maximum(inner, 0))) / a
    position = distance * along - shift
    # Rays that only touch count as misses; so do all where both ends are one point.
    hit = (inner > 0) & (position >= 0) & (position <= length)
    distance = np.where(hit, distance, np.inf)
    for tip in (begin, end):
        b = rays @ tip
        inner = b**2 - float(tip @ tip) + radius**2
        near = np.where(inner >= 0, b - np.sqrt(np.maximum(inner, 0)), np.inf)
        distance = np.minimum(distance, near)
    point = np.where(np.isfinite(distance), distance, 0.0)[..., None] * rays
    share = np.clip((point @ axis - shift) / max(length, 1e-9), 0, 1)
    return distance, (point - begin - share[..., None] * axis) / radius
