"""Who is who from frame to frame: people who move on, hide behind each other and come back."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tf_pose3d.inference.detectors.networks import Landmarks
from tf_pose3d.inference.detectors.regions import Region, region_between

__all__ = ["Track", "assign", "colours", "part_of", "same_person", "trunk"]

# Landmarks by which people are told apart: shoulders, elbows, hips, knees, ankles.
_BODY = np.array([11, 12, 13, 14, 23, 24, 25, 26, 27, 28])
_TRUNK = np.array([11, 12, 23, 24])
_WHOLE = np.concatenate([[0], _BODY])
# Two findings whose bodies are so near each other, in sides of the square, are of one person.
_SAME = 0.06
# People whose trunks are nearer than this, in sides of the square, may hide each other.
_NEAR = 0.3
# A person who comes into view is not believed where a known one covers this share of their box, unless both
# are about as large, with so many sides of the square between their trunks.
_COVERED, _ALIKE, _BESIDE = 0.4, 1.4, 0.1
# How far a person may be from where the motion so far leads, in sides of the square: at once and for each
# second since then; of people who may hide each other, one of whom is easily taken for the other, less.
_STEP, _DRIFT, _FARTHEST = 0.2, 0.35, 0.6
_NEAR_STEP, _NEAR_DRIFT = 0.07, 0.25
# Share of a distance that wholly different colours count.
_COLOUR = 0.25
# A person who was lost with nobody near may be found so far from where they were, in sides of the square: at
# once and for each second since then; so many times larger or smaller; in clothes that differ by so much.
_BACK, _BACK_DRIFT, _BACK_FARTHEST = 0.5, 0.5, 1.0
_BACK_SIZE, _BACK_COLOUR = 2.5, 0.4
# A person is believed who was seen for so many seconds, in so many frames and in this share of them.
_SURE_TIME, _SURE_FRAMES, _SURE_SHARE = 0.25, 4, 0.8
# Looks that find a person larger than this track has them, until it gives in.
_DOUBTS = 2
# Seconds over which speeds, colours and sizes are averaged.
_MEMORY = 0.3
_COLOUR_MEMORY = 1.0
_SIZE_MEMORY = 1.5
# MediaPipe's filter of the points that tell the next square: Hz at rest, Hz for each side of the square that
# they move in a second, Hz of the speed itself.
_REST, _SLOPE, _SPEED = 0.01, 10.0, 1.0


def _body(found: Landmarks) -> np.ndarray:
    return found.keypoints[_BODY, :2].astype(np.float64)


def same_person(first: Landmarks, second: Landmarks) -> bool:
    """Whether two findings of one frame are of one person."""
    apart = np.linalg.norm(_body(first) - _body(second), axis=1)
    # Limbs may be taken from a neighbour: the nearer half decides.
    near = float(np.sort(apart)[: len(apart) // 2 + 1].mean())
    return near < _SAME * max(first.region.size, second.region.size)


def colours(image: np.ndarray, found: Landmarks) -> np.ndarray:
    """`(8, 3)` red, green and blue, 0 to 1, at places on a person's trunk and thighs; NaN outside the image.

    Args:
        image: `(H, W, 4)` uint8.
        found: Where the person is.
    """
    left_shoulder, right_shoulder, left_hip, right_hip = found.keypoints[_TRUNK, :2].astype(np.float64)
    knees = found.keypoints[[25, 26], :2].astype(np.float64)
    shares = ((0.3, 0.25), (0.7, 0.25), (0.3, 0.5), (0.7, 0.5), (0.3, 0.75), (0.7, 0.75))
    places = []
    for across, down in shares:
        upper = left_shoulder + across * (right_shoulder - left_shoulder)
        lower = left_hip + across * (right_hip - left_hip)
        places.append(upper + down * (lower - upper))
    places += [(left_hip + knees[0]) / 2, (right_hip + knees[1]) / 2]
    reach = max(1, round(0.01 * found.region.size))
    values = np.full((len(places), 3), np.nan)
    height, width = image.shape[:2]
    for number, (x, y) in enumerate(np.rint(places).astype(np.int64)):
        if 0 <= x < width and 0 <= y < height:
            patch = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1, :3]
            values[number] = patch.reshape(-1, 3).mean(axis=0) / 255
    return values


def trunk(found: Landmarks) -> np.ndarray:
    """`(2,)` pixels: the middle of a person's shoulders and hips."""
    return found.keypoints[_TRUNK, :2].astype(np.float64).mean(axis=0)


