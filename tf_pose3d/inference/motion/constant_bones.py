"""One skeleton for a whole clip: bones of constant length and a rigid pelvis, turned to fit the poses."""

from __future__ import annotations

import numpy as np

from tf_pose3d.skeleton import Skeleton

__all__ = [
    "Pelvis",
    "bone_lengths",
    "complete_joints",
    "find_pelvis",
    "fit_skeleton",
    "nearest_rotations",
    "pelvis_shape",
]

# At most so many sweeps over all bones, in each of which the error falls, and the way of a joint in metres
# below which a sweep is the last.
_SWEEPS, _SETTLED = 20, 2e-4
# Metres; a bone shorter than this in a frame has no direction of its own.
_SHORT = 1e-6
# Weight of a pelvis's own last direction beside what joints say that hang on it: it counts where none does.
_INERT = 1e-3
# Left hip, right hip and the first joint of the spine.
Pelvis = tuple[int, int, int]


def bone_lengths(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Length of each bone: its median over the frames, the same for a bone and its mirror image.

    Args:
        poses: `(F, J, 3)` metres, at least one frame; bones count in frames in which both ends are finite.
        skeleton: Names the joints.

    Returns:
        `(J,)` metres from each joint to its parent, 0 for roots.
    """
    lengths = np.zeros(skeleton.num_joints)
    for parent, child in skeleton.bones:
        seen = np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        seen = seen[np.isfinite(seen)]
        lengths[child] = np.median(seen) if len(seen) else 0.0
    for left, right in zip(skeleton.left, skeleton.right, strict=True):
        lengths[[left, right]] = lengths[[left, right]].mean()
    return lengths


def find_pelvis(skeleton: Skeleton) -> Pelvis | None:
    """The hips and the spine's first joint where all three hang on the root, which then is one rigid body."""
    hanging = [child for parent, child in skeleton.bones if parent == skeleton.root]
    pair = [(left, right) for left, right in zip(skeleton.left, skeleton.right, strict=True)]
    hips = next(((left, right) for left, right in pair if skeleton.joints[left] == "l_hip"), None)
    middle = [child for child in hanging if not any(child in sides for sides in pair)]
    if hips is None or not set(hips) <= set(hanging) or len(middle) != 1 or len(hanging) != 3:
        return None
    return (*hips, middle[0])


def pelvis_shape(poses: np.ndarray, skeleton: Skeleton, pelvis: Pelvis, lengths: np.ndarray) -> np.ndarray:
    """`(3, 3)` metres from the root to hips and spine: x to the left, y along the spine, z forward.

    It is the median over the frames, made the same on both sides, with the lengths of `bone_lengths`.
    """
    vectors = poses[:, pelvis, :].astype(np.float64) - poses[:, [skeleton.root]]
    across = _unit(vectors[:, 0] - vectors[:, 1])
    up = _unit(vectors[:, 2])
    forward = _unit(np.cross(across, up))
    axes = np.stack([np.cross(up, forward), up, forward], axis=1)
    hips = np.median(np.einsum("fab,fjb->fja", axes, vectors[:, :2]), axis=0)
    left = np.array([hips[0, 0] - hips[1, 0], hips[0, 1] + hips[1, 1], hips[0, 2] + hips[1, 2]]) / 2
    left = left * (lengths[pelvis[0]] / max(float(np.linalg.norm(left)), _SHORT))
    return np.array([left, left * (-1, 1, 1), [0.0, lengths[pelvis[2]], 0.0]])


def fit_skeleton(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Poses of one skeleton that lie nearest to others, the root where it was.

    Lengths are those of `bone_lengths`; hips and spine turn with the pelvis as one body (`pelvis_shape`),
    so that joint rotations of an ordinary skeleton give exactly these poses. Directions have the least sum
    of squared distances between joints: one bone after the other is turned to the best direction while all
    others keep theirs, which has a closed form: towards the mean of what the joints beyond it lack. So an
    error of one bone does not move the whole limb, as it does where every bone keeps the direction that it
    had.

    Joints that frames lack ask for nothing: their bones lie as `complete_joints` has them, with the limb that
    they belong to.

    Args:
        poses: `(F, J, 3)` metres, any frame, at least one frame; each frame has a finite joint, and each
            joint is finite in a frame.
        skeleton: Names the joints.

    Returns:
        `(F, J, 3)` of the same dtype, finite.
    """
    known = np.isfinite(poses).all(axis=-1)
    whole = bool(known.all())
    seen, poses = poses, poses if whole else complete_joints(poses, skeleton)
    lengths = bone_lengths(seen, skeleton)
    if not whole:
        # Of bones whose ends were never seen together.
        lengths = np.where(lengths > 0, lengths, bone_lengths(poses, skeleton))
    order, sizes = _limbs(skeleton)
    place = {joint: number for number, joint in enumerate(order)}
    # Joint by joint, so that what hangs on a joint is one stretch of memory.
    target = np.ascontiguousarray(poses[:, order].transpose(1, 0, 2), np.float64)
    fitted = target.copy()
    weights = None if whole else np.ascontiguousarray(known[:, order].T, np.float64)[..., None]
    pelvis = find_pelvis(skeleton)
    body = None if pelvis is None else _Body(poses, skeleton, pelvis, lengths, place, sizes)
    bones = []
    for joint in order:
        parent = skeleton.parents[joint]
        if parent < 0:
            continue
        number, above = place[joint], place[parent]
        vector = target[number] - target[above]
        fitted[number] = fitted[above] + vector * (lengths[joint] / _norm(vector))
        if pelvis is None or joint not in pelvis:
            bones.append((number, above, slice(number, number + sizes[joint]), lengths[joint]))
    for _ in range(_SWEEPS):
        largest = 0.0 if weights is None else _shift_roots(fitted, target, weights, place, sizes, skeleton)
        if body is not None:
            largest = max(largest, body.turn(fitted, target, weights))
        for number, above, moved, length in bones:
            bone = fitted[number] - fitted[above]
            wanted = _lacking(fitted, target, weights, moved) + bone
            size = _norm(wanted)
            turn = np.where(size > _SHORT, wanted * (length / size), bone) - bone
            fitted[moved] += turn
            largest = max(largest, float(np.abs(turn).max()))
        if largest < _SETTLED:
            break
    result = np.empty_like(poses)
    result[:, order] = fitted.transpose(1, 0, 2)
    return result


def complete_joints(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Poses in which each missing joint (NaN) is where its bone would be if it went on turning evenly.

    A bone goes from the direction and length in which it was last seen to those in which it is seen next; the
    first and the last stay.

    Args:
        poses: `(F, J, 3)` metres; each frame has a finite joint, and each joint is finite in a frame.
        skeleton: Names the joints.

    Returns:
        `(F, J, 3)` of the same dtype, finite.
    """
    result = poses.astype(np.float64)
    order, _ = _limbs(skeleton)
    bones = [(skeleton.parents[joint], joint) for joint in order if skeleton.parents[joint] >= 0]
    vectors = {}
    for parent, child in bones:
        vector = result[:, child] - result[:, parent]
        if not np.isfinite(vector).all(axis=1).any():
            vector = _interpolated(result[:, child]) - _interpolated(result[:, parent])
        vectors[child] = _interpolated(vector)
    for parent, child in reversed(bones):
        missing = np.isnan(result[:, parent, 0])
        result[missing, parent] = result[missing, child] - vectors[child][missing]
    for parent, child in bones:
        missing = np.isnan(result[:, child, 0])
        result[missing, child] = result[missing, parent] + vectors[child][missing]
    return result.astype(poses.dtype)


def _interpolated(values: np.ndarray) -> np.ndarray:
    """`(F, 3)` with straight lines over what is missing; the ends stay."""
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    rows = np.arange(len(values))
    return np.stack([np.interp(rows, known, values[known, axis]) for axis in range(3)], axis=1)


def _lacking(fitted: np.ndarray, target: np.ndarray, weights: np.ndarray | None, moved: slice) -> np.ndarray:
    """`(F, 3)` mean way from some joints to where they were seen."""
    way = target[moved] - fitted[moved]
    if weights is None:
        return np.asarray(way.mean(axis=0))
    held = weights[moved]
    return np.asarray((way * held).sum(axis=0) / np.maximum(held.sum(axis=0), _INERT))


def _shift_roots(
    fitted: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    place: dict[int, int],
    sizes: list[int],
    skeleton: Skeleton,
) -> float:
    """Moves poses whose root was not seen to the joints that were; the largest way."""
    largest = 0.0
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            moved = slice(place[joint], place[joint] + sizes[joint])
            way = _lacking(fitted, target, weights, moved) * (1 - weights[place[joint]])
            fitted[moved] += way
            largest = max(largest, float(np.abs(way).max()))
    return largest


class _Body:
    """The pelvis, which turns as a whole with all that hangs on it."""

    def __init__(
        self,
        poses: np.ndarray,
        skeleton: Skeleton,
        pelvis: Pelvis,
        lengths: np.ndarray,
        place: dict[int, int],
        sizes: list[int],
    ) -> None:
        self._shape = pelvis_shape(poses, skeleton, pelvis, lengths)
        self._root = place[skeleton.root]
        self._numbers = [place[joint] for joint in pelvis]
        self._sizes = [sizes[joint] for joint in pelvis]

    def turn(self, fitted: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> float:
        """Turns it to the best place for all joints that hang on it; the largest way of a joint."""
        moved = [
            slice(number, number + size) for number, size in zip(self._numbers, self._sizes, strict=True)
        ]
        bones = [fitted[number] - fitted[self._root] for number in self._numbers]
        wanted = np.stack(
            [_lacking(fitted, target, weights, m) + bone for m, bone in zip(moved, bones, strict=True)],
            axis=1,
        )
        counts = np.array(self._sizes, np.float64)
        if weights is not None:
            counts = np.stack([weights[m].sum(axis=0)[:, 0] for m in moved], axis=1) + _INERT
        rotations = nearest_rotations(self._shape, wanted, counts)
        placed = np.einsum("fab,jb->fja", rotations, self._shape)
        largest = 0.0
        for number, stretch in enumerate(moved):
            way = placed[:, number] - bones[number]
            fitted[stretch] += way
            largest = max(largest, float(np.abs(way).max()))
        return largest


def nearest_rotations(rest: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rotations that turn some vectors as near as they can to others (Kabsch 1976).

    Args:
        rest: `(n, 3)` vectors at rest.
        vectors: `(F, n, 3)` where they should point.
        weights: `(n,)` or `(F, n)` of each.

    Returns:
        `(F, 3, 3)`: `rotation @ rest[i]` lies near `vectors[:, i]`.
    """
    covariance = np.einsum("...j,...ja,jb->...ab", weights, vectors, rest)
    left, _, right = np.linalg.svd(covariance)
    flip = np.ones((len(vectors), 3))
    flip[:, 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    return (left * flip[:, None]) @ right


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / _norm(vectors)


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
