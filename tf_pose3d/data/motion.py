"""Human motion made from a few rules: the actor behind the synthetic data set.

A performance is a list of *keys*: a stance, a pose for each arm, a gaze, a place and a heading, held for
a while, with eased transitions between them; or a walk along an ellipse. Feet are planted on the floor and
step where they must. From pelvis, feet and wrists the knees and elbows follow by two-bone inverse
kinematics, which keeps limb lengths and bends every hinge the right way.

World frame: metres, z up, floor at z = 0. Body frame: x forward, y left, z up. All work is over whole
recordings at once; frame axes come first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tf_pose3d.data.activities import ARMS, STANCES, Activity
from tf_pose3d.skeleton import get_skeleton

__all__ = ["Body", "perform"]

_SKELETON = get_skeleton("h36m_17")
_LEFT, _RIGHT = 1.0, -1.0
_PREFIX = {_LEFT: "l", _RIGHT: "r"}


@dataclass(frozen=True)
class Body:
    """Segment lengths in metres and habits of one person; left and right are alike."""

    hip: float
    thigh: float
    shin: float
    ankle: float
    lower_spine: float
    upper_spine: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float
    stride: float
    tempo: float
    arm_swing: float
    stoop: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Body:
        """A person of random size around Human3.6M's actors, 1.55 to 1.9 m tall."""
        size = rng.uniform(0.92, 1.08)

        def length(mean: float) -> float:
            return mean * size * rng.uniform(0.96, 1.04)

        return cls(
            hip=length(0.13),
            thigh=length(0.45),
            shin=length(0.44),
            ankle=length(0.08),
            lower_spine=length(0.235),
            upper_spine=length(0.25),
            neck=length(0.12),
            head=length(0.115),
            shoulder=length(0.155),
            upper_arm=length(0.28),
            forearm=length(0.25),
            stride=1.15 * size * rng.uniform(0.9, 1.1),
            tempo=rng.uniform(0.85, 1.15),
            arm_swing=rng.uniform(0.25, 0.45),
            stoop=rng.uniform(-0.03, 0.08),
        )

    @property
    def leg(self) -> float:
        """Hip to ankle."""
        return self.thigh + self.shin

    @property
    def arm(self) -> float:
        """Shoulder to wrist."""
        return self.upper_arm + self.forearm


def _ease(fraction: np.ndarray) -> np.ndarray:
    """Minimum-jerk course from 0 to 1."""
    u = np.clip(fraction, 0.0, 1.0)
    return u**3 * (10 - 15 * u + 6 * u**2)


def _soft_minimum(*values: np.ndarray, width: float) -> np.ndarray:
    """Smooth lower bound of the smallest of the values."""
    return -width * np.logaddexp.reduce([-value / width for value in values])


