"""Feet that rest stay where they are: legs are bent anew, bones keep their lengths."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.smoothing import present_runs
from tf_pose3d.skeleton import Skeleton

__all__ = ["lock_feet"]

# Seconds in which a foot comes from where it was to where it rests, and goes back.
_BLEND = 0.2
# Share of a leg's length up to which it is stretched.
_STRETCH = 0.9995
# Rounds in which the root gives way to legs that are too short.
_ROUNDS = 3


def lock_feet(
    poses: np.ndarray, resting: np.ndarray, feet: tuple[int, int], skeleton: Skeleton, fps: float
) -> np.ndarray:
    """Poses whose resting feet do not move and stand on the floor, and no foot is below it.

    A foot rests where it is on the mean of its rest. Where a leg does not reach, the root gives way,
    smoothly. Hip and ankle tell the knee, which stays on its side.

    Args:
        poses: `(F, J, 3)` metres, world axes with the floor at z = 0, finite, consecutive frames, bones of
            constant length.
        resting: `(F, 2)` bool: the left, the right foot rests.
        feet: Joints of the feet.
        skeleton: Names the joints; without hips, knees and ankles poses stay as they are.
        fps: Frames per second.
    """
    names = [f"{side}_{joint}" for side in "lr" for joint in ("hip", "knee", "ankle")]
    if not set(names) <= set(skeleton.joints) or not len(poses):
        return poses
    result = poses.astype(np.float64)
    wanted = [_way(result[:, feet[foot]], resting[:, foot], fps) + result[:, feet[foot]] for foot in range(2)]
    legs = [[skeleton.index(name) for name in names[3 * foot : 3 * foot + 3]] for foot in range(2)]
    beyond = [_hanging(skeleton, leg[2]) for leg in legs]
    for _ in range(_ROUNDS):
        shift = np.zeros((len(result), 3))
        for foot, (hip, knee, ankle) in enumerate(legs):
            length = _length(result[:, knee] - result[:, hip]) + _length(result[:, ankle] - result[:, knee])
            target = wanted[foot] - result[:, feet[foot]] + result[:, ankle]
            way = target - result[:, hip]
            distance = _length(way)
            lacking = np.maximum(distance - _STRETCH * length, 0) * resting[:, foot, None]
            shift += _widened(way / np.maximum(distance, 1e-9) * lacking, fps)
        if not shift.any():
            break
        result += shift[:, None]
    for foot, (hip, knee, ankle) in enumerate(legs):
        target = wanted[foot] - result[:, feet[foot]] + result[:, ankle]
        moved = _bend(result[:, hip], result[:, knee], result[:, ankle], target)
        way = moved[1] - result[:, ankle]
        result[:, knee], result[:, ankle] = moved
        result[:, beyond[foot]] += way[:, None]
    return result


def _way(foot: np.ndarray, resting: np.ndarray, fps: float) -> np.ndarray:
    """`(F, 3)` from where a foot is to where it should be."""
    way = np.zeros_like(foot)
    trust = np.zeros(len(foot))
    frames = np.arange(len(foot))
    runs = present_runs(resting)
    for first, end in runs:
        target = foot[first:end].mean(axis=0) * (1, 1, 0)
        way[first:end] = target - foot[first:end]
        trust[first:end] = 1
    reach = max(_BLEND * fps, 1.0)
    total, weight = np.zeros_like(foot), np.zeros(len(foot))
    for first, end in runs:
        for edge, outside in ((first, frames[:first]), (end - 1, frames[end:])):
            distance = np.abs(outside - edge)
            near = outside[distance < reach]
            share = 0.5 + 0.5 * np.cos(np.pi * np.abs(near - edge) / reach)
            total[near] += share[:, None] * way[edge]
            weight[near] += share
    free = trust == 0
    way[free] = total[free] / np.maximum(weight, 1.0)[free, None]
    # Nothing is below the floor.
    way[:, 2] = np.where(free, np.maximum(way[:, 2], -foot[:, 2]), way[:, 2])
    return way


def _widened(shift: np.ndarray, fps: float) -> np.ndarray:
    """A root's way that is needed in some frames, begun before and ended after, nowhere less than needed."""
    size = _length(shift)[:, 0]
    if not size.any():
        return shift
    half = max(round(_BLEND * fps), 1)
    offsets = np.arange(-half, half + 1)
    window = 0.5 + 0.5 * np.cos(np.pi * offsets / (half + 1))
    padded = np.pad(size, half)
    stretches = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1) * window
    nearest = np.clip(stretches.argmax(axis=1) - half + np.arange(len(size)), 0, len(size) - 1)
    needed = stretches.max(axis=1)
    direction = shift[nearest] / np.maximum(size[nearest], 1e-12)[:, None]
    return direction * needed[:, None]


def _bend(
    hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Knee and ankle of a leg that ends at a target, or as near as it reaches."""
    thigh, shank = _length(knee - hip), _length(ankle - knee)
    way = target - hip
    distance = np.maximum(_length(way), 1e-9)
    axis = way / distance
    distance = np.clip(distance, np.abs(thigh - shank) + 1e-6, _STRETCH * (thigh + shank))
    # The knee's side: as it was, turned with the leg.
    old = ankle - hip
    old_axis = old / np.maximum(_length(old), 1e-9)
    side = knee - hip - old_axis * np.sum((knee - hip) * old_axis, axis=-1, keepdims=True)
    side = side - axis * np.sum(side * axis, axis=-1, keepdims=True)
    side = side / np.maximum(_length(side), 1e-9)
    along = (thigh**2 - shank**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(thigh**2 - along**2, 0))
    return hip + along * axis + aside * side, hip + distance * axis


def _hanging(skeleton: Skeleton, joint: int) -> list[int]:
    """All joints beyond one."""
    found = [child for parent, child in skeleton.bones if parent == joint]
    return found + [far for child in found for far in _hanging(skeleton, child)]


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1, keepdims=True)
