"""Bundle adjustment of one clip's poses: reprojection, bones of constant length and smooth motion together.

The sum that is least at the result, in units of what is usual in the clip itself: squared pixels from every
confident keypoint, under a loss that lets go of what lies far off (Geman and McClure's); squared deviations
of bones from their median lengths; squared differences in time. What is usual is measured: each view's
pixels by its median residual; the noise of a joint from one frame to the next by its fourth differences, and
its accelerations by what the second differences are above that noise. So exact keypoints stay where they are,
and a fast motion is not smoothed more than its frames bear.

Second differences alone quieten fast turns of a limb as they quieten noise. So what they give only tells how
large third differences usually are, which noise hides before; the result is the least sum with those.

Every frame and joint is solved at once: Gauss-Newton steps by conjugate gradients, whose matrix is never
formed.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.triangulation import solve_symmetric
from tf_pose3d.skeleton import Skeleton

__all__ = ["LAST_STEPS", "ClipModel", "measure_clip", "refine_poses", "with_jerks"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STEPS, _GRADIENTS = 2, 20
# With third differences, whose equations are stiffer and which begin near the end.
LAST_STEPS, _MORE_GRADIENTS = 2, 50
# A system is solved where what remains, in its own measure, is so small a share of the beginning.
_SOLVED = 1e-6
# A residual of so many usual ones has half its pull.
_KNEE = 3.0
# Median of the length of a two-dimensional error, in its standard deviations per axis; of an absolute value.
_RAYLEIGH, _NORMAL = 1.1774, 0.6745
# Pixels: better than this no keypoint is known. Exact ones are then held to a thousandth of a millimetre.
_FINEST = 0.003
# Metres by which bones change from frame to frame, at least and at most; and how many times what is measured,
# as frames on end share it: 2 serves both bodies of constant bones and real ones, whose vary by a centimetre.
_STIFF, _LOOSE, _SLOW = 0.004, 0.06, 2.0
# Metres per frame squared: no joint's accelerations are thought smaller.
_CALM = 1e-4
# Accelerations last: frames on end share them, so that they bind more than if each were drawn anew. Measured
# on made-up walks at 60 frames per second, slow and fast, with 3 and 5 pixels of noise: 2 to 4 is best.
_LASTING = 2.5
# The same of third differences, which are measured on a smooth motion and therefore small. Chosen on made-up
# walks of ordinary and of twice the speed, three to six views, 3 to 5 pixels of noise: 0.5 suits both speeds.
_JERKS_LASTING = 0.5
# Fewer frames tell nothing about how a joint moves.
_LEAST = 8


@dataclasses.dataclass(frozen=True, eq=False)
class ClipModel:
    """What is usual in a clip.

    Attributes:
        pixels: `(V,)` standard deviation of keypoints per axis and view.
        bones: `(B, 2)` indices of parent and child.
        lengths: `(B,)` metres, median over the frames.
        spread: `(B,)` metres, how far a bone's length may lie off.
        smoothness: `(J,)` weight of a squared difference, per square metre.
        noisy: `(J,)` share of the keypoints' noise that flickers from frame to frame, as variance.
        order: Of the differences, 2 or 3.
    """

    pixels: Floats
    bones: npt.NDArray[np.int64]
    lengths: Floats
    spread: Floats
    smoothness: Floats
    noisy: Floats
    order: int = 2


def measure_clip(
    poses: npt.NDArray[np.floating],
    errors: npt.NDArray[np.floating],
    used: Bools,
    skeleton: Skeleton,
    precision: Floats,
) -> ClipModel:
    """What is usual in a clip, from its first triangulation.

    Args:
        poses: `(F, J, 3)` metres, NaN where missing.
        errors: `(V, F, J)` pixels.
        used: `(V, F, J)` the views that made a point.
        skeleton: Its bones.
        precision: `(J,)` metres that a standard deviation of one pixel means for a joint, usually.
    """
    counts = used.sum(axis=0)
    pixels = []
    for view, chosen in enumerate(used):
        # Two views can always nearly agree: residuals of points with more tell more.
        told = errors[view][chosen & (counts > 2)]
        if len(told) < 20:
            told = errors[view][chosen]
        pixels.append(float(np.median(told)) / _RAYLEIGH if len(told) else np.nan)
    scale = np.array(pixels)
    scale = np.where(np.isfinite(scale), scale, np.nanmedian(scale) if np.isfinite(scale).any() else 1.0)
    # Residuals are smaller than errors: of 2 V numbers three are spent on the point.
    share = float(np.clip(np.mean(counts[counts > 1]), 2, None)) if (counts > 1).any() else 2.0
    scale = np.maximum(scale * np.sqrt(2 * share / (2 * share - 3)), _FINEST)
    noise, calm = _motion(poses)
    level = float(np.median(scale))
    assumed = np.maximum((precision * level) ** 2, 1e-18)
    # What flickers from frame to frame is at most the keypoints' noise: more is motion. The data's weight is
    # that of all their noise, of which the slow part cannot be told from motion.
    noise = np.minimum(noise, assumed)
    smoothness = _LASTING * np.nan_to_num(noise / np.maximum(calm, _CALM**2) / assumed)
    bones, lengths, spread = [], [], []
    for parent, child in skeleton.bones:
        length = np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        seen = length[np.isfinite(length)]
        if len(seen) < _LEAST or np.median(seen) < 1e-3:
            continue
        usual = float(np.median(seen))
        # How much longer and shorter it is seen than noise would have it: detectors do not see bones, but
        # joints that wander on the limbs, and do so slowly.
        varied = (float(np.median(np.abs(seen - usual))) / _NORMAL) ** 2
        flicker = float(np.nan_to_num(noise[parent] + noise[child]))
        wandering = _SLOW * np.sqrt(max(varied - flicker, 0.0))
        bones.append((parent, child))
        lengths.append(usual)
        spread.append(float(np.clip(wandering, _STIFF, _LOOSE)))
    return ClipModel(
        scale,
        np.array(bones, np.int64).reshape(-1, 2),
        np.array(lengths),
        np.array(spread),
        smoothness,
        np.nan_to_num(noise / assumed),
    )


def with_jerks(model: ClipModel, poses: npt.NDArray[np.floating], runs: npt.NDArray[np.int64]) -> ClipModel:
    """The model with third differences, as large as they are in a motion that is smooth already.

    Args:
        model: Of `measure_clip`.
        poses: `(F, J, 3)` metres of `refine_poses` by it, NaN where missing.
        runs: `(F,)` the frames' numbers: only those that follow each other tell.
    """
    if len(poses) < _LEAST:
        return model
    follows = (np.diff(runs) == 1).astype(int)
    whole = np.convolve(follows, np.ones(3, int), "valid") == 3
    squares = (np.diff(poses, 3, axis=0)[whole] ** 2).mean(axis=2)
    known = np.isfinite(squares)
    usual = np.where(known, squares, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    weight = _JERKS_LASTING * model.noisy / np.maximum(usual, _CALM**2)
    told = known.sum(axis=0) >= _LEAST // 2
    return dataclasses.replace(model, smoothness=np.where(told, weight, 0.0), order=3)


def _motion(poses: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Variances per axis of each joint `(J,)`: of its noise, and of its second differences without noise; NaN
    where too few frames follow each other.
    """
    count = poses.shape[1]
    if len(poses) < _LEAST:
        return np.full(count, np.nan), np.full(count, np.nan)
    second, fourth = np.diff(poses, 2, axis=0), np.diff(poses, 4, axis=0)
    told = np.isfinite(fourth[..., 0]).sum(axis=0) >= _LEAST // 2
    result = []
    for differences, factor in ((fourth, 70.0), (second, 1.0)):
        values = np.abs(np.where(told[None, :, None], differences, 0)).transpose(1, 0, 2).reshape(count, -1)
        result.append((np.nanmedian(values, axis=1) / _NORMAL) ** 2 / factor)
    noise, calm = result
    noise, calm = np.where(told, noise, np.nan), np.where(told, calm, np.nan)
    return noise, np.maximum(calm - 6 * noise, 0.1 * calm)


