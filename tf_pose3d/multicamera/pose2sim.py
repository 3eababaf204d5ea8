"""Pose2Sim's rule of triangulation, so that its results can be had again and compared.

What it does is read from Pose2Sim 0.10.49 (BSD-3-Clause), `triangulation.py` and `common.py`; nothing is
copied. A point is the direct linear transform of all cameras whose likelihood reaches the limit, each
weighted with it, on the pixels as they are (lens distortion counts for nothing); where the mean reprojection
error is above a limit, all subsets without one camera are tried, then without two, until the best one is
below. Gaps are bridged by straight lines. It lists subsets, so that its time grows with the number of cameras
as theirs.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.known import mean_known
from tf_pose3d.multicamera.rig import Rig

__all__ = ["Pose2SimRule", "fill_gaps", "triangulate_pose2sim"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# More cameras have more subsets than anyone waits for.
_MOST_CAMERAS = 14
# Fewer known frames of a joint are not joined.
_LEAST_KNOWN = 5


@dataclasses.dataclass(frozen=True)
class Pose2SimRule:
    """The settings of Pose2Sim's `[triangulation]`, with its defaults.

    Attributes:
        error_threshold: `reproj_error_threshold_triangulation`, pixels.
        likelihood_threshold: `likelihood_threshold_triangulation`.
        min_cameras: `min_cameras_for_triangulation`.
        longest_gap: `interp_if_gap_smaller_than`, frames.
        min_chunk: `min_chunk_size`, frames.
    """

    error_threshold: float = 15.0
    likelihood_threshold: float = 0.3
    min_cameras: int = 2
    longest_gap: int = 20
    min_chunk: int = 10


def _solved(matrices: Floats, pixels: Floats, weights: Floats) -> Floats:
    """`(N, 3)` points of views with a weight, by the smallest singular vector."""
    rows = []
    for view in range(len(matrices)):
        matrix = matrices[view]
        weight = weights[view][:, None]
        for axis in (0, 1):
            rows.append((matrix[axis] - pixels[view, :, axis, None] * matrix[2]) * weight)
    system = np.stack(rows, axis=1)
    vector = np.linalg.svd(system)[2][:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        points = vector[:, :3] / vector[:, 3:]
    return np.where(((weights > 0).sum(axis=0) >= 2)[:, None], points, np.nan)


def triangulate_pose2sim(
    rig: Rig, keypoints: npt.NDArray[np.floating], rule: Pose2SimRule | None = None
) -> tuple[Floats, Floats, Bools]:
    """Points by Pose2Sim's rule.

    Args:
        rig: V cameras; of a camera only K, R and t count.
        keypoints: `(V, F, J, 3)` pixels and likelihood, NaN where missing.
        rule: Its settings.

    Returns:
        `(F, J, 3)` metres, world, NaN where no subset was good enough; `(F, J)` mean pixels; `(V, F, J)` the
        cameras that were used.

    Raises:
        Pose3DError: More cameras than subsets can be tried of.
    """
    rule = rule or Pose2SimRule()
    views, frames, joints = keypoints.shape[:3]
    if views > _MOST_CAMERAS:
        raise Pose3DError(
            f"--method pose2sim tries every subset of cameras: {views} have too many, expected at most "
            f"{_MOST_CAMERAS}; leave --method away"
        )
    matrices = np.stack([camera.projection_matrix for camera in rig.cameras])
    flat = keypoints.reshape(views, -1, 3).astype(np.float64)
    weights = np.where(flat[..., 2] >= rule.likelihood_threshold, flat[..., 2], 0.0)
    weights = np.nan_to_num(np.where(np.isfinite(flat[..., 0]), weights, 0.0))
    pixels = np.nan_to_num(flat[..., :2])
    count = pixels.shape[1]
    points, error = np.full((count, 3), np.nan), np.full(count, np.inf)
    used = np.zeros((views, count), bool)
    open_points = np.arange(count)
    for left_out in range(views - rule.min_cameras + 1):
        if not len(open_points):
            break
        subsets = list(itertools.combinations(range(views), left_out))
        held = weights[:, open_points]
        # Taken as Pose2Sim does: the emptiest subset decides whether this round is tried at all.
        fewest = np.min([np.delete(held > 0, subset, axis=0).sum(axis=0) for subset in subsets], axis=0)
        tried = fewest >= rule.min_cameras
        open_points, held = open_points[tried], held[:, tried]
        best = np.full(len(open_points), np.inf)
        chosen = np.zeros(len(open_points), np.int64)
        found = np.full((len(open_points), 3), np.nan)
        for place, subset in enumerate(subsets):
            kept = held.copy()
            kept[list(subset)] = 0.0
            solved = _solved(matrices, pixels[:, open_points], kept)
            mean = _mean_error(matrices, solved, pixels[:, open_points], kept > 0)
            better = mean < best
            best[better], chosen[better], found[better] = mean[better], place, solved[better]
        points[open_points], error[open_points] = found, best
        out = np.zeros((views, len(open_points)), bool)
        for place, subset in enumerate(subsets):
            out[np.ix_(np.array(subset, np.int64), np.flatnonzero(chosen == place))] = True
        used[:, open_points] = (held > 0) & ~out
        open_points = open_points[best > rule.error_threshold]
    bad = ~(error <= rule.error_threshold)
    points[bad], error[bad], used[:, bad] = np.nan, np.nan, False
    return (
        points.reshape(frames, joints, 3),
        error.reshape(frames, joints),
        used.reshape(views, frames, joints),
    )


def _mean_error(matrices: Floats, points: Floats, pixels: Floats, seen: Bools) -> Floats:
    """`(N,)` mean pixels over the views that count, infinite where there is no point."""
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    total = np.zeros(len(points))
    for view, matrix in enumerate(matrices):
        image = homogeneous @ matrix.T
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.linalg.norm(image[:, :2] / image[:, 2:] - pixels[view], axis=1)
        total += np.where(seen[view], off, 0.0)
    mean = total / np.maximum(seen.sum(axis=0), 1)
    return np.where(np.isfinite(mean), mean, np.inf)


def fill_gaps(points: Floats, error: Floats, rule: Pose2SimRule | None = None) -> tuple[Floats, slice]:
    """Gaps bridged, and the frames that Pose2Sim keeps.

    Gaps of up to `longest_gap` frames become straight lines, in longer ones the last place stays, and before
    the first the first. A joint that was never found stays NaN, for which Pose2Sim's files hold zeros.

    Args:
        points: `(F, J, 3)`, NaN where missing.
        error: `(F, J)` of the points before.
        rule: Its settings.

    Returns:
        `(F, J, 3)`, and from the first to the last frame of runs of at least `min_chunk` frames with any
        point; all frames where there is no such run.
    """
    rule = rule or Pose2SimRule()
    result = points.copy()
    frames = np.arange(len(points))
    for joint in range(points.shape[1]):
        known = np.isfinite(points[:, joint]).all(axis=1)
        good = np.flatnonzero(known)
        if len(good) < _LEAST_KNOWN:
            continue
        for axis in range(3):
            line = np.interp(frames, good, points[good, joint, axis], left=np.nan, right=np.nan)
            result[~known, joint, axis] = line[~known]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], ~known, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2).tolist():
            if end - first > rule.longest_gap:
                result[first:end, joint] = np.nan
    seen = np.isfinite(mean_known(error, axis=1))
    ends = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8))).tolist()
    runs = [run for run in zip(ends[::2], ends[1::2], strict=True) if run[1] - run[0] >= rule.min_chunk]
    kept = slice(runs[0][0], runs[-1][1]) if runs else slice(0, len(points))
    part = result[kept]
    for joint in range(part.shape[1]):
        known = np.isfinite(part[:, joint]).all(axis=1)
        if known.any():
            last = np.maximum.accumulate(np.where(known, np.arange(len(part)), -1))
            part[:, joint] = part[np.where(last < 0, int(np.argmax(known)), last), joint]
    result[kept] = part
    return result, kept