@dataclasses.dataclass(eq=False)
class Track:
    """One person.

    While somebody is near who may hide this person or be taken for them, what counts is the way on which they
    were before: `since`, `place` and `speed` then stay as they are.

    Attributes:
        id: A number that stays.
        found: What was seen last.
        time: Seconds at which.
        region: Where to look next.
        since: Seconds at which the person was last seen with nobody near.
        place: `(2,)` pixels of the trunk at that time.
        speed: `(2,)` pixels a second of it.
        colours: See `colours`, averaged.
        lost: Whether the person was not seen in the last frame.
        near: Whether somebody was near in the last frame.
        frames: Number of frames in which the person was seen.
        sure: Whether this has been seen often enough to be a person.
        size: Side of the square, averaged.
    """

    id: int
    found: Landmarks
    time: float
    region: Region
    since: float
    place: np.ndarray
    speed: np.ndarray
    colours: np.ndarray
    lost: bool = False
    near: bool = False
    frames: int = 1
    sure: bool = False
    _ends: np.ndarray | None = None
    _raw: np.ndarray | None = None
    _change: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._shades = self.colours
        self.size = self.region.size
        self._begun = self.time
        self._chances = 0
        self._doubts = 0

    @classmethod
    def begin(cls, number: int, found: Landmarks, time: float, shades: np.ndarray) -> Track:
        """A person who is seen for the first time."""
        track = cls(number, found, time, found.region, time, trunk(found), np.zeros(2), shades)
        track._follow(found, None)
        return track

    def expected(self, time: float) -> np.ndarray:
        """`(2,)` pixels: where the trunk is at a time if nothing changed."""
        return self.place + self.speed * (time - self.since)

    def ahead(self, time: float) -> Region:
        """Where to look at a time: the square that the last landmarks tell, moved on where they are old."""
        if not self.lost:
            return self.region
        return self.region.moved(self.expected(time) - trunk(self.found))

    def cost(self, found: Landmarks, shades: np.ndarray, time: float) -> float:
        """How ill a finding fits this person, 0 to 1 and more; infinite where it cannot be."""
        passed = time - self.since
        size = max(self.region.size, 1.0)
        off = float(np.linalg.norm(trunk(found) - self.expected(time))) / size
        step, drift = (_NEAR_STEP, _NEAR_DRIFT) if self.near else (_STEP, _DRIFT)
        allowed = min(step + drift * passed, _FARTHEST)
        if off > allowed or max(found.region.size, size) > 2 * min(found.region.size, size):
            return math.inf
        if not self.near and not self.lost:
            # The pose, too, is about that of the frame before.
            moved = _body(found) - _body(self.found) - self.speed * passed
            off = 0.5 * (off + float(np.linalg.norm(moved, axis=1).mean()) / size)
        return off / allowed + _COLOUR * self._other_colour(shades)

    def _other_colour(self, shades: np.ndarray) -> float:
        """0 where colours are the same, 1 where they differ by half of their range or more."""
        both = np.isfinite(shades[:, 0]) & np.isfinite(self.colours[:, 0])
        if not both.any():
            return 0.5
        return min(2 * float(np.abs(shades[both] - self.colours[both]).mean()), 1.0)

    def beside(self, place: np.ndarray) -> bool:
        """Whether a trunk at this place is near where this person was seen."""
        return float(np.linalg.norm(trunk(self.found) - place)) < _NEAR * self.region.size

    def returned(self, found: Landmarks, shades: np.ndarray, time: float) -> bool:
        """Whether a finding that is nobody else's may be this person, who fits nothing that was found.

        Someone who turns over, or whose square had slipped, is then farther away, or of another size, than
        `cost` allows.
        """
        if self.near:
            return False
        smaller, larger = sorted((found.region.size, self.size))
        place = trunk(found)
        off = min(
            float(np.linalg.norm(place - self.expected(time))),
            float(np.linalg.norm(place - trunk(self.found))),
        )
        reach = min(_BACK + _BACK_DRIFT * (time - self.time), _BACK_FARTHEST)
        return (
            larger < _BACK_SIZE * smaller
            and off < reach * larger
            and self._other_colour(shades) < _BACK_COLOUR
        )

    def prefers(self, rival: Landmarks, found: Landmarks) -> bool:
        """Whether of two findings of this person's body the rival, of a fresh look, is the whole one.

        A square that slips on a body, to the chest of someone whose feet are out of the image, say, goes on
        with what it shows; the size that the person had so far tells which is right, and, where that itself
        is in doubt, that fresh looks say so again.
        """
        if not self.sure:
            return rival.region.size > found.region.size
        off, other = (abs(math.log(one.region.size / self.size)) for one in (rival, found))
        if off < other:
            return True
        self._doubts = self._doubts + 1 if rival.region.size > found.region.size else 0
        return self._doubts >= _DOUBTS

    def take(self, found: Landmarks, time: float, shades: np.ndarray, anew: bool = False) -> None:
        """The person is seen.

        Args:
            found: Where.
            time: Seconds.
            shades: See `colours`.
            anew: Not where the last square led.
        """
        passed = max(time - self.time, 1e-3)
        self._follow(found, None if self.lost or anew else passed)
        self.size += (1 - math.exp(-passed / _SIZE_MEMORY)) * (found.region.size - self.size)
        if anew:
            self._doubts = 0
        self.found, self.time, self.lost = found, time, False
        self._shades = shades
        self.frames += 1

    def judge(self, time: float) -> None:
        """Counts a frame in which the person could be seen; says whether this is a person by now."""
        self._chances += 1
        self.sure = self.sure or (
            not self.lost
            and self.frames >= _SURE_FRAMES
            and self.frames >= _SURE_SHARE * self._chances
            and time - self._begun >= _SURE_TIME - 1e-6
        )

    def look_round(self, others: list[np.ndarray], time: float) -> None:
        """Says where everybody else is; with nobody near, the way from now on counts.

        Args:
            others: `(2,)` pixels of the other trunks, seen or supposed.
            time: Seconds.
        """
        self.near = any(self.beside(place) for place in others)
        if self.near or self.lost or time <= self.since:
            return
        passed = time - self.since
        now = trunk(self.found)
        moved = (now - self.place) / passed
        # Of someone who has just come, what there is counts.
        share = max(1 - math.exp(-passed / _MEMORY), 1 / max(self.frames - 1, 1))
        self.speed = self.speed + share * (moved - self.speed)
        self.since, self.place = time, now
        share = 1 - math.exp(-passed / _COLOUR_MEMORY)
        known = np.where(np.isfinite(self.colours), self.colours, self._shades)
        self.colours = np.where(np.isfinite(self._shades), known + share * (self._shades - known), known)

    def _follow(self, found: Landmarks, passed: float | None) -> None:
        """Sets the square of the next frame, whose points are filtered where they follow on others."""
        ends = found.ends
        if passed is None or self._ends is None or self._raw is None or self._change is None:
            self._ends, self._raw, self._change = ends, ends, np.zeros((2, 2))
        else:
            side = max(2 * float(np.linalg.norm(ends[1] - ends[0])), 1.0)
            change = (ends - self._raw) / side / passed
            self._change = self._change + _share(np.float64(_SPEED), passed) * (change - self._change)
            cutoff = _REST + _SLOPE * np.abs(self._change)
            self._ends, self._raw = self._ends + _share(cutoff, passed) * (ends - self._ends), ends
        self.region = region_between(self._ends[0], self._ends[1])