def refine_poses(
    rig: Rig,
    rays: Floats,
    weights: npt.NDArray[np.floating],
    poses: npt.NDArray[np.floating],
    model: ClipModel,
    steps: int = _STEPS,
) -> Floats:
    """Poses at which the sum above is least.

    Args:
        rig: V cameras.
        rays: `(V, F, J, 2)`, NaN where missing.
        weights: `(V, F, J)`, 0 for keypoints that do not count.
        poses: `(F, J, 3)` metres to begin with; what is NaN stays so.
        model: Of `measure_clip`.
        steps: Of Gauss-Newton.

    Returns:
        `(F, J, 3)`.
    """
    shape = poses.shape[:2]
    here = np.isfinite(poses).all(axis=-1)
    place = np.where(here[..., None], poses, 0.0).astype(np.float64)
    seen = np.isfinite(rays).all(axis=-1) & (weights > 0) & here[None]
    filled = np.nan_to_num(rays)
    points = np.moveaxis(place, -1, 0).reshape(3, -1)
    smooth = _Smoothness(here, model.smoothness, model.order)
    for _ in range(steps):
        matrix, side = _reprojection(rig, filled, weights, seen, points, model.pixels)
        bones = _Bones(points.reshape(3, *shape), here, model)
        grid = points.reshape(3, *shape)
        side = side - smooth.product(grid).reshape(3, -1) + bones.gradient().reshape(3, -1)
        diagonal = matrix + bones.diagonal().reshape(6, -1)
        for index in (0, 3, 5):
            diagonal[index] += smooth.diagonal.reshape(-1)
        blank = ~here.reshape(-1)
        for index in (0, 3, 5):
            diagonal[index, blank] = 1.0
        side[:, blank] = 0.0

        def product(step: Floats, matrix: Floats = matrix, bones: _Bones = bones) -> Floats:
            grid = step.reshape(3, *shape)
            return (
                _symmetric(matrix, step)
                + smooth.product(grid).reshape(3, -1)
                + bones.product(grid).reshape(3, -1)
            )

        points = points + _conjugate_gradients(
            product, side, diagonal, _GRADIENTS if model.order == 2 else _MORE_GRADIENTS
        )
    result = np.moveaxis(points.reshape(3, *shape), 0, -1)
    return np.where(here[..., None], result, np.nan)


