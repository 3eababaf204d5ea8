"""One skeleton for a whole clip: bones of constant length, their directions fitted to the poses."""

from __future__ import annotations

import numpy as np

from tf_pose3d.skeleton import Skeleton

__all__ = ["bone_lengths", "fit_skeleton"]

# At most so many sweeps over all bones, in each of which the error falls, and the way of a joint in metres
# below which a sweep is the last.
_SWEEPS, _SETTLED = 20, 2e-4
# Metres; a bone shorter than this in a frame has no direction of its own.
_SHORT = 1e-6


def bone_lengths(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Length of each bone: its median over the frames, the same for a bone and its mirror image.

    Args:
        poses: `(F, J, 3)` metres, finite, at least one frame.
        skeleton: Names the joints.

    Returns:
        `(J,)` metres from each joint to its parent, 0 for roots.
    """
    lengths = np.zeros(skeleton.num_joints)
    for parent, child in skeleton.bones:
        lengths[child] = np.median(np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1))
    for left, right in zip(skeleton.left, skeleton.right, strict=True):
        lengths[[left, right]] = lengths[[left, right]].mean()
    return lengths


def fit_skeleton(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Poses of one skeleton that lie nearest to others, the root where it was.

    Lengths are those of `bone_lengths`. Directions have the least sum of squared distances between joints:
    one bone after the other is turned to the best direction while all others keep theirs, which has a closed
    form: towards the mean of what the joints beyond it lack. So an error of one bone does not move the whole
    limb, as it does where every bone keeps the direction that it had.

    Args:
        poses: `(F, J, 3)` metres, any frame, finite, at least one frame.
        skeleton: Names the joints.

    Returns:
        `(F, J, 3)` of the same dtype.
    """
    lengths = bone_lengths(poses, skeleton)
    order, sizes = _limbs(skeleton)
    place = {joint: number for number, joint in enumerate(order)}
    # Joint by joint, so that what hangs on a joint is one stretch of memory.
    target = np.ascontiguousarray(poses[:, order].transpose(1, 0, 2), np.float64)
    fitted = target.copy()
    bones = []
    for joint in order:
        parent = skeleton.parents[joint]
        if parent < 0:
            continue
        number, above = place[joint], place[parent]
        bones.append((number, above, slice(number, number + sizes[joint]), lengths[joint]))
        vector = target[number] - target[above]
        fitted[number] = fitted[above] + vector * (lengths[joint] / _norm(vector))
    for _ in range(_SWEEPS):
        largest = 0.0
        for number, above, moved, length in bones:
            bone = fitted[number] - fitted[above]
            wanted = (target[moved] - fitted[moved]).mean(axis=0) + bone
            size = _norm(wanted)
            turn = np.where(size > _SHORT, wanted * (length / size), bone) - bone
            fitted[moved] += turn
            largest = max(largest, float(np.abs(turn).max()))
        if largest < _SETTLED:
            break
    result = np.empty_like(poses)
    result[:, order] = fitted.transpose(1, 0, 2)
    return result


def _norm(vectors: np.ndarray) -> np.ndarray:
    """`(..., 1)` lengths, none of them 0."""
    return np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SHORT)


def _limbs(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Joints in an order in which each is followed by all that hang on it, and how many that are with it."""
    order: list[int] = []
    sizes = [1] * skeleton.num_joints

    def visit(joint: int) -> None:
        order.append(joint)
        for parent, child in skeleton.bones:
            if parent == joint:
                visit(child)
                sizes[joint] += sizes[child]

    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            visit(joint)
    return order, sizes
