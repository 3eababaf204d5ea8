"""Left and right exchanged by a detector in one view: found by the lines of pairs of views, and put right.

The joints of one side in one view lie on the epipolar lines of the same side in another. Where they lie on
those of the other side instead, one of the two views has them exchanged: which, the other pairs tell, or,
with two views, the frames before and after.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.skeleton import Skeleton

__all__ = ["epipolar_distances", "essential", "exchange", "find_swaps", "view_pairs"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Number = TypeVar("Number", np.float32, np.float64)

# Partners of each view in the pairs that are asked: all of up to seven views, and linear beyond.
_PARTNERS = 3
# A distance counts up to so many times the usual one and so many pixels: beyond, a joint is wrong either way.
_CAP_TIMES, _CAP_PIXELS = 4.0, 8.0
# Pixels by which the exchanged sides must fit better, as a mean over the pairs, and as a share of what the
# right sides usually gain.
_MARGIN_PIXELS, _MARGIN_SHARE = 1.5, 0.25
# A pair in which neither side fits better than this share of the cap says nothing.
_TRUST = 0.75


def view_pairs(count: int, partners: int = _PARTNERS) -> list[tuple[int, int]]:
    """Pairs of views (a, b), a < b: every view with its next `partners` neighbours in a ring."""
    pairs = {
        (min(view, other), max(view, other))
        for view in range(count)
        for step in range(1, partners + 1)
        if (other := (view + step) % count) != view
    }
    return sorted(pairs)


def essential(rig: Rig, a: int, b: int) -> Floats:
    """`(3, 3)` E with x_b E x_a = 0 for rays x of one point."""
    rotation = rig.rotation[b] @ rig.rotation[a].T
    x, y, z = rig.translation[b] - rotation @ rig.translation[a]
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation


def epipolar_distances(rig: Rig, a: int, b: int, rays_a: Floats, rays_b: Floats) -> Floats:
    """Sampson's distance in pixels of rays `(..., 2)` of two views, which broadcast; NaN where one is
    missing.
    """
    matrix = essential(rig, a, b)
    x, y = rays_a[..., 0], rays_a[..., 1]
    u, v = rays_b[..., 0], rays_b[..., 1]
    l0, l1, l2 = (row[0] * x + row[1] * y + row[2] for row in matrix)
    m0, m1 = (column[0] * u + column[1] * v + column[2] for column in matrix.T[:2])
    size = (l0 * l0 + l1 * l1) / rig.focal[b] ** 2 + (m0 * m0 + m1 * m1) / rig.focal[a] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        # With slopes scaled to pixels the first-order distance is in pixels of both views together.
        return np.abs(u * l0 + v * l1 + l2) / np.sqrt(size)


def exchange(values: npt.NDArray[Number], skeleton: Skeleton, swapped: Bools) -> npt.NDArray[Number]:
    """Keypoints or rays `(V, F, J, ...)` with left and right exchanged where `swapped (V, F)`."""
    mirrored = values[:, :, list(skeleton.flip_order)]
    shape = swapped.shape + (1,) * (values.ndim - 2)
    return np.where(swapped.reshape(shape), mirrored, values)


def _pair_evidence(rig: Rig, rays: Floats, skeleton: Skeleton, a: int, b: int) -> tuple[Floats, float]:
    """`(F,)` mean pixels by which the same sides fit better than the opposite ones, 0 without a common joint;
    and the cap.
    """
    left, right = list(skeleton.left), list(skeleton.right)
    sides = ((left, left), (right, right), (left, right), (right, left))
    distances = [
        epipolar_distances(rig, a, b, rays[a][:, first], rays[b][:, second]) for first, second in sides
    ]
    same, opposite = np.concatenate(distances[:2], axis=1), np.concatenate(distances[2:], axis=1)
    both = np.isfinite(same) & np.isfinite(opposite)
    if not both.any():
        return np.zeros(rays.shape[1]), 0.0
    cap = _CAP_PIXELS + _CAP_TIMES * float(np.median(np.minimum(same[both], opposite[both])))
    count = np.maximum(both.sum(axis=1), 1)
    near = np.where(both, np.minimum(same, cap), 0).sum(axis=1) / count
    far = np.where(both, np.minimum(opposite, cap), 0).sum(axis=1) / count
    seen = both.any(axis=1)
    if np.median(np.minimum(near, far)[seen]) > _TRUST * cap:
        return np.zeros(rays.shape[1]), cap
    return far - near, cap


def _continuity(rig: Rig, rays: Floats, skeleton: Skeleton) -> Floats:
    """`(V, F - 1)` pixels by which the next frame's sides lie nearer than the opposite ones, 0 if unknown."""
    left, right = list(skeleton.left), list(skeleton.right)
    before, after = rays[:, :-1], rays[:, 1:]
    gain = np.zeros(before.shape[:2])
    count = np.zeros(before.shape[:2])
    for one, other in ((left, right), (right, left)):
        same = np.linalg.norm(after[:, :, one] - before[:, :, one], axis=-1)
        opposite = np.linalg.norm(after[:, :, other] - before[:, :, one], axis=-1)
        difference = opposite - same
        gain += np.nansum(difference, axis=-1)
        count += np.isfinite(difference).sum(axis=-1)
    return gain / np.maximum(count, 1) * rig.focal[:, None]