def _symmetric(matrix: Floats, vector: Floats) -> Floats:
    """`(3, N)` products of symmetric matrices `(6, N)` with vectors."""
    a, b, c, d, e, f = matrix
    x, y, z = vector
    return np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z])


def _reprojection(
    rig: Rig, rays: Floats, weights: npt.NDArray[np.floating], seen: Bools, points: Floats, pixels: Floats
) -> tuple[Floats, Floats]:
    """Normal equations `(6, N)`, `(3, N)` of the reprojection at points `(3, N)`."""
    count = points.shape[1]
    matrix, side = np.zeros((6, count)), np.zeros((3, count))
    for view in range(len(rig)):
        rotation, focal = rig.rotation[view], rig.focal[view]
        x, y, z = rotation @ points + rig.translation[view][:, None]
        front = seen[view].reshape(-1) & (z > 0.05)
        z = np.where(front, z, 1.0)
        u, v = x / z, y / z
        ray = rays[view].reshape(-1, 2)
        du, dv = (ray[:, 0] - u) * focal, (ray[:, 1] - v) * focal
        usual = (du * du + dv * dv) / (_KNEE * pixels[view]) ** 2
        weight = np.where(front, weights[view].reshape(-1), 0.0) / (pixels[view] * (1 + usual)) ** 2
        scale = focal / z
        first = (rotation[0][:, None] - rotation[2][:, None] * u) * scale
        second = (rotation[1][:, None] - rotation[2][:, None] * v) * scale
        f, s = first * weight, second * weight
        side += f * du + s * dv
        for index, (i, j) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
            matrix[index] += f[i] * first[j] + s[i] * second[j]
    return matrix, side


