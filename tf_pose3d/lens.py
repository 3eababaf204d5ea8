"""Lens models of OpenCV on rays X/Z, Y/Z, and their inverses: NumPy, any number of points at once.

Two models. *Perspective*: coefficients k1 k2 p1 p2 k3, then k4 k5 k6 (rational), s1 s2 s3 s4 (thin prism) and
tx ty (tilted sensor), of which any first 4, 5, 8, 12 or 14 may be given. *Fisheye* (`cv2.fisheye`): k1 to k4
of the angle. Both polynomials turn back on themselves beyond some angle; rays and pixels beyond it have no
image and become NaN, where OpenCV gives a point on the wrong side.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

__all__ = ["COEFFICIENTS", "distort", "matrix_to_rotation_vector", "rotation_vector_to_matrix", "undistort"]

Floats = npt.NDArray[np.float64]

# How many coefficients a perspective lens may have.
COEFFICIENTS = (4, 5, 8, 12, 14)
# Newton's method doubles the digits; what has not arrived by then never will.
_STEPS = 30
_TOLERANCE = 1e-12
# Pixels of keypoints are good to a thousandth at most: a residual above this is no solution.
_ACCEPTED = 1e-10
_BLOCK = 4096


def rotation_vector_to_matrix(vector: npt.ArrayLike) -> Floats:
    """Rodrigues vectors `(..., 3)`, axis times angle in radians, to rotation matrices `(..., 3, 3)`."""
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)
    # sin(a)/a and (1 - cos(a))/a^2, exact near zero.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def matrix_to_rotation_vector(matrix: npt.ArrayLike) -> Floats:
    """Rotation matrices `(..., 3, 3)` to Rodrigues vectors `(..., 3)` of at most half a turn."""
    matrix = np.asarray(matrix, np.float64)
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    trace = m[0][0] + m[1][1] + m[2][2]
    # The quaternion four times over, once from each of its numbers; the largest number gives the best.
    rows = [
        np.stack([1 + trace, m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]], -1),
        np.stack([m[2][1] - m[1][2], 1 + 2 * m[0][0] - trace, m[0][1] + m[1][0], m[0][2] + m[2][0]], -1),
        np.stack([m[0][2] - m[2][0], m[0][1] + m[1][0], 1 + 2 * m[1][1] - trace, m[1][2] + m[2][1]], -1),
        np.stack([m[1][0] - m[0][1], m[0][2] + m[2][0], m[1][2] + m[2][1], 1 + 2 * m[2][2] - trace], -1),
    ]
    table = np.stack(rows, -2)
    best = np.argmax(np.diagonal(table, axis1=-2, axis2=-1), axis=-1)
    quaternion = np.take_along_axis(table, best[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternion[..., :1])
    return quaternion[..., 1:] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def distort(rays: npt.ArrayLike, coefficients: npt.ArrayLike, fisheye: bool = False) -> Floats:
    """Where a lens puts rays on the image plane of focal length 1.

    Args:
        rays: `(..., 2)` X/Z, Y/Z of points in front of the camera.
        coefficients: As in the head of this module; none or all zero: no distortion.
        fisheye: Which model.

    Returns:
        `(..., 2)`; NaN beyond the angle up to which the lens model holds.
    """
    rays = np.asarray(rays, np.float64)
    held = tuple(np.asarray(coefficients, np.float64).tolist())
    if fisheye:
        radius = np.linalg.norm(rays, axis=-1, keepdims=True)
        angle = np.arctan(radius)
        bent = _fisheye_radius(angle, held)
        scale = np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)
        return np.where(angle <= _fisheye_limit(held), rays * scale, np.nan)
    if not any(held):
        return rays.copy()
    bent = _tilted(np.stack(_perspective(rays[..., 0], rays[..., 1], held)[:2], -1), held)
    return np.where(np.sum(rays**2, axis=-1, keepdims=True) <= _limit(held), bent, np.nan)


def undistort(points: npt.ArrayLike, coefficients: npt.ArrayLike, fisheye: bool = False) -> Floats:
    """The rays that a lens puts at points of the image plane: the inverse of `distort`.

    Solved by Newton's method to 1e-10 of the focal length or better.

    Args:
        points: `(..., 2)` on the image plane of focal length 1.
        coefficients: As in the head of this module.
        fisheye: Which model.

    Returns:
        `(..., 2)` X/Z, Y/Z; NaN where no ray within the model's angle ends there.
    """
    points = np.asarray(points, np.float64)
    held = tuple(np.asarray(coefficients, np.float64).tolist())
    if fisheye:
        return _undistort_fisheye(points, held)
    if not any(held):
        return points.copy()
    flat = _tilted(points.reshape(-1, 2), held, inverse=True)
    return _undistort_perspective(flat, held).reshape(points.shape)


def _parts(held: tuple[float, ...]) -> tuple[float, ...]:
    """All fourteen coefficients."""
    return held + (0.0,) * (14 - len(held))


def _perspective(x: Floats, y: Floats, held: tuple[float, ...]) -> tuple[Floats, ...]:
    """Distorted rays u, v before the tilt, and the derivatives du/dx, du/dy, dv/dx, dv/dy."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, _, _ = _parts(held)
    xx, yy, xy2 = x * x, y * y, 2 * x * y
    q = xx + yy
    radial, slope = 1 + q * (k1 + q * (k2 + q * k3)), k1 + q * (2 * k2 + q * (3 * k3))
    if k4 or k5 or k6:
        below = 1 + q * (k4 + q * (k5 + q * k6))
        radial = radial / below
        slope = (slope - radial * (k4 + q * (2 * k5 + q * (3 * k6)))) / below
    u = x * radial + p1 * xy2 + p2 * (q + 2 * xx)
    v = y * radial + p2 * xy2 + p1 * (q + 2 * yy)
    px, py = 2 * p1 * x + 2 * p2 * y, 2 * p1 * y + 2 * p2 * x
    du_dx = radial + 2 * slope * xx + py + 4 * p2 * x
    dv_dy = radial + 2 * slope * yy + py + 4 * p1 * y
    du_dy = dv_dx = slope * xy2 + px
    if s1 or s2 or s3 or s4:
        u, v = u + q * (s1 + q * s2), v + q * (s3 + q * s4)
        prism_u, prism_v = 2 * s1 + 4 * q * s2, 2 * s3 + 4 * q * s4
        du_dx, du_dy = du_dx + x * prism_u, du_dy + y * prism_u
        dv_dx, dv_dy = dv_dx + x * prism_v, dv_dy + y * prism_v
    return u, v, du_dx, du_dy, dv_dx, dv_dy


