"""Who is who across views and time: people of detections that know nothing of each other.

Frame after frame: whoever is followed already is looked for in each view where the last poses put them; what
is left over founds a new person where detections of two views meet in space as one body. A detection that
meets nothing in another view is nobody. Afterwards, what was too short to be a person is dropped, and ends
and beginnings of one person are joined: by place where little time lies between, else by the lengths of their
bones.

Distances are metres at the person's depth, so that no limit depends on the image's size.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.detections import ViewDetections
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.tracklets import Tracklet, joined, proven
from tf_pose3d.multicamera.triangulation import triangulate_linear
from tf_pose3d.skeleton import Skeleton

__all__ = ["associate"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Mean distance of joints in metres up to which a detection is the person that was followed there; so much
# more for each frame that the person was not seen, up to the most.
_NEAR, _LOOSER, _LOOSEST = 0.25, 0.02, 0.6
# Up to which two views' detections meet as one body, and up to which a third belongs to them.
_MEET, _JOIN = 0.08, 0.15
# Joints count as far away at most: a wrong wrist must not cost the match.
_CAP = 0.5
# What exchanged sides must gain to count.
_EXCHANGED = 1.3
# Joints that two detections need in common.
_COMMON = 5
# Metres between the joints farthest apart: no body is smaller or larger.
_SMALLEST, _LARGEST = 0.4, 2.8
# Frames for which a person is still looked for; for which a new one must be seen in two views to be one.
_LOST, _PROVEN = 60, 6
# Frames whose detections become rays at once.
_BLOCK = 1024
# Frames for which one view alone still shows someone: then it may be anybody.
_ALONE = 10
# Each frame's share of the velocity that is kept where nothing renews it.
_DRAG = 0.8


class _Track:
    """A person while they are followed."""

    def __init__(self, frame: int, rows: Integers, pose: Floats) -> None:
        self.rows: dict[int, Integers] = {frame: rows}
        self.first_pose = pose.copy()
        self.pose = pose
        self.velocity = np.zeros(3)
        self.seen = frame
        self.proven = 1
        self.lengths: list[Floats] = []

    def predicted(self, frame: int) -> Floats:
        gap = frame - self.seen
        return self.pose + self.velocity * min(gap, 5)

    def update(self, frame: int, rows: Integers, pose: Floats) -> None:
        """Takes what was found; where a joint is missing the last one moves with the body."""
        if (rows >= 0).sum() < 2:
            if frame - self.seen <= _ALONE:
                self.rows[frame] = rows
            return
        self.rows[frame] = rows
        gap = frame - self.seen
        moved = pose - self.pose
        known = np.isfinite(moved[:, 0])
        if known.any():
            shift = np.median(moved[known], axis=0)
            self.velocity = _DRAG * (0.5 * self.velocity + 0.5 * shift / gap)
            self.pose = np.where(known[:, None], pose, self.pose + shift)
        fresh = np.isfinite(pose[:, 0]) & ~np.isfinite(self.pose[:, 0])
        self.pose = np.where(fresh[:, None], pose, self.pose)
        self.seen = frame
        self.proven += 1


class _Block:
    """Rays and weights of the detections of some frames, so that a long clip is never held as rays."""

    def __init__(
        self,
        rig: Rig,
        views: list[ViewDetections],
        starts: list[Integers],
        begin: int,
        end: int,
        min_confidence: float,
    ) -> None:
        self.end = end
        self.first = [int(start[begin]) for start in starts]
        self.rays: list[Floats] = []
        self.weights: list[Floats] = []
        for number, (view, start) in enumerate(zip(views, starts, strict=True)):
            keypoints = view.keypoints[start[begin] : start[end]]
            confidence = np.nan_to_num(keypoints[..., 2]).astype(np.float64)
            good = confidence >= min_confidence
            rays = np.where(good[..., None], rig.cameras[number].rays(keypoints[..., :2]), np.nan)
            self.rays.append(rays)
            self.weights.append(np.where(good & np.isfinite(rays[..., 0]), confidence, 0.0))


class _Frame:
    """One frame's detections of all views, padded to as many as the fullest view has."""

    def __init__(self, rig: Rig, block: _Block, rows: list[Integers]) -> None:
        most = max(len(found) for found in rows)
        joints = block.rays[0].shape[1]
        self.rows = rows
        self.rays = np.full((len(rig), most, joints, 2), np.nan)
        self.weights = np.zeros((len(rig), most, joints))
        self.free = np.zeros((len(rig), most), bool)
        for view, found in enumerate(rows):
            place = found - block.first[view]
            self.rays[view, : len(found)] = block.rays[view][place]
            self.weights[view, : len(found)] = block.weights[view][place]
            self.free[view, : len(found)] = True