def _rotation(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """`(F, 3, 3)`: roll to the right, then pitch forward, then yaw to the left."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _turned(
    rotation: np.ndarray, x: np.ndarray | float, y: np.ndarray | float, z: np.ndarray | float
) -> np.ndarray:
    """`(F, 3)`: the vector (x, y, z) turned by `(F, 3, 3)`."""
    vector = np.stack(np.broadcast_arrays(x, y, z, np.zeros(len(rotation)))[:3], -1)
    return np.einsum("fij,fj->fi", rotation, vector)


def _bend(
    start: np.ndarray, end: np.ndarray, first: float, second: float, pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two-bone inverse kinematics.

    Args:
        start: `(F, 3)` where the first bone begins.
        end: `(F, 3)` where the second should end; drawn in or out to what the bones reach.
        first: Length of the first bone.
        second: Length of the second.
        pole: `(F, 3)` the side to which the joint between them points.

    Returns:
        `(F, 3)` the joint, `(F, 3)` the end reached.
    """
    axis = end - start
    distance = np.linalg.norm(axis, axis=-1, keepdims=True)
    axis = axis / distance
    distance = np.clip(distance, 0.35 * (first + second), 0.998 * (first + second))
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    aside = np.sqrt(first**2 - along**2)
    side = pole - np.sum(pole * axis, axis=-1, keepdims=True) * axis
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    return start + along * axis + aside * side, start + distance * axis


class _Keys:
    """When transitions happen, and the course of any keyed value between its keys."""

    def __init__(self, times: np.ndarray, starts: np.ndarray, durations: np.ndarray) -> None:
        """Transition k leads from key k to key k + 1, from `starts[k]` on for `durations[k]` seconds."""
        self.starts, self.durations = starts, durations
        self.before = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
        self.fraction = _ease((times - starts[self.before]) / durations[self.before])

    @classmethod
    def draw(cls, rng: np.random.Generator, times: np.ndarray, hold: float, tempo: float) -> _Keys:
        """Keys held for about `hold` seconds, for as long as `times` lasts."""
        count = int(np.ceil(1.6 * times[-1] / hold)) + 2
        gaps = hold * rng.uniform(0.7, 1.4, count) / tempo
        durations = np.minimum(gaps, 1.0) * rng.uniform(0.75, 0.95, count)
        return cls(times, np.cumsum(gaps) - gaps[0] * rng.uniform(0.2, 1.0), durations)

    @property
    def count(self) -> int:
        """Number of keys, one more than transitions."""
        return len(self.starts) + 1

    def follow(self, values: np.ndarray) -> np.ndarray:
        """`(K, C)` values at the keys to their course `(F, C)`."""
        step = self.fraction[:, None]
        return values[self.before] * (1 - step) + values[self.before + 1] * step

    def follow_direction(self, values: np.ndarray) -> np.ndarray:
        """As `follow`, along arcs: direction and length of `(K, 3)` vectors change separately."""
        length = np.linalg.norm(values, axis=-1, keepdims=True)
        unit = values / length
        one, other = unit[self.before], unit[self.before + 1]
        angle = np.arccos(np.clip(np.sum(one * other, -1, keepdims=True), -1, 1)).clip(1e-6)
        step = self.fraction[:, None]
        arc = (np.sin((1 - step) * angle) * one + np.sin(step * angle) * other) / np.sin(angle)
        return arc * self.follow(length)


def _drift(rng: np.random.Generator, times: np.ndarray, amplitude: float) -> np.ndarray:
    """Slow irregular movement, as of someone who is never quite still."""
    waves = [
        rng.uniform(0.4, 1.0) * np.sin(2 * np.pi * (rng.uniform(low, 2 * low) * times + rng.uniform()))
        for low in (0.1, 0.25, 0.6)
    ]
    return amplitude * np.sum(waves, axis=0) / 2


@dataclass
class _Lower:
    """The lower body's course: pelvis, heading and feet, `(F, ...)` in metres and radians."""

    pelvis: np.ndarray
    heading: np.ndarray
    feet: dict[float, np.ndarray]
    height: np.ndarray
    lean: np.ndarray
    bend: np.ndarray
    gait: np.ndarray  # phase of the gait in radians, left heel strike at 0
    walking: float


def _steps(
    times: np.ndarray, starts: np.ndarray, ends: np.ndarray, plants: np.ndarray, lift: float, rest: float
) -> np.ndarray:
    """A foot's ankle that goes from plant k to plant k + 1 between starts[k] and ends[k].

    Args:
        times: `(F,)`.
        starts: `(K,)` ascending.
        ends: `(K,)`.
        plants: `(K + 1, 2)` on the floor.
        lift: How high a long step takes the ankle.
        rest: Height of the ankle when the foot is on the floor.

    Returns:
        `(F, 3)`.
    """
    before = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)
    fraction = np.clip((times - starts[before]) / (ends - starts)[before], 0.0, 1.0)
    way = plants[before + 1] - plants[before]
    ground = plants[before] + _ease(fraction)[:, None] * way
    # The ankle rises early, as the heel leaves the floor, and comes down gently.
    bump = fraction**2 * (1 - fraction) ** 3 / 0.03456
    rise = lift * np.minimum(np.linalg.norm(way, axis=-1) / 0.3, 1.0) * bump
    return np.concatenate([ground, (rest + rise)[:, None]], axis=-1)


