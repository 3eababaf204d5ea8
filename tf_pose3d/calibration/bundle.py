"""Bundle adjustment: cameras and what they see, moved together until the pixels fit.

What is seen comes in N blocks of B numbers that place K points each: a board's pose places its corners
(B = 6), a joint is a block of one point (B = 3). Blocks meet only through the cameras, so that they are
eliminated before the cameras' equations are solved (Schur complement): time is linear in N.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.lens import distort, matrix_to_rotation_vector, rotation_vector_to_matrix

__all__ = ["PARAMETERS", "Adjusted", "Layout", "adjust", "board_layout", "point_layout"]

Floats = npt.NDArray[np.float64]

# A camera's numbers: a turn and a shift of its place, logarithms of focal length and of fy / fx, the
# principal point (pixels), and five coefficients (of a fisheye lens four).
PARAMETERS = ("turn",) * 3 + ("shift",) * 3 + ("focal", "aspect", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
_STEPS = {"focal": 1e-6, "aspect": 1e-6, "cx": 1e-3, "cy": 1e-3}
_LENS_STEP = 1e-6
# A point that leaves the lens model is that wrong, pixels, whatever is done to it.
_LOST = 100.0
# A step that lowers the cost by a smaller part than this is the last.
_LEAST_GAIN = 1e-6


@dataclasses.dataclass(frozen=True)
class Layout:
    """How blocks place points.

    Attributes:
        place: `(N, B)` -> `(N, K, 3)` world points and `(N, K, 3, B)` their derivatives by a small step.
        step: `(N, B)` and a small step `(N, B)` -> `(N, B)`.
    """

    place: Callable[[Floats], tuple[Floats, Floats]]
    step: Callable[[Floats, Floats], Floats]


def point_layout() -> Layout:
    """Blocks that are points: B = 3, K = 1."""
    unit = np.eye(3)[None, None]

    def place(blocks: Floats) -> tuple[Floats, Floats]:
        return blocks[:, None], np.broadcast_to(unit, (len(blocks), 1, 3, 3))

    return Layout(place, lambda blocks, step: blocks + step)


def board_layout(corners: Floats) -> Layout:
    """Blocks that are poses of a board of corners `(K, 3)`: a rotation vector and the place of its origin."""

    def place(blocks: Floats) -> tuple[Floats, Floats]:
        turned = corners @ np.swapaxes(rotation_vector_to_matrix(blocks[:, :3]), 1, 2)
        return turned + blocks[:, None, 3:], np.concatenate(
            [-_cross(turned), np.broadcast_to(np.eye(3), (*turned.shape, 3))], axis=-1
        )

    def step(blocks: Floats, change: Floats) -> Floats:
        turn = rotation_vector_to_matrix(change[:, :3]) @ rotation_vector_to_matrix(blocks[:, :3])
        return np.concatenate([matrix_to_rotation_vector(turn), blocks[:, 3:] + change[:, 3:]], axis=1)

    return Layout(place, step)


@dataclasses.dataclass(frozen=True)
class Adjusted:
    """What an adjustment gives.

    Attributes:
        cameras: C cameras.
        blocks: `(N, B)`.
        errors: `(C, N, K)` distances in the image, pixels; NaN where a point is not seen.
        steps: How many steps were taken.
    """

    cameras: tuple[CalibratedCamera, ...]
    blocks: Floats
    errors: Floats
    steps: int


def adjust(
    cameras: Sequence[CalibratedCamera],
    blocks: Floats,
    layout: Layout,
    observed: Floats,
    weights: Floats,
    spread: Sequence[dict[str, float]],
    loss: float = np.inf,
    steps: int = 50,
    believed: Sequence[CalibratedCamera] | None = None,
    hold_blocks: bool = False,
) -> Adjusted:
    """Cameras and blocks whose projections fit best.

    Args:
        cameras: C cameras to start from.
        blocks: `(N, B)` to start from.
        layout: How blocks place points.
        observed: `(C, N, K, 2)` pixels.
        weights: `(C, N, K)`; 0 where a point is not seen.
        spread: Per camera, name of `PARAMETERS` -> standard deviation around what is believed of it; a name
            that is not there is held. In pixels, logarithms, radians, metres; infinite: free.
        loss: Distance in pixels beyond which errors count linearly (Huber); infinite: squares.
        steps: The most steps to take.
        believed: C cameras whose lenses `spread` is about; None: those to start from.
        hold_blocks: Whether the blocks stay as they are.
    """
    state = _State(list(cameras), np.asarray(blocks, np.float64))
    seen = (weights > 0) & np.isfinite(observed).all(axis=-1)
    weights = np.where(seen, weights, 0.0)
    observed = np.where(seen[..., None], observed, 0.0)
    free = np.array([[name in held for name in PARAMETERS] for held in spread])
    precision = np.array([[held.get(name, np.inf) ** -2.0 for name in PARAMETERS] for held in spread])
    start = np.zeros((len(cameras), len(PARAMETERS)))
    moved = start.copy()
    for number, camera in enumerate(believed or ()):
        moved[number] = _lens_change(camera, cameras[number])
    damping, taken = 1e-4, 0
    cost, errors = _cost(state, layout, observed, weights, loss)
    cost += float((precision * moved**2).sum())
    while taken < steps:
        taken += 1
        equations = _equations(state, layout, observed, weights, free, loss)
        equations.add_prior(precision, moved, free)
        better = False
        for _ in range(8):
            change, block_change = equations.solve(damping, free, hold_blocks)
            trial = _State(
                [_moved(camera, part) for camera, part in zip(state.cameras, change, strict=True)],
                layout.step(state.blocks, block_change),
            )
            trial_cost, trial_errors = _cost(trial, layout, observed, weights, loss)
            trial_cost += float((precision * (moved + change) ** 2).sum())
            if trial_cost < cost:
                better = True
                break
            damping *= 8
        if not better:
            break
        gain = (cost - trial_cost) / cost if cost > 0 else 0.0
        state, cost, errors, moved = trial, trial_cost, trial_errors, moved + change
        damping = max(damping / 8, 1e-12)
        if gain < _LEAST_GAIN:
            break
    errors = np.where(seen, errors, np.nan)
    return Adjusted(tuple(state.cameras), state.blocks, errors, taken)


@dataclasses.dataclass
class _State:
    cameras: list[CalibratedCamera]
    blocks: Floats


def _cross(vectors: Floats) -> Floats:
    """`(..., 3, 3)` matrices of cross products with `(..., 3)` vectors."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vectors.shape, 3)