def _distances(rig: Rig, poses: Floats, frame: _Frame, flip: list[int]) -> Floats:
    """`(T, V, D)` mean metres between poses `(T, J, 3)` and detections, sides exchanged where that is nearer
    by far; infinite where they share too few joints or the person is behind the camera.
    """
    seen = np.einsum("vij,tkj->tvki", rig.rotation, poses) + rig.translation[:, None, :]
    depth = seen[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        image = seen[..., :2] / depth[..., None]
    image[~(depth > 0.1)] = np.nan
    result = np.full((2, len(poses), *frame.free.shape), np.inf)
    for way, rays in enumerate((frame.rays, frame.rays[:, :, flip])):
        apart = np.linalg.norm(image[:, :, None] - rays[None], axis=-1) * depth[:, :, None]
        known = np.isfinite(apart)
        total = np.where(known, np.minimum(apart, _CAP), 0).sum(axis=-1)
        count = known.sum(axis=-1)
        result[way] = np.where(count >= _COMMON, total / np.maximum(count, 1), np.inf)
    result = np.where(frame.free, result, np.inf)
    return np.where(result[1] * _EXCHANGED < result[0], result[1] * _EXCHANGED, result[0])


def _match(cost: Floats, limit: Floats) -> list[tuple[int, int]]:
    """Pairs (track, detection) of least cost each below its track's limit: the nearest first, then exchanged
    where two tracks are better off with each other's.
    """
    allowed = np.where(cost <= limit[:, None], cost, np.inf)
    pairs: dict[int, int] = {}
    for flat in np.argsort(allowed, axis=None):
        track, detection = divmod(int(flat), cost.shape[1])
        if not np.isfinite(allowed[track, detection]):
            break
        if track not in pairs and detection not in pairs.values():
            pairs[track] = detection
    for one, other in itertools.combinations(sorted(pairs), 2):
        a, b = pairs[one], pairs[other]
        if allowed[one, b] + allowed[other, a] < allowed[one, a] + allowed[other, b]:
            pairs[one], pairs[other] = b, a
    for track in range(len(cost)):
        # Someone left over may take what another holds, where that one has a second choice.
        if track in pairs:
            continue
        for other in list(pairs):
            held = pairs[other]
            spare = [d for d in range(cost.shape[1]) if np.isfinite(allowed[other, d])]
            spare = [d for d in spare if d not in pairs.values()]
            if np.isfinite(allowed[track, held]) and spare:
                pairs[other] = min(spare, key=lambda d: float(allowed[other, d]))
                pairs[track] = held
                break
    return sorted(pairs.items())


def _poses(rig: Rig, frame: _Frame, chosen: Integers, flip: list[int], guess: Floats | None) -> Floats:
    """`(T, J, 3)` of the detections chosen `(T, V)` (-1: none), wrong joints weighed down.

    Args:
        rig, frame: What there is.
        chosen: Place of each person's detection in each view.
        flip: The joints' mirror images.
        guess: `(T, J, 3)` where the people may be, to tell exchanged sides by; None: unknown.
    """
    views = np.arange(len(rig))
    held = chosen >= 0
    rays = np.where(held[..., None, None], frame.rays[views, np.maximum(chosen, 0)], np.nan)
    weights = np.where(held[..., None], frame.weights[views, np.maximum(chosen, 0)], 0.0)
    if guess is not None:
        seen = np.einsum("vij,tkj->tvki", rig.rotation, guess) + rig.translation[:, None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            image = seen[..., :2] / seen[..., 2:]
        apart = mean_known(np.linalg.norm(rays - image, axis=-1))
        turned = mean_known(np.linalg.norm(rays[:, :, flip] - image, axis=-1))
        exchanged = (turned * _EXCHANGED < apart)[..., None]
        rays = np.where(exchanged[..., None], rays[:, :, flip], rays)
        weights = np.where(exchanged, weights[:, :, flip], weights)
    people, _, joints = weights.shape
    rays = np.moveaxis(rays, 1, 0).reshape(len(rig), people * joints, 2)
    weights = np.moveaxis(weights, 1, 0).reshape(len(rig), people * joints)
    points = triangulate_linear(rig, rays, weights, passes=2)
    seen = np.einsum("vij,nj->vni", rig.rotation, points) + rig.translation[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.linalg.norm(seen[..., :2] / seen[..., 2:] - rays, axis=-1) * np.abs(seen[..., 2])
    weights = weights / (1 + (np.nan_to_num(off, nan=0.0) / 0.05) ** 2) ** 2
    return triangulate_linear(rig, rays, weights, passes=1).reshape(people, joints, 3)


def _meetings(rig: Rig, frame: _Frame, flip: list[int]) -> tuple[Integers, Floats]:
    """Pairs of free detections of two views that meet as one body.

    Returns:
        `(C, V)` places of the detections, -1 for none, and `(C, J, 3)` where they meet.
    """
    free = [np.flatnonzero(row) for row in frame.free]
    listed = [
        (a, int(i), b, int(j))
        for a, b in itertools.combinations(range(len(rig)), 2)
        for i in free[a]
        for j in free[b]
    ]
    if not listed:
        return np.empty((0, len(rig)), np.int64), np.empty((0, len(flip), 3))
    a, i, b, j = np.array(listed).T
    one, other = frame.rays[a, i], frame.rays[b, j]
    # Both ways round: one of the two detectors may have exchanged the sides.
    a, b = np.concatenate([a, a]), np.concatenate([b, b])
    i, j = np.concatenate([i, i]), np.concatenate([j, j])
    one, other = np.concatenate([one, one]), np.concatenate([other, other[:, flip]])
    points, error = _two_views(rig, a, b, one, other)
    known = np.isfinite(error)
    count = known.sum(axis=1)
    mean = np.where(known, np.minimum(error, _CAP), 0).sum(axis=1) / np.maximum(count, 1)
    mean[len(listed) :] *= _EXCHANGED
    with np.errstate(invalid="ignore"):
        extent = np.linalg.norm(
            np.where(known[..., None], points, -np.inf).max(axis=1)
            - np.where(known[..., None], points, np.inf).min(axis=1),
            axis=-1,
        )
    body = (count >= _COMMON) & (mean < _MEET) & (extent > _SMALLEST) & (extent < _LARGEST)
    kept = np.flatnonzero(body)
    kept = kept[np.argsort(mean[kept], kind="stable")]
    chosen = np.full((len(kept), len(rig)), -1, np.int64)
    row = np.arange(len(kept))
    chosen[row, a[kept]], chosen[row, b[kept]] = i[kept], j[kept]
    return chosen, np.where(known[kept][..., None], points[kept], np.nan)


def _two_views(rig: Rig, a: Integers, b: Integers, one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """`(C, J, 3)` midpoints of the rays `(C, J, 2)` of views a and b `(C,)`, and `(C, J)` metres from each
    other.
    """
    directions, centres = [], []
    for view, rays in ((a, one), (b, other)):
        towards = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
        directions.append(np.einsum("cij,cki->ckj", rig.rotation[view], towards))
        centres.append(rig.centres[view][:, None])
    u, v = directions
    base = centres[1] - centres[0]
    cosine = (u * v).sum(axis=-1)
    along_u, along_v = (u * base).sum(axis=-1), (v * base).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        far_u = (along_u - cosine * along_v) / (1 - cosine * cosine)
        far_v = (cosine * along_u - along_v) / (1 - cosine * cosine)
    first = centres[0] + u * far_u[..., None]
    second = centres[1] + v * far_v[..., None]
    error = np.linalg.norm(first - second, axis=-1) / 2
    error[~((far_u > 0.1) & (far_v > 0.1))] = np.nan
    return (first + second) / 2, error


def _found(rig: Rig, frame: _Frame, flip: list[int]) -> list[tuple[Integers, Floats]]:
    """New people among the free detections, most views first: places `(V,)` and pose `(J, 3)`; takes them."""
    people: list[tuple[Integers, Floats]] = []
    while True:
        chosen, poses = _meetings(rig, frame, flip)
        if not len(chosen):
            return people
        distance = _distances(rig, poses, frame, flip)
        nearest, least = distance.argmin(axis=-1), distance.min(axis=-1)
        taken = np.where((chosen < 0) & (least < _JOIN), nearest, chosen)
        # Candidates are sorted by how well their pair meets; among those of most views the first wins.
        best = int(np.argmax((taken >= 0).sum(axis=1)))
        places = taken[best]
        pose = _poses(rig, frame, places[None], flip, poses[best][None])[0]
        held = np.flatnonzero(places >= 0)
        frame.free[held, places[held]] = False
        people.append((places, np.where(np.isfinite(pose), pose, poses[best])))


def associate(
    rig: Rig, views: list[ViewDetections], skeleton: Skeleton, num_frames: int, min_confidence: float = 0.3
) -> list[npt.NDArray[np.int64]]:
    """The people of a clip.

    Args:
        rig: V cameras.
        views: V views of one time axis.
        skeleton: Names the joints.
        num_frames: F.
        min_confidence: Joints below count for nothing.

    Returns:
        For each person `(V, F)` the index of their detection in each view and frame, -1 for none; whoever is
        seen longest comes first.
    """
    flip = list(skeleton.flip_order)
    bones = np.array(skeleton.bones, np.int64).reshape(-1, 2)
    starts = [np.searchsorted(view.frame, np.arange(num_frames + 1)) for view in views]
    active: list[_Track] = []
    ended: list[_Track] = []
    block = _Block(rig, views, starts, 0, 0, min_confidence)
    with np.errstate(all="ignore"):
        for number in range(num_frames):
            rows = [np.arange(start[number], start[number + 1]) for start in starts]
            gone = [track for track in active if number - track.seen > _LOST]
            ended += gone
            active = [track for track in active if number - track.seen <= _LOST]
            if sum(len(found) for found in rows) == 0:
                continue
            if number >= block.end:
                block = _Block(rig, views, starts, number, min(number + _BLOCK, num_frames), min_confidence)
            frame = _Frame(rig, block, rows)
            _follow(rig, frame, active, number, flip, bones)
            if (frame.free.any(axis=1)).sum() >= 2:
                for places, pose in _found(rig, frame, flip):
                    active.append(_Track(number, _indices(rows, places), pose))
    tracklets = []
    for track in ended + active:
        rows_of = proven(track.rows, min(_PROVEN, max(num_frames // 2, 1)), _ALONE)
        if rows_of:
            lengths = np.stack(track.lengths) if track.lengths else np.full((1, len(bones)), np.nan)
            tracklets.append(Tracklet(rows_of, median_known(lengths, axis=0), track.first_pose, track.pose))
    groups = joined(tracklets)
    people = []
    for rows_of in groups:
        table = np.full((len(views), num_frames), -1, np.int64)
        for number, places in rows_of.items():
            table[:, number] = places
        people.append(table)
    return sorted(people, key=lambda table: -int((table >= 0).sum()))


def _indices(rows: list[Integers], places: Integers) -> Integers:
    return np.array(
        [found[place] if place >= 0 else -1 for found, place in zip(rows, places, strict=True)], np.int64
    )


def _follow(
    rig: Rig, frame: _Frame, active: list[_Track], number: int, flip: list[int], bones: Integers
) -> None:
    """Gives those who are followed their detections, and takes these from the free ones."""
    if not active:
        return
    poses = np.stack([track.predicted(number) for track in active])
    gaps = np.array([number - track.seen for track in active])
    limit = np.minimum(_NEAR + _LOOSER * (gaps - 1), _LOOSEST)
    distance = _distances(rig, poses, frame, flip)
    chosen = np.full((len(active), len(rig)), -1, np.int64)
    for view in range(len(rig)):
        for row, detection in _match(distance[:, view], limit):
            chosen[row, view] = detection
            frame.free[view, detection] = False
    held = np.flatnonzero((chosen >= 0).any(axis=1))
    if not len(held):
        return
    found = _poses(rig, frame, chosen[held], flip, poses[held])
    # Views that do not agree with the others' pose are let go, so that a stranger near by is not taken.
    for place, track in enumerate(held):
        places = chosen[track]
        if (places >= 0).sum() >= 3:
            own = _distances_to_own(rig, found[place], frame, places, flip)
            wrong = np.flatnonzero(own > 2 * _JOIN)
            if len(wrong) and (places >= 0).sum() - len(wrong) >= 2:
                places = places.copy()
                places[wrong] = -1
                found[place] = _poses(rig, frame, places[None], flip, poses[track][None])[0]
        away = median_known(np.linalg.norm(found[place] - poses[track], axis=-1))
        if (places >= 0).sum() >= 2 and not away <= 2 * limit[track]:
            views = np.flatnonzero(places >= 0)
            frame.free[views, places[views]] = True
            continue
        active[track].update(number, _indices(frame.rows, places), found[place])
        if (places >= 0).sum() >= 2:
            vector = found[place][bones[:, 1]] - found[place][bones[:, 0]]
            active[track].lengths.append(np.linalg.norm(vector, axis=-1))


def _distances_to_own(rig: Rig, pose: Floats, frame: _Frame, places: Integers, flip: list[int]) -> Floats:
    """`(V,)` mean metres from a pose to the detections that made it, 0 where there is none."""
    views = np.arange(len(rig))
    seen = np.einsum("vij,kj->vki", rig.rotation, pose) + rig.translation[:, None]
    image = seen[..., :2] / seen[..., 2:]
    rays = frame.rays[views, np.maximum(places, 0)]
    result = np.full((2, len(rig)), np.nan)
    for way, ray in enumerate((rays, rays[:, flip])):
        result[way] = mean_known(np.minimum(np.linalg.norm(image - ray, axis=-1) * seen[..., 2], _CAP))
    return np.where(places >= 0, np.nan_to_num(np.fmin(result[0], result[1])), 0.0)
