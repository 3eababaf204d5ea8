"""One person's keypoints in several views to their joints in space: sides repaired, triangulated, refined.

Long clips go through in stretches, so that memory beside keypoints and result stays flat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.known import median_known
from tf_pose3d.multicamera.refinement import LAST_STEPS, measure_clip, refine_poses, with_jerks
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.swaps import exchange, find_swaps
from tf_pose3d.multicamera.timeline import fill_between
from tf_pose3d.multicamera.triangulation import reprojection_errors, triangulate_linear, triangulate_robust
from tf_pose3d.skeleton import Skeleton

__all__ = ["Options", "PersonPoints", "reconstruct"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]

# Frames that go through at once, and how many more at either end, so that stretches meet without a seam.
_STRETCH, _OVERLAP = 2048, 24
# A keypoint is wrong beyond so many usual errors, but not below so many pixels, and always beyond so many
# metres at the person's depth.
_TIMES, _LEAST_PIXELS, _MOST_METRES = 4.0, 4.0, 0.15
# Metres: no joint is farther from the middle of a body; by so much, or such a share, a bone of two views'
# points may be off; so far no joint leaps away from the frames round it.
_REACH = 1.3
_ODD_METRES, _ODD_SHARE = 0.12, 0.4
_LEAP = 0.25
# Frames that tell what is usual in a long clip: so many runs of so many.
_RUNS, _RUN = 8, 600
# Points that tell what is usual.
_SAMPLE = 20_000


@dataclasses.dataclass(frozen=True)
class Options:
    """How points are made.

    Attributes:
        min_confidence: Keypoints below count as missing.
        least_views: Views that a point needs, two or more.
        repair: Put right sides that a detector exchanged.
        refine: Bundle adjustment of the clip, see `tf_pose3d.multicamera.refinement`.
    """

    min_confidence: float = 0.3
    least_views: int = 2
    repair: bool = True
    refine: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class PersonPoints:
    """One person in space and how that came about.

    Attributes:
        pose_3d: `(F, J, 3)` float32 metres, world; NaN where fewer than two views agree on a joint.
        keypoints: `(V, F, J, 3)` float32 pixels and confidence, sides put right.
        used: `(V, F, J)` the views that made each point.
        error: `(V, F, J)` float32 pixels from each confident keypoint to the point's image, used or not.
        swapped: `(V, F)` where left and right were exchanged.
    """

    pose_3d: Singles
    keypoints: Singles
    used: Bools
    error: Singles
    swapped: Bools


def _stretches(num_frames: int) -> Iterator[tuple[slice, slice]]:
    """Frames to work on and those of them to keep, as slices of the clip and of the stretch."""
    for first in range(0, num_frames, _STRETCH):
        end = min(first + _STRETCH, num_frames)
        begin, stop = max(first - _OVERLAP, 0), min(end + _OVERLAP, num_frames)
        yield slice(begin, stop), slice(first - begin, end - begin)


def confident(keypoints: Singles, least: float) -> Floats:
    """Weights `(..., J)`: the confidence, 0 below the least one and where there is no keypoint."""
    confidence = np.nan_to_num(keypoints[..., 2]).astype(np.float64)
    return np.where((confidence >= least) & np.isfinite(keypoints[..., 0]), confidence, 0.0)


def usual_error(rig: Rig, rays: Floats, weights: Floats) -> float:
    """Median pixels between keypoints and the images of points made without any exclusion.

    Args:
        rig: V cameras.
        rays: `(V, N, 2)`.
        weights: `(V, N)`.
    """
    if rays.shape[1] > _SAMPLE:
        chosen = np.linspace(0, rays.shape[1] - 1, _SAMPLE).astype(int)
        rays, weights = rays[:, chosen], weights[:, chosen]
    points = triangulate_linear(rig, rays, weights)
    errors = reprojection_errors(rig, points, rays)
    told = errors[np.isfinite(errors) & (weights > 0)]
    return float(np.median(told)) if len(told) else 0.0


def limits(rig: Rig, rays: Floats, weights: Floats, usual: float) -> Floats:
    """`(N,)` pixels beyond which a keypoint is wrong."""
    points = triangulate_linear(rig, rays, weights, passes=1)
    depth = np.abs(np.einsum("vj,nj->vn", rig.rotation[:, 2], points) + rig.translation[:, 2:])
    with np.errstate(divide="ignore", invalid="ignore"):
        most = _MOST_METRES * np.fmin.reduce(rig.focal[:, None] / depth, axis=0)
    return np.minimum(max(_TIMES * usual, _LEAST_PIXELS), np.nan_to_num(most, nan=np.inf))


def reconstruct(
    rig: Rig,
    keypoints: Singles,
    skeleton: Skeleton,
    options: Options | None = None,
    steps: Floats | None = None,
) -> PersonPoints:
    """One person's joints in space.

    Args:
        rig: V cameras, V at least 2.
        keypoints: `(V, F, J, 3)` float32 pixels of the distorted images and confidence, NaN where missing;
            changed in place: sides are put right and a slower camera's frames filled between.
        skeleton: Names the joints.
        options: How.
        steps: `(V,)` frames from one of a view's own to the next; None: one.
    """
    options = options or Options()
    views, frames, joints = keypoints.shape[:3]
    repaired = keypoints
    slow = [] if steps is None else [view for view in range(views) if steps[view] >= 2]
    swapped = np.zeros((views, frames), bool)
    poses = np.full((frames, joints, 3), np.nan, np.float32)
    used = np.zeros((views, frames, joints), bool)
    error = np.full((views, frames, joints), np.nan, np.float32)
    usual: float | None = None
    done: list[tuple[slice, Singles]] = []
    for whole, kept in _stretches(frames):
        inner = slice(whole.start + kept.start, whole.start + kept.stop)
        part = repaired[:, whole]
        weights = confident(part, options.min_confidence)
        rays = rig.rays(part)
        if options.repair:
            turned = find_swaps(rig, np.where(weights[..., None] > 0, rays, np.nan), skeleton)
            swapped[:, inner] = turned[:, kept]
            if turned.any():
                part = exchange(part, skeleton, turned)
                rays, weights = exchange(rays, skeleton, turned), exchange(weights, skeleton, turned)
        if slow:
            assert steps is not None
            part = part.copy()
            fill_between(part, steps)
            weights = confident(part, options.min_confidence)
            rays = rig.rays(part)
        done.append((inner, part[:, kept]))
        if len(done) > 1:
            # What went before is read by the next stretch as it was: its overlap must not be put right twice.
            before, values = done.pop(0)
            repaired[:, before] = values
        rays = rays[:, kept].reshape(views, -1, 2)
        weights = weights[:, kept].reshape(views, -1)
        if usual is None:
            usual = usual_error(rig, rays, weights)
        points = triangulate_robust(
            rig, rays, weights, limits(rig, rays, weights, usual), options.least_views
        )
        shape = (kept.stop - kept.start, joints)
        poses[inner] = points.position.reshape(*shape, 3)
        used[:, inner] = points.used.reshape(views, *shape)
        error[:, inner] = np.where(weights > 0, points.error, np.nan).reshape(views, *shape)
    for inner, values in done:
        repaired[:, inner] = values
    lengths = usual_lengths(poses[_told(frames)], skeleton)
    for whole, kept in _stretches(frames):
        inner = slice(whole.start + kept.start, whole.start + kept.stop)
        # What went before has lost its wild joints already, which leaves the judgement of their neighbours.
        wild = _wild(poses[whole], used[:, whole], skeleton, lengths)[kept]
        poses[inner][wild] = np.nan
        error[:, inner][:, wild] = np.nan
        used[:, inner][:, wild] = False
    if options.refine:
        poses, error = _refined(rig, repaired, poses, used, error, skeleton, options)
    return PersonPoints(poses, repaired, used, error, swapped)


def _refined(
    rig: Rig,
    keypoints: Singles,
    poses: Singles,
    used: Bools,
    error: Singles,
    skeleton: Skeleton,
    options: Options,
) -> tuple[Singles, Singles]:
    told = _told(len(poses))
    model = measure_clip(
        poses[told], error[:, told], used[:, told], skeleton, _precision(rig, poses[told], used[:, told])
    )
    # A smooth motion tells how large its third differences are, and is where to begin with them.
    weights = confident(keypoints[:, told], options.min_confidence)
    smooth = refine_poses(rig, rig.rays(keypoints[:, told]), weights, poses[told], model)
    last = with_jerks(model, smooth, told)
    result, after = poses.copy(), error.copy()
    for whole, kept in _stretches(len(poses)):
        weights = confident(keypoints[:, whole], options.min_confidence)
        rays = rig.rays(keypoints[:, whole])
        if len(told) == len(poses):
            begin = smooth[whole]
        else:
            begin = refine_poses(rig, rays, weights, poses[whole], model)
        refined = refine_poses(rig, rays, weights, begin, last, LAST_STEPS)[kept]
        inner = slice(whole.start + kept.start, whole.start + kept.stop)
        result[inner] = refined
        views = len(rig)
        errors = reprojection_errors(rig, refined.reshape(-1, 3), rays[:, kept].reshape(views, -1, 2))
        errors = errors.reshape(views, *refined.shape[:2])
        after[:, inner] = np.where(weights[:, kept] > 0, errors, np.nan)
    return result, after


def _told(num_frames: int) -> npt.NDArray[np.int64]:
    """Frames that tell what is usual in a clip: all, or runs spread over a long one."""
    if num_frames <= _RUNS * _RUN:
        return np.arange(num_frames)
    starts = np.linspace(0, num_frames - _RUN, _RUNS).astype(int)
    return np.unique(starts[:, None] + np.arange(_RUN))


def usual_lengths(poses: Singles, skeleton: Skeleton) -> Floats:
    """`(J,)` median metres from each joint to its parent, NaN where unknown."""
    lengths = np.full(skeleton.num_joints, np.nan)
    for parent, child in skeleton.bones:
        lengths[child] = median_known(np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1))
    return lengths


def _wild(poses: Singles, used: Bools, skeleton: Skeleton, lengths: Floats) -> Bools:
    """`(F, J)` joints of two views that meet in space, but not where a joint of this body can be.

    Two views agree on a wrong keypoint wherever it lies along their lines. So their point must be no farther
    from the others than a body is, leave its bones a length that they may have, and not leap out of its path
    and back.
    """
    weak = used.sum(axis=0) == 2
    if not weak.any():
        return weak
    centre = median_known(poses, axis=1)
    far = np.linalg.norm(poses - centre[:, None], axis=-1) > _REACH
    odd = np.zeros(weak.shape, bool)
    for parent, child in skeleton.bones:
        length = np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        usual = float(lengths[child])
        wrong = np.abs(length - usual) > np.maximum(_ODD_SHARE * usual, _ODD_METRES)
        odd[:, child] |= wrong
        # The joint nearer to the trunk is wrong only where it is the weaker one.
        odd[:, parent] |= wrong & ~weak[:, child]
    leap = np.zeros(weak.shape, bool)
    if len(poses) > 4:
        window = np.stack([poses[2:-2], poses[:-4], poses[1:-3], poses[3:-1], poses[4:]])
        leap[2:-2] = np.linalg.norm(poses[2:-2] - median_known(window, axis=0), axis=-1) > _LEAP
    return weak & (far | odd | leap)


def _precision(rig: Rig, poses: Singles, used: Bools) -> Floats:
    """`(J,)` metres that an error of one pixel per axis and view means, as the median over the frames."""
    distance = np.linalg.norm(poses[None].astype(np.float64) - rig.centres[:, None, None], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        information = np.where(used, (rig.focal[:, None, None] / distance) ** 2, 0.0).sum(axis=0)
        # Each view tells two directions of three.
        one = 1 / np.sqrt(np.where(information > 0, information * 2 / 3, np.nan))
    usual = median_known(one, axis=0)
    return np.where(np.isfinite(usual), usual, 1.0)