def find_swaps(rig: Rig, rays: Floats, skeleton: Skeleton) -> Bools:
    """Frames and views in which left and right of one person are exchanged.

    Of the two ways to read a frame, all sides right or all exchanged, the one with fewer exchanged views is
    taken; where that is even, as with two views, the one that goes on smoothly from the frames round it.

    Args:
        rig: V cameras.
        rays: `(V, F, J, 2)`, NaN where missing or not confident.
        skeleton: Says which joints are mirror images.

    Returns:
        `(V, F)`.
    """
    views, frames = rays.shape[:2]
    swapped = np.zeros((views, frames), bool)
    if not skeleton.left or views < 2:
        return swapped
    evidence = np.zeros((views, views, frames))
    usual = np.zeros((views, views))
    for a, b in view_pairs(views):
        gain, _ = _pair_evidence(rig, rays, skeleton, a, b)
        evidence[a, b] = evidence[b, a] = gain
        told = np.abs(gain[gain != 0])
        usual[a, b] = usual[b, a] = np.median(told) if len(told) else 0.0
    pairs = np.maximum((usual > 0).sum(axis=1), 1)
    margin = np.maximum(_MARGIN_PIXELS, _MARGIN_SHARE * usual.sum(axis=1) / pairs)
    sign = np.ones((views, frames))
    row = np.arange(frames)
    for _ in range(views):
        # What each view's sign earns with the others as they are: the worst is turned, while any is wrong.
        field = sign * np.einsum("abf,bf->af", evidence, sign) / pairs[:, None] + margin[:, None]
        worst = np.argmin(field, axis=0)
        wrong = field[worst, row] < 0
        if not wrong.any():
            break
        sign[worst[wrong], row[wrong]] *= -1
    # Views without a partner in a frame have no say in it.
    told = (evidence != 0).any(axis=1)
    sign[~told] = 1.0
    count, turned = told.sum(axis=0), (sign < 0).sum(axis=0)
    more = turned * 2 > count
    sign[:, more] = np.where(told[:, more], -sign[:, more], 1.0)
    even = (turned * 2 == count) & (turned > 0)
    if even.any():
        sign = _continued(sign, even, _continuity(rig, rays, skeleton))
    return (sign < 0) & told


def _continued(sign: Floats, even: Bools, continuity: Floats) -> Floats:
    """Signs `(V, F)` of which those of `even (F,)` frames may be turned as a whole to go on smoothly.

    The best way through both readings of every such frame (Viterbi).
    """
    frames = sign.shape[1]
    agree = np.einsum("vf,vf,vf->f", sign[:, 1:], sign[:, :-1], continuity)
    score = np.zeros((frames, 2))
    came = np.zeros((frames, 2), np.int64)
    barred = np.where(even, 0.0, -np.inf)
    score[0, 1] = barred[0]
    for frame in range(1, frames):
        # State 1 is the frame turned as a whole.
        stay, change = agree[frame - 1], -agree[frame - 1]
        for state in (0, 1):
            ways = (score[frame - 1, state] + stay, score[frame - 1, 1 - state] + change)
            came[frame, state] = state if ways[0] >= ways[1] else 1 - state
            score[frame, state] = max(ways) + (barred[frame] if state else 0.0)
    state = int(score[-1, 1] > score[-1, 0])
    result = sign.copy()
    for frame in range(frames - 1, -1, -1):
        if state:
            result[:, frame] *= -1
        state = int(came[frame, state])
    return result