def _moved(camera: CalibratedCamera, change: Floats) -> CalibratedCamera:
    """A camera whose numbers have changed by a small step, `(15,)` as in `PARAMETERS`."""
    turn = rotation_vector_to_matrix(change[:3])
    matrix = camera.matrix.copy()
    matrix[0, :2] *= np.exp(change[6])
    matrix[1, 1] *= np.exp(change[6] + change[7])
    matrix[:2, 2] += change[8:10]
    distortion = camera.distortion.copy()
    count = min(len(distortion), 5)
    distortion[:count] += change[10 : 10 + count]
    return dataclasses.replace(
        camera,
        rotation=turn @ camera.rotation,
        translation=turn @ camera.translation + change[3:6],
        matrix=matrix,
        distortion=distortion,
    )


def _lens_change(before: CalibratedCamera, after: CalibratedCamera) -> Floats:
    """The step `(15,)` that `_moved` takes from one lens to another; nothing of places."""
    change = np.zeros(len(PARAMETERS))
    focal = np.log(np.diag(after.matrix)[:2] / np.diag(before.matrix)[:2])
    change[6:8] = focal[0], focal[1] - focal[0]
    change[8:10] = after.matrix[:2, 2] - before.matrix[:2, 2]
    count = min(len(before.distortion), len(after.distortion), 5)
    change[10 : 10 + count] = after.distortion[:count] - before.distortion[:count]
    return change


def _image(camera: CalibratedCamera, seen: Floats) -> Floats:
    """Points `(..., 3)` of the camera's frame to pixels; NaN behind it or beyond its lens."""
    depth = np.where(seen[..., 2:] > 1e-6, seen[..., 2:], np.nan)
    return camera.to_pixels(distort(seen[..., :2] / depth, camera.distortion, camera.fisheye))


def _cost(
    state: _State, layout: Layout, observed: Floats, weights: Floats, loss: float
) -> tuple[float, Floats]:
    """The sum of all losses, and distances in pixels `(C, N, K)`."""
    points = layout.place(state.blocks)[0]
    errors = np.zeros(weights.shape)
    for number, camera in enumerate(state.cameras):
        used = np.flatnonzero(weights[number].any(axis=1))
        image = _image(camera, camera.from_world(points[used]))
        distance = np.linalg.norm(image - observed[number, used], axis=-1)
        errors[number, used] = np.where(np.isfinite(distance), distance, _LOST)
    losses = errors**2 if np.isinf(loss) else np.where(errors < loss, errors**2, 2 * loss * errors - loss**2)
    return float((weights * losses).sum()), errors


