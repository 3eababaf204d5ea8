"""Left and right that a detector exchanged in some frames of a video, put right by the run of the motion.

Detectors take left for right for a frame or for some, as sure as ever, mostly of the whole body, at times
of arms or legs alone. Then all these joints jump to the places of their mirror images and, later, back. What
moves on as it moved, crossing legs among it, does not jump.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tf_pose3d.skeleton import Skeleton

__all__ = ["ExchangedSides", "find_exchanged_sides", "put_sides_right", "sides_lines"]

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

# Joints that tell, and what belongs to them: arms and legs may be exchanged one without the other.
_ARMS = ("shoulder", "elbow", "wrist")
_LEGS = ("hip", "knee", "ankle")
_HANDS = ("hand", "hand_end", "index", "pinky", "thumb", "thumb_end")
_WITH_ARMS = (*_ARMS, *_HANDS, "clavicle", "lower_elbow", "upper_elbow")
_WITH_LEGS = (*_LEGS, "heel", "toe", "big_toe", "small_toe", "foot", "foot_index", "lower_knee", "upper_knee")
# Least scale of changes of velocity, of the body's root mean square spread, and the change, in scales, from
# which on a joint is wrong anyway.
_LEAST_SCALE, _CAP, _CAP_SLOW = 0.02, 6.0, 4.0
# What an exchange must gain: of arms or legs, of both at once; and each frame that is taken as exchanged.
_ONE, _BOTH = 50.0, 70.0
_FRAME = 1.5
# Share of the cost at its ends that a run of exchanged frames must take away.
_SHARE = 0.4
# A clip may begin or end exchanged for less.
_END = 0.5
# Share of exchanged frames from which on the others may be those that are.
_MANY = 0.4
# Seconds without the person after which nothing is known of the sides.
_LOST = 0.35
_CHUNK = 20_000
_MEDIAN_OF_NORMAL = 1.18


@dataclasses.dataclass(frozen=True)
class ExchangedSides:
    """What was found.

    Attributes:
        arms, legs: `(F,)` frames in which left and right are exchanged.
    """

    arms: Bools
    legs: Bools

    @property
    def frames(self) -> Bools:
        """`(F,)` frames with anything exchanged."""
        return self.arms | self.legs


def _part(joint: str) -> str:
    return joint.removeprefix("l_").removeprefix("r_")


def find_exchanged_sides(
    keypoints: Floats, skeleton: Skeleton, fps: float, min_confidence: float = 0.3
) -> ExchangedSides:
    """Frames in which left and right are exchanged, as far as the run of the motion tells.

    Of all ways through the frames that with the least sum of changes of velocity, of a price for each
    frame at which sides change, and of a smaller one for each frame that is taken as exchanged (Viterbi).

    Args:
        keypoints: `(F, J, 3)` pixels and confidence of one person, NaN where a joint was not found.
        skeleton: Their layout.
        fps: Frames per second.
        min_confidence: Joints below it count as missing.
    """
    nothing = np.zeros(len(keypoints), bool)
    result = ExchangedSides(nothing, nothing.copy())
    groups = [_pairs(skeleton, parts) for parts in (_ARMS, _LEGS)]
    if not any(len(pairs) for pairs in groups):
        return result
    with np.errstate(invalid="ignore"):
        valid = np.isfinite(keypoints).all(axis=2) & (keypoints[..., 2] >= max(min_confidence, 1e-6))
    told = np.concatenate([pairs.ravel() for pairs in groups])
    frames = np.flatnonzero(valid[:, told].sum(axis=1) >= 4)
    if len(frames) < 4:
        return result
    lost = np.flatnonzero(np.diff(frames) > max(_LOST * fps, 1)) + 1
    for part in np.split(frames, lost):
        if len(part) < 4:
            continue
        states = _states(keypoints[part], valid[part], groups, np.diff(part))
        result.arms[part], result.legs[part] = states & 1 > 0, states & 2 > 0
    return result


def put_sides_right(keypoints: Floats, skeleton: Skeleton, found: ExchangedSides) -> Floats:
    """Keypoints `(F, J, C)` with found frames exchanged back; the face goes with arms and legs together."""
    flipped = keypoints[:, list(skeleton.flip_order)]
    parts = [_part(joint) for joint in skeleton.joints]
    whole = found.arms & found.legs
    columns = [
        found.arms if part in _WITH_ARMS else found.legs if part in _WITH_LEGS else whole for part in parts
    ]
    return np.where(np.stack(columns, axis=1)[..., None], flipped, keypoints)


def sides_lines(found: ExchangedSides, keypoints: Floats) -> list[str]:
    """What to say of it; nothing where nothing was found.

    Args:
        found: Of `find_exchanged_sides`.
        keypoints: `(F, J, 3)` as given there.
    """
    count = int(found.frames.sum())
    if not count:
        return []
    total = int(np.isfinite(keypoints[..., :2]).all(axis=2).max(axis=1).sum())
    parts = {
        "of all the body": found.arms & found.legs,
        "of the arms": found.arms & ~found.legs,
        "of the legs": found.legs & ~found.arms,
    }
    where = ", ".join(f"{name} in {int(part.sum())}" for name, part in parts.items() if part.any())
    line = f"left and right exchanged back in {count} of {total} frames ({where})"
    if count > _MANY * total:
        line += "; which frames had them right is not sure"
    return [line]


def _pairs(skeleton: Skeleton, parts: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """`(P, 2)` joints of the left and of the right."""
    pairs = [
        (left, right)
        for left, right in zip(skeleton.left, skeleton.right, strict=True)
        if _part(skeleton.joints[left]) in parts
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _states(
    keypoints: Floats, valid: Bools, groups: list[npt.NDArray[np.int64]], steps: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """`(n,)` of frames with the person: 1 arms, 2 legs, 3 both are exchanged."""
    points = keypoints[..., :2].astype(np.float64)
    size = _size(points, valid)
    costs = np.stack([_costs(points, valid, pairs, size, steps) for pairs in groups], axis=1)
    if not _any_worth(costs):
        return np.zeros(len(points), np.int64)
    states = _best_way(costs)
    bits = np.stack([states & 1, states >> 1])
    for group, exchanged in enumerate(bits):
        for start, end in _runs(exchanged):
            _keep_if_smooth(exchanged, start, end, costs[:, group])
    return bits[0] + 2 * bits[1]


def _runs(exchanged: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """First frames and ends of runs of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], exchanged, [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _keep_if_smooth(exchanged: npt.NDArray[np.int64], start: int, end: int, costs: Floats) -> None:
    """Clears a run at whose ends the motion is hardly smoother for it: there, something else is wrong."""
    near = sorted({frame for edge in (start, end) for frame in (edge, edge + 1) if 1 <= frame < len(costs)})

    def total() -> float:
        changes = np.concatenate([[0], np.abs(np.diff(exchanged))])
        return float(sum(costs[frame, changes[frame], changes[frame - 1]] for frame in near))

    with_run = total()
    exchanged[start:end] = 0
    if with_run <= (1 - _SHARE) * total():
        exchanged[start:end] = 1


def _size(points: Floats, valid: Bools) -> float:
    """Median root mean square spread of the joints, pixels."""
    weight = valid[..., None] / np.maximum(valid.sum(axis=1), 1)[:, None, None]
    held = np.where(valid[..., None], points, 0)
    mean = (held * weight).sum(axis=1, keepdims=True)
    return max(float(np.median(np.sqrt((np.square(held - mean) * weight).sum(axis=(1, 2))))), 1e-6)


def _costs(
    points: Floats, valid: Bools, pairs: npt.NDArray[np.int64], size: float, steps: npt.NDArray[np.int64]
) -> Floats:
    """`(n, 2, 2)`: what the joints' jumps cost if sides change at a frame, or not, and at the one before.

    A jump is a change of velocity over three frames. Where a joint is missing in one of the first two, it is
    what lies between the other two, which says less.
    """
    costs = np.zeros((len(points), 2, 2))
    # Over lost frames people move farther.
    apart = np.concatenate([[1.0, 1.0], (steps[1:] + steps[:-1]) / 2])
    for pair in pairs:
        sides = points[:, pair]
        now = valid[:, pair].all(axis=1)
        before, earlier = np.roll(now, 1), np.roll(now, 2)
        before[0] = earlier[:2] = False
        # Weights of the places now, before and earlier, and how often a joint tells by them.
        kinds = (
            (now & before & earlier, (1.0, -2.0, 1.0), _CAP),
            (now & before & ~earlier, (1.0, -1.0, 0.0), _CAP_SLOW),
            (now & ~before & earlier, (0.5, 0.0, -0.5), _CAP_SLOW),
        )
        for told, weights, cap in kinds:
            frames = np.flatnonzero(told)
            used = np.flatnonzero(now & before & earlier) if len(frames) else frames
            if not len(used):
                continue
            jumps = _distance(sides, used, weights, 0, 0) / apart[used, None]
            scale = max(float(np.median(jumps)) / _MEDIAN_OF_NORMAL, _LEAST_SCALE * size)
            for start in range(0, len(frames), _CHUNK):
                rows = frames[start : start + _CHUNK]
                for change in (0, 1):
                    for change_before in (0, 1):
                        distance = _distance(sides, rows, weights, change, change_before)
                        ratio = np.minimum(distance / (scale * apart[rows])[:, None], cap)
                        costs[rows, change, change_before] += np.square(ratio).sum(axis=1)
    return costs


def _distance(
    sides: Floats, rows: npt.NDArray[np.int64], weights: tuple[float, ...], change: int, before: int
) -> Floats:
    """`(r, 2)` lengths of weighted sums of a pair's places in three frames, by the middle one's sides."""
    now, middle, earlier = sides[rows], sides[rows - 1], sides[rows - 2]
    now = now[:, ::-1] if change else now
    earlier = earlier[:, ::-1] if before else earlier
    total = weights[0] * now
    for weight, place in ((weights[1], middle), (weights[2], earlier)):
        if weight:
            total = total + weight * place
    return np.linalg.norm(total, axis=2)


def _any_worth(costs: Floats) -> bool:
    """Whether a change of sides anywhere may gain more than its price."""
    now = costs[:, :, 0, 0] - costs[:, :, 1].min(axis=2)
    after = costs[:, :, 0, 0] - costs[:, :, :, 1].min(axis=2)
    gain = np.maximum(now, 0)
    gain[:-1] += np.maximum(after[1:], 0)
    return bool((gain > _ONE).any() or (gain.sum(axis=1) > _BOTH).any())


def _best_way(costs: Floats) -> npt.NDArray[np.int64]:
    """`(n,)` states of the least sum, by bits: 1 arms, 2 legs."""
    count = len(costs)
    bits = np.arange(4)
    price = np.array([0.0, _ONE, _ONE, _BOTH])
    standing = _FRAME * np.array([0.0, 1.0, 1.0, 1.5])
    arms, legs = bits & 1, bits >> 1
    # Of each frame by (change now, change before), both of four kinds.
    steps = (
        costs[:, 0][:, arms[:, None], arms[None]] + costs[:, 1][:, legs[:, None], legs[None]] + price[:, None]
    )
    came = np.zeros((count, 4, 4), np.int8)
    score = np.full((4, 4), np.inf)
    score[:, 0] = _END * price + standing
    # A state after a change comes from the state that the change makes it of.
    source = bits[:, None] ^ bits[None]
    for frame in range(1, count):
        # (state before, change now, change before)
        ways = score[:, None, :] + steps[frame]
        best = ways.argmin(axis=2)
        least = np.take_along_axis(ways, best[..., None], axis=2)[..., 0]
        came[frame] = best[source, bits[None]]
        score = least[source, bits[None]] + standing[:, None]
    score = score + (_END * price)[:, None]
    state, change = (int(value) for value in np.unravel_index(score.argmin(), score.shape))
    states = np.zeros(count, np.int64)
    for frame in range(count - 1, -1, -1):
        states[frame] = state
        earlier = int(came[frame, state, change])
        state, change = state ^ change, earlier
    return states