def part_of(first: Landmarks, second: Landmarks) -> bool:
    """Whether one finding seems to be a part of the other's body, or both together, rather than a person."""
    smaller, larger = sorted((first.region.size, second.region.size))
    apart = float(np.linalg.norm(trunk(first) - trunk(second)))
    side_by_side = larger < _ALIKE * smaller and apart > _BESIDE * larger
    return not side_by_side and _common(first, second) > _COVERED


def _common(first: Landmarks, second: Landmarks) -> float:
    """What two people's boxes have in common, as a share of the smaller one."""
    boxes = []
    for found in (first, second):
        points = found.keypoints[_WHOLE, :2].astype(np.float64)
        boxes.append((points.min(axis=0), points.max(axis=0)))
    (low, high), (low_too, high_too) = boxes
    common = np.maximum(np.minimum(high, high_too) - np.maximum(low, low_too), 0).prod()
    smaller = min((high - low).prod(), (high_too - low_too).prod())
    return float(common / max(smaller, 1e-9))


def _share(cutoff: np.ndarray, passed: float) -> np.ndarray:
    """How much of a new value a first-order low-pass of this cutoff takes."""
    ratio = 2 * math.pi * cutoff * passed
    return ratio / (ratio + 1)


def assign(costs: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns that go together, the cheapest pair first; infinite costs never.

    Args:
        costs: `(R, C)`.
    """
    pairs = []
    rows, columns = set(), set()
    for index in np.argsort(costs, axis=None, kind="stable"):
        row, column = divmod(int(index), costs.shape[1])
        if not np.isfinite(costs[row, column]):
            break
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return pairs