class _Equations:
    """Normal equations in blocks: of cameras, of blocks, and between them."""

    def __init__(self, cameras: int, blocks: int, size: int) -> None:
        count = len(PARAMETERS)
        self.camera = np.zeros((cameras, count, count))
        self.camera_side = np.zeros((cameras, count))
        self.block = np.zeros((blocks, size, size))
        self.block_side = np.zeros((blocks, size))
        self.between = np.zeros((blocks, cameras, count, size))

    def add(
        self,
        number: int,
        used: npt.NDArray[np.intp],
        camera: Floats,
        block: Floats,
        residuals: Floats,
        weights: Floats,
    ) -> None:
        """One camera's share, of the M blocks that it sees.

        Args:
            number: Of the camera.
            used: `(M,)` the blocks.
            camera, block: Derivatives `(M, K, 2, 15)` and `(M, K, 2, B)`.
            residuals: `(M, K, 2)`.
            weights: `(M, K)`.
        """
        count = camera.shape[0]
        root = np.sqrt(weights)[..., None, None]
        first = (camera * root).reshape(count, -1, camera.shape[-1])
        second = (block * root).reshape(count, -1, block.shape[-1])
        side = (residuals * root[..., 0]).reshape(count, -1)
        flat = first.reshape(-1, first.shape[-1])
        self.camera[number] += flat.T @ flat
        self.camera_side[number] += flat.T @ side.ravel()
        turned = np.swapaxes(second, 1, 2)
        self.block[used] += turned @ second
        self.block_side[used] += (turned @ side[..., None])[..., 0]
        self.between[used, number] += np.swapaxes(first, 1, 2) @ second

    def add_prior(self, precision: Floats, moved: Floats, free: npt.NDArray[np.bool_]) -> None:
        """What is known of the cameras beforehand."""
        index = np.arange(precision.shape[1])
        self.camera[:, index, index] += np.where(free, precision, 0.0)
        self.camera_side -= np.where(free, precision * moved, 0.0)

    def solve(self, damping: float, free: npt.NDArray[np.bool_], hold_blocks: bool) -> tuple[Floats, Floats]:
        """Steps of the cameras `(C, 15)` and the blocks `(N, B)`."""
        cameras, count = free.shape
        whole = np.zeros((cameras * count, cameras * count))
        for number, own in enumerate(self.camera):
            place = slice(number * count, (number + 1) * count)
            whole[place, place] = own
        used = np.flatnonzero(free.ravel())
        side = self.camera_side.ravel()[used]
        whole[np.diag_indices_from(whole)] *= 1 + damping
        part = whole[np.ix_(used, used)]
        blocks, size = self.block_side.shape
        if hold_blocks:
            inverse, between = np.zeros_like(self.block), np.zeros((blocks, len(used), size))
        else:
            damped = self.block.copy()
            index = np.arange(size)
            damped[:, index, index] *= 1 + damping
            damped[:, index, index] += 1e-9 * (1 + damped[:, index, index].max(axis=1, keepdims=True))
            inverse = np.linalg.inv(damped)
            between = self.between.reshape(blocks, cameras * count, size)[:, used]
            across = between @ inverse
            flat = np.moveaxis(between, 1, 0).reshape(len(used), -1)
            part -= np.moveaxis(across, 1, 0).reshape(len(used), -1) @ flat.T
            side -= np.moveaxis(across, 1, 0).reshape(len(used), -1) @ self.block_side.ravel()
        part[np.diag_indices_from(part)] += 1e-9 * np.maximum(np.abs(np.diag(part)), 1e-12)
        change = np.zeros(cameras * count)
        change[used] = np.linalg.solve(part, side)
        rest = self.block_side - np.swapaxes(between, 1, 2) @ change[used]
        return change.reshape(cameras, count), (inverse @ rest[..., None])[..., 0]


def _equations(
    state: _State,
    layout: Layout,
    observed: Floats,
    weights: Floats,
    free: npt.NDArray[np.bool_],
    loss: float,
) -> _Equations:
    points, by_block = layout.place(state.blocks)
    equations = _Equations(len(state.cameras), len(state.blocks), state.blocks.shape[1])
    for number, camera in enumerate(state.cameras):
        used = np.flatnonzero(weights[number].any(axis=1))
        seen = camera.from_world(points[used])
        image = _image(camera, seen)
        residuals = observed[number, used] - image
        by_point = np.empty((*image.shape, 3))
        for axis in range(3):
            shift = np.zeros(3)
            shift[axis] = 1e-6
            by_point[..., axis] = (_image(camera, seen + shift) - _image(camera, seen - shift)) / 2e-6
        by_camera = np.zeros((*image.shape, len(PARAMETERS)))
        by_camera[..., :3] = by_point @ -_cross(seen)
        by_camera[..., 3:6] = by_point
        for place in np.flatnonzero(free[number][6:]) + 6:
            step = _STEPS.get(PARAMETERS[place], _LENS_STEP)
            change = np.zeros(len(PARAMETERS))
            change[place] = step
            by_camera[..., place] = (
                _image(_moved(camera, change), seen) - _image(_moved(camera, -change), seen)
            ) / (2 * step)
        distance = np.linalg.norm(residuals, axis=-1)
        there = np.isfinite(distance) & np.isfinite(by_camera).all(axis=(-2, -1))
        factor = np.where(there, weights[number, used], 0.0)
        if np.isfinite(loss):
            factor = factor * np.where(distance > loss, loss / np.maximum(distance, 1e-12), 1.0)
            factor = np.where(there, factor, 0.0)
        equations.add(
            number,
            used,
            np.where(there[..., None, None], by_camera, 0.0),
            np.where(there[..., None, None], by_point @ (camera.rotation @ by_block[used]), 0.0),
            np.where(there[..., None], residuals, 0.0),
            factor,
        )
    return equations