class _Smoothness:
    """Squared differences of some order, of joints that are there in all the frames that one takes."""

    def __init__(self, here: Bools, weights: Floats, order: int) -> None:
        self.factors = [(-1) ** (order - place) * math.comb(order, place) for place in range(order + 1)]
        count = max(len(here) - order, 0)
        self.parts = [slice(place, place + count) for place in range(order + 1)]
        self.weight = np.logical_and.reduce([here[part] for part in self.parts]) * weights
        self.diagonal = np.zeros(here.shape)
        for factor, part in zip(self.factors, self.parts, strict=True):
            self.diagonal[part] += factor * factor * self.weight

    def product(self, grid: Floats) -> Floats:
        """The quadratic form's gradient at `(3, F, J)`."""
        result = np.zeros_like(grid)
        bend = np.zeros((3, *self.weight.shape))
        for factor, part in zip(self.factors, self.parts, strict=True):
            bend += factor * grid[:, part]
        bend *= self.weight
        for factor, part in zip(self.factors, self.parts, strict=True):
            result[:, part] += factor * bend
        return result


class _Bones:
    """Squared deviations of bones from their lengths, at one place."""

    def __init__(self, grid: Floats, here: Bools, model: ClipModel) -> None:
        self.parent, self.child = model.bones[:, 0], model.bones[:, 1]
        vector = grid[:, :, self.child] - grid[:, :, self.parent]
        length = np.sqrt((vector * vector).sum(axis=0))
        self.direction = vector / np.maximum(length, 1e-6)
        both = here[:, self.child] & here[:, self.parent] & (length > 1e-3)
        off = length - model.lengths
        # A bone that is far off is no bone of this person: it lets go, as keypoints do.
        self.weight = both / (model.spread * (1 + (off / (10 * model.spread)) ** 2)) ** 2
        self.pull = self.weight * off
        # Row b has 1 at the child and -1 at the parent: sums over the bones of a joint are products with it.
        self.ends = np.zeros((len(self.parent), grid.shape[-1]))
        row = np.arange(len(self.parent))
        self.ends[row, self.child], self.ends[row, self.parent] = 1.0, -1.0

    def gradient(self) -> Floats:
        """`(3, F, J)` downhill."""
        return -(self.pull * self.direction) @ self.ends

    def product(self, step: Floats) -> Floats:
        along = ((step @ self.ends.T) * self.direction).sum(axis=0) * self.weight
        return (along * self.direction) @ self.ends

    def diagonal(self) -> Floats:
        """`(6, F, J)` blocks of each joint."""
        d, w = self.direction, self.weight
        blocks = np.stack([w * d[i] * d[j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))])
        return blocks @ np.abs(self.ends)


def _conjugate_gradients(product: object, side: Floats, diagonal: Floats, most: int) -> Floats:
    """A step `(3, N)` that solves the normal equations, preconditioned by the blocks of each point."""
    assert callable(product)
    step = np.zeros_like(side)
    rest = side.copy()
    ready = np.nan_to_num(solve_symmetric(diagonal, rest))
    way = ready.copy()
    old = float((rest * ready).sum())
    first = old
    for _ in range(most):
        if old <= _SOLVED * first or old <= 0:
            break
        turned = product(way)
        share = old / float((way * turned).sum())
        step += share * way
        rest -= share * turned
        ready = np.nan_to_num(solve_symmetric(diagonal, rest))
        new = float((rest * ready).sum())
        way = ready + (new / old) * way
        old = new
    return step