def _walk(rng: np.random.Generator, times: np.ndarray, body: Body, activity: Activity) -> _Lower:
    """Walk along an ellipse round the origin, at a speed that varies."""
    # Steps begin before the recording and end after it.
    margin = 3.0
    grid = np.arange(times[0] - margin, times[-1] + margin, 0.01)
    radii = rng.uniform(0.85, 1.15, 2)
    tilt, start, sense = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
    speed = activity.speed * body.tempo * (1 + _drift(rng, grid, 0.1))
    distance = np.concatenate([[0], np.cumsum((speed * 0.01)[:-1])])

    angles = np.linspace(0, 2 * np.pi, 721)
    outline = np.hypot(*np.diff(radii[:, None] * np.array([np.cos(angles), np.sin(angles)]), axis=1))
    lengths = np.concatenate([[0], np.cumsum(outline)])
    laps = distance / lengths[-1]
    angle = start + sense * (
        2 * np.pi * np.floor(laps) + np.interp((laps % 1) * lengths[-1], lengths, angles)
    )

    def place(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position `(N, 2)` and heading `(N,)` at these times."""
        a = np.interp(at, grid, angle)
        x, y = radii[0] * np.cos(a), radii[1] * np.sin(a)
        dx, dy = -sense * radii[0] * np.sin(a), sense * radii[1] * np.cos(a)
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        return np.stack([x, y], -1) @ turn.T, np.arctan2(dy, dx) + tilt

    cycles = distance / (body.stride * (0.6 + 0.4 * activity.speed * body.tempo))
    gait = np.interp(times, grid, cycles)
    feet = {}
    for side, offset in ((_LEFT, 0.0), (_RIGHT, 0.5)):
        strikes = np.arange(1, np.floor(cycles[-1]) - 1) + offset
        middle, heading = place(np.interp(strikes + 0.25, cycles, grid))
        across = side * 0.075 * np.stack([-np.sin(heading), np.cos(heading)], -1)
        starts = np.interp(strikes[:-1] + 0.46, cycles, grid)
        ends = np.interp(strikes[1:], cycles, grid)
        feet[side] = _steps(times, starts, ends, middle + across, lift=0.13, rest=body.ankle)

    center, heading = place(times)
    heading = np.unwrap(heading)
    sway = 0.02 * np.sin(2 * np.pi * gait)
    center = center + sway[:, None] * np.stack([-np.sin(heading), np.cos(heading)], -1)
    still = np.zeros(len(times))
    return _Lower(
        pelvis=center,
        heading=heading,
        feet=feet,
        height=still + 1.0,
        lean=still + 0.04 * activity.speed,
        bend=still,
        gait=2 * np.pi * gait,
        walking=1.0,
    )


def _stand(
    rng: np.random.Generator, times: np.ndarray, body: Body, activity: Activity, keys: _Keys
) -> _Lower:
    """Stand, sit, crouch, and turn with small steps."""
    count = keys.count
    names = [activity.stances[i] for i in rng.integers(len(activity.stances), size=count)]
    names[0] = activity.stances[0]
    stances = [STANCES[name] for name in names]
    facts = np.array([[s.height, s.back * body.leg, s.width * body.leg, s.lean, s.bend] for s in stances])
    seated = np.array([name.startswith("sit") for name in names])

    # Someone seated keeps place and heading; others turn and shift between keys.
    move = ~(seated[1:] | seated[:-1])
    turns = np.where(move, rng.uniform(-activity.turn, activity.turn, count - 1), 0.0)
    heading = rng.uniform(-np.pi, np.pi) + np.concatenate([[0], np.cumsum(turns)])
    center = np.zeros((count, 2))
    center[0] = rng.uniform(-0.5, 0.5, 2)
    for key in range(1, count):
        shift = rng.normal(0, 0.18, 2) - 0.05 * center[key - 1]
        center[key] = np.clip(center[key - 1] + move[key - 1] * shift, -0.8, 0.8)
    ahead = np.stack([np.cos(heading), np.sin(heading)], -1)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], -1)

    feet = {}
    leading = rng.choice([_LEFT, _RIGHT])
    for side in (_LEFT, _RIGHT):
        stagger = rng.normal(0, 0.03, (count, 1)) * ahead
        plants = center + side * facts[:, 2:3] * across + stagger
        starts = keys.starts + (0.0 if side == leading else 0.45) * keys.durations
        feet[side] = _steps(times, starts, starts + 0.5 * keys.durations, plants, lift=0.1, rest=body.ankle)
    height, lean, bend = keys.follow(facts[:, [0, 3, 4]]).T
    pelvis = keys.follow(center - facts[:, 1:2] * ahead)
    loose = 1 - 0.8 * keys.follow(seated[:, None].astype(float))[:, 0]
    pelvis = pelvis + (loose * np.stack([_drift(rng, times, 0.025), _drift(rng, times, 0.025)])).T
    # Getting up and sitting down takes the trunk forward over the feet.
    travel = np.gradient(height, times) ** 2
    fore = travel / (travel + 0.2)
    return _Lower(
        pelvis=pelvis,
        heading=keys.follow(heading[:, None])[:, 0],
        feet=feet,
        height=height,
        lean=lean + 0.5 * fore,
        bend=bend + 0.2 * fore,
        gait=np.zeros(len(times)),
        walking=0.0,
    )


def perform(body: Body, activity: Activity, frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Let a person do something.

    Args:
        body: The person.
        activity: What to do.
        frames: Length of the recording.
        fps: Frames per second.
        rng: Draws the details.

    Returns:
        `(frames, 17, 3)` joints in the order of `h36m_17`, metres, world frame, float64.
    """
    times = np.arange(max(frames, 2)) / fps
    keys = _Keys.draw(rng, times, activity.hold, body.tempo)
    if activity.walking:
        lower = _walk(rng, times, body, activity)
    else:
        lower = _stand(rng, times, body, activity, keys)
    joints, pelvis_frame = _legs(rng, times, body, lower)
    trunk, chest_frame = _trunk(rng, times, body, lower, keys, joints["pelvis"], pelvis_frame)
    joints |= trunk
    joints |= _arms(rng, times, body, activity, lower, keys, joints["neck"], chest_frame)
    return np.stack([joints[name] for name in _SKELETON.joints], axis=1)[:frames]


def _legs(
    rng: np.random.Generator, times: np.ndarray, body: Body, lower: _Lower
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pelvis and legs, and the pelvis's frame `(F, 3, 3)`."""
    turn = lower.heading + lower.walking * 0.09 * np.sin(lower.gait - 0.5) + _drift(rng, times, 0.05)
    roll = lower.walking * 0.05 * np.sin(lower.gait) + _drift(rng, times, 0.03)
    frame = _rotation(turn, lower.lean, roll)
    hips = {side: _turned(frame, 0.0, side * body.hip, 0.0) for side in (_LEFT, _RIGHT)}

    # The pelvis stands as high as it is asked to and both legs can reach.
    limits = []
    for side, hip in hips.items():
        away = np.linalg.norm(lower.pelvis + hip[:, :2] - lower.feet[side][:, :2], axis=-1)
        reach = np.sqrt(np.maximum((0.99 * body.leg) ** 2 - away**2, 0.01))
        limits.append(lower.feet[side][:, 2] + reach - hip[:, 2])
    wanted = body.ankle + lower.height * body.leg
    pelvis = np.concatenate([lower.pelvis, _soft_minimum(wanted, *limits, width=0.005)[:, None]], -1)

    joints = {"pelvis": pelvis}
    level = np.zeros(len(times))
    ahead = _turned(_rotation(turn, level, level), 1.0, 0.0, 0.3)
    for side, hip in hips.items():
        prefix = _PREFIX[side]
        pole = ahead + _turned(frame, 0.0, 0.15 * side, 0.0)
        joints[f"{prefix}_hip"] = pelvis + hip
        joints[f"{prefix}_knee"], joints[f"{prefix}_ankle"] = _bend(
            pelvis + hip, lower.feet[side], body.thigh, body.shin, pole
        )
    return joints, frame


def _trunk(
    rng: np.random.Generator,
    times: np.ndarray,
    body: Body,
    lower: _Lower,
    keys: _Keys,
    pelvis: np.ndarray,
    pelvis_frame: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Spine and head, and the chest's frame `(F, 3, 3)`."""
    gaze_turn, gaze_pitch = keys.follow(rng.uniform([-0.7, -0.15], [0.7, 0.35], (keys.count, 2))).T
    # Walking, the shoulders turn against the pelvis.
    twist = 0.35 * gaze_turn - lower.walking * 0.2 * np.sin(lower.gait - 0.5) + _drift(rng, times, 0.06)
    bend = lower.bend + body.stoop + _drift(rng, times, 0.04)
    sag = _drift(rng, times, 0.04) - lower.walking * 0.03 * np.sin(lower.gait)
    # Bent over, people still look ahead rather than at their feet.
    nod = gaze_pitch - 0.5 * (lower.lean + bend) + _drift(rng, times, 0.05)
    waist_frame = pelvis_frame @ _rotation(twist / 2, bend / 2, sag / 2)
    chest_frame = pelvis_frame @ _rotation(twist, bend, sag)
    head_frame = chest_frame @ _rotation(0.6 * gaze_turn, nod, 0.5 * sag)

    spine = pelvis + _turned(waist_frame, *_along(-0.1, body.lower_spine))
    neck = spine + _turned(chest_frame, *_along(0.0, body.upper_spine))
    head = neck + _turned(head_frame, *_along(0.36, body.neck))
    head_top = head + _turned(head_frame, *_along(-0.1, body.head))
    return {"spine": spine, "neck": neck, "head": head, "head_top": head_top}, chest_frame


def _along(pitch: float, length: float) -> tuple[float, float, float]:
    """An upright segment of this length, leaning forward by `pitch` radians."""
    return length * np.sin(pitch), 0.0, length * np.cos(pitch)


def _arms(
    rng: np.random.Generator,
    times: np.ndarray,
    body: Body,
    activity: Activity,
    lower: _Lower,
    keys: _Keys,
    neck: np.ndarray,
    chest_frame: np.ndarray,
) -> dict[str, np.ndarray]:
    """Shoulders, elbows and wrists."""
    pairs = np.array(activity.arms)[rng.integers(len(activity.arms), size=keys.count)]
    if rng.uniform() < 0.3:
        pairs = pairs[:, ::-1]
    joints = {}
    for column, side in enumerate((_LEFT, _RIGHT)):
        poses = [ARMS[name] for name in pairs[:, column]]
        wrist = keys.follow_direction(np.array([pose.wrist for pose in poses]))
        pole = keys.follow(np.array([pose.elbow for pose in poses]))
        swing, waving = keys.follow(np.array([[pose.swing, pose.wave] for pose in poses])).T
        # An arm swings forward with the other leg, and bends as it does.
        angle = -side * body.arm_swing * np.sin(lower.gait + 0.25 * np.pi)
        wrist[:, 0] += lower.walking * swing * (angle + 0.12) + _drift(rng, times, 0.04)
        wrist[:, 1] += waving * np.sin(2 * np.pi * 1.6 * body.tempo * times) + _drift(rng, times, 0.04)
        wrist[:, 2] += lower.walking * swing * 0.5 * angle**2 + _drift(rng, times, 0.04)
        # Outward is to the left on the left side only.
        wrist[:, 1] *= side
        pole[:, 1] *= side
        shoulder_drop = 0.25
        shoulder = neck + _turned(
            chest_frame,
            0.0,
            side * body.shoulder * np.cos(shoulder_drop),
            -body.shoulder * np.sin(shoulder_drop),
        )
        prefix = _PREFIX[side]
        joints[f"{prefix}_shoulder"] = shoulder
        joints[f"{prefix}_elbow"], joints[f"{prefix}_wrist"] = _bend(
            shoulder,
            shoulder + body.arm * _turned(chest_frame, *wrist.T),
            body.upper_arm,
            body.forearm,
            _turned(chest_frame, *pole.T),
        )
    return joints