@functools.lru_cache(maxsize=256)
def _limit(held: tuple[float, ...]) -> float:
    """The squared radius up to which the radial part grows; infinite where it always does."""
    k1, k2, _, _, k3, k4, k5, k6, *_ = _parts(held)
    above, below = np.poly1d([k3, k2, k1, 1.0]), np.poly1d([k6, k5, k4, 1.0])
    # d(r f(r^2))/dr = f + 2 q f', times the square of the denominator, in q = r^2; and where f has a pole.
    growth = above * below + np.poly1d([2.0, 0.0]) * (above.deriv() * below - above * below.deriv())
    roots = np.concatenate([growth.roots, below.roots])
    real = roots[(np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))) & (roots.real > 0)].real
    return float(real.min()) if real.size else np.inf


def _undistort_perspective(points: Floats, held: tuple[float, ...]) -> Floats:
    """`(N, 2)` rays of `(N, 2)` points of a sensor that is not tilted."""
    limit = _limit(held)
    bound = np.sqrt(limit) * (1 - 1e-9) if np.isfinite(limit) else 1e3
    result = np.full(points.shape, np.nan)
    # Blocks that stay in the processor's cache.
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        moving = np.flatnonzero(np.isfinite(block).all(axis=1))
        x, y = block[moving].T.copy()
        goal_x, goal_y = x, y
        for number in range(_STEPS):
            if not np.isinf(limit):
                shrink = np.minimum(1.0, bound / np.maximum(np.sqrt(x * x + y * y), 1e-300))
                x, y = x * shrink, y * shrink
            u, v, a, b, c, d = _perspective(x, y, held)
            u, v = goal_x - u, goal_y - v
            wrong = np.maximum(np.abs(u), np.abs(v))
            near = wrong < (_TOLERANCE if number < _STEPS - 1 else _ACCEPTED)
            if near.all() or (number >= _STEPS // 3 and near.any()) or number == _STEPS - 1:
                found = near & (x * x + y * y < bound * bound)
                result[start + moving[found], 0] = x[found]
                result[start + moving[found], 1] = y[found]
                left = ~near
                if not left.any():
                    break
                moving, x, y, u, v = moving[left], x[left], y[left], u[left], v[left]
                a, b, c, d, goal_x, goal_y = a[left], b[left], c[left], d[left], goal_x[left], goal_y[left]
            with np.errstate(divide="ignore", invalid="ignore"):
                inverse = 1 / (a * d - b * c)
                inverse[~np.isfinite(inverse)] = 0.0
            x, y = x + (d * u - b * v) * inverse, y + (a * v - c * u) * inverse
    return result


def _tilted(points: Floats, held: tuple[float, ...], inverse: bool = False) -> Floats:
    """Points on a sensor that is tilted by the last two coefficients, or back on one that is not."""
    tilt_x, tilt_y = _parts(held)[12:]
    if not tilt_x and not tilt_y:
        return points
    rotation = rotation_vector_to_matrix([0.0, -tilt_y, 0.0]) @ rotation_vector_to_matrix([-tilt_x, 0.0, 0.0])
    r33 = rotation[2, 2]
    back = np.array([[r33, 0, -rotation[0, 2]], [0, r33, -rotation[1, 2]], [0, 0, 1.0]])
    forth = back @ rotation
    matrix = np.asarray(np.linalg.inv(forth) if inverse else forth, np.float64)
    turned = points @ matrix[:, :2].T + matrix[:, 2]
    return turned[..., :2] / turned[..., 2:]


def _fisheye_radius(angle: Floats, held: tuple[float, ...]) -> Floats:
    k1, k2, k3, k4 = held
    q = angle * angle
    return angle * (1 + q * (k1 + q * (k2 + q * (k3 + q * k4))))


@functools.lru_cache(maxsize=256)
def _fisheye_limit(held: tuple[float, ...]) -> float:
    """The angle up to which the image's radius grows; at most a right angle, whose rays have no X/Z."""
    k1, k2, k3, k4 = held
    roots = np.roots([9 * k4, 7 * k3, 5 * k2, 3 * k1, 1.0])
    real = roots[(np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))) & (roots.real > 0)].real
    return float(min(np.sqrt(real.min()) if real.size else np.inf, np.pi / 2))


def _undistort_fisheye(points: Floats, held: tuple[float, ...]) -> Floats:
    limit = _fisheye_limit(held)
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    low, high = np.zeros_like(radius), np.full_like(radius, limit)
    angle: Floats = np.minimum(radius, limit)
    k1, k2, k3, k4 = held
    for _ in range(2 * _STEPS):
        wrong = _fisheye_radius(angle, held) - radius
        low, high = np.where(wrong < 0, angle, low), np.where(wrong > 0, angle, high)
        q = angle * angle
        slope = 1 + q * (3 * k1 + q * (5 * k2 + q * (7 * k3 + q * (9 * k4))))
        with np.errstate(divide="ignore", invalid="ignore"):
            new = angle - wrong / slope
        # The radius grows with the angle: a step that leaves the bracket is replaced by its middle.
        angle = np.where((new >= low) & (new <= high), new, (low + high) / 2)
    good = (np.abs(_fisheye_radius(angle, held) - radius) < _ACCEPTED) & (angle < np.pi / 2 - 1e-9)
    scale = np.where(radius > 1e-12, np.tan(angle) / np.maximum(radius, 1e-12), 1.0)
    return np.where(good, points * scale, np.nan)
