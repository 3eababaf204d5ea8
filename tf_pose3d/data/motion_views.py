"""Motion capture as detectors see it: made-up people, cameras and errors of detection, drawn per step.

Every batch is a function of the config and the step alone. All of it is NumPy over the whole batch.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.config import TrainingConfig, key
from tf_pose3d.data.motion_clips import MOTION_FPS, MOTION_SKELETON, MotionClips
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton, make_skeleton

__all__ = [
    "DETECTOR_JOINTS",
    "DETECTOR_SKELETON",
    "MotionSpec",
    "MotionViewConfig",
    "MotionViews",
    "look_at_person",
]

# What every detector of people finds.
DETECTOR_JOINTS = (
    "nose",
    *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in "lr"),
)
DETECTOR_SKELETON = make_skeleton("detector_13", DETECTOR_JOINTS)

_BODY = get_skeleton(MOTION_SKELETON)
_FLIP_2D = np.array(DETECTOR_SKELETON.flip_order)
_FLIP_3D = np.array(_BODY.flip_order)
_PARENTS = np.array(_BODY.parents)
# The joints of the motion that detectors find; `head` stands in for the nose.
_SEEN = np.array([_BODY.index("head" if joint == "nose" else joint) for joint in DETECTOR_JOINTS])
_NOSE = DETECTOR_JOINTS.index("nose")


def _chain() -> np.ndarray:
    """`(J, J)`: row j is 1 at j and at every ancestor except the root."""
    matrix = np.zeros((_BODY.num_joints, _BODY.num_joints), np.float32)
    for joint in range(_BODY.num_joints):
        ancestor = joint
        while ancestor != _BODY.root:
            matrix[joint, ancestor] = 1
            ancestor = _PARENTS[ancestor]
    return matrix


_CHAIN = _chain()
# Bones that are lengthened together, by the joints at their ends.
_BONE_GROUPS = tuple(
    np.array([_BODY.index(name) for name in names])
    for names in (
        ("l_hip", "r_hip"),
        ("l_knee", "r_knee"),
        ("l_ankle", "r_ankle"),
        ("spine", "neck"),
        ("head", "head_top"),
        ("l_shoulder", "r_shoulder"),
        ("l_elbow", "r_elbow"),
        ("l_wrist", "r_wrist"),
    )
)
_UPPER = np.array(
    [
        index
        for index, joint in enumerate(_BODY.joints)
        if joint.split("_")[-1] in ("spine", "neck", "head", "top", "shoulder", "elbow", "wrist")
    ]
)


def _columns(*joints: str) -> np.ndarray:
    return np.array([DETECTOR_JOINTS.index(joint) for joint in joints])


_ARMS = _columns("l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist")
_LEGS = _columns("l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle")
# Which joints leave the image together, and how often against each other.
_LEGS_UNSEEN = (
    (0.2, _columns("l_ankle", "r_ankle")),
    (0.5, _columns("l_knee", "r_knee", "l_ankle", "r_ankle")),
    (0.3, _LEGS),
)
_LIMBS = tuple(
    _columns(f"{side}_{near}", f"{side}_{far}")
    for side in "lr"
    for near, far in (("elbow", "wrist"), ("knee", "ankle"))
)
# Which sides are exchanged: those of the arms, of the legs, of all; in how many runs, of how many frames.
_SWAPPED = (0.25, 0.25, 0.5)
_SWAP_RUNS = 3
_LONGEST_SWAP = 16
# Errors of detectors grow towards the ends of the limbs and at the hips.
_JOINT_NOISE = np.array(
    [
        {"nose": 0.7, "wrist": 1.25, "elbow": 1.05, "hip": 1.2, "ankle": 1.15}.get(joint.split("_")[-1], 0.9)
        for joint in DETECTOR_JOINTS
    ],
    np.float32,
)
# A root mean square of Student's t with three degrees of freedom is the root of three times its scale.
_FREEDOM = 3.0


@dataclasses.dataclass
class MotionViewConfig(TrainingConfig):
    """Keys of people, cameras and detection errors that training makes up."""

    DATASET: str | None = key("motion", "Data set: motion capture, seen by made-up cameras.")
    HELD_OUT: list[str] = key(
        [], "Subjects of the motion file that are not trained on: validation and calibration see them."
    )
    CLIP_FRAMES: int = key(1, "Frames of a training clip.", minimum=1)
    SUBJECT_BALANCE: float = key(
        0.7,
        "Subjects are drawn by their frames (times weights) to this power: 1 by frames, 0 evenly.",
        minimum=0,
        maximum=1,
    )
    RATE_MIN: float = key(15.0, "Slowest frame rate of the made-up videos, frames per second.", minimum=1)
    RATE_MAX: float = key(60.0, "Fastest frame rate, frames per second.", minimum=1)
    MIX_BODIES: float = key(0.2, "Share of clips with the upper body of another clip.", minimum=0, maximum=1)
    BODY_SCALE: float = key(0.07, "Spread (one sigma, natural logarithm) of body sizes.", minimum=0)
    LIMB_SCALE: float = key(0.06, "Spread of the lengths of single limbs.", minimum=0)
    TILTED: float = key(0.12, "Share of clips whose whole body is tilted, up to lying.", minimum=0, maximum=1)
    TILT_SPREAD: float = key(3.0, "Tilt of all other clips, degrees (one sigma).", minimum=0)
    DETECTOR_OFFSET: float = key(
        0.018, "Spread of a detector's idea of where joints lie in the body, metres.", minimum=0
    )
    NOSE_AT_HEAD: float = key(
        0.35,
        "Share of clips whose nose is the motion's head joint; else it is in front.",
        minimum=0,
        maximum=1,
    )
    PITCH_MIN: float = key(-15.0, "Lowest pitch of cameras, degrees; positive looks down.")
    PITCH_MAX: float = key(65.0, "Highest pitch, degrees.")
    PITCH_LEVEL: float = key(
        0.55,
        "Share of cameras held about level (5 +- 9 degrees); the others are even in pitch.",
        minimum=0,
        maximum=1,
    )
    ROLL_SPREAD: float = key(5.0, "Roll of most cameras, degrees (one sigma).", minimum=0)
    ROLL_SPREAD_HELD: float = key(13.0, "Roll of a quarter of them, as of telephones.", minimum=0)
    DISTANCE_MIN: float = key(1.8, "Nearest person, metres.", minimum=0.5)
    DISTANCE_MAX: float = key(18.0, "Farthest person, metres; distances are even in their logarithm.")
    OFF_AXIS: float = key(28.0, "Largest angle off the optical axis, degrees.", minimum=0, maximum=60)
    FOCAL_ERROR: float = key(
        0.15, "Spread (natural logarithm) of the supposed over the true focal length.", minimum=0
    )
    FOCAL_EXACT: float = key(0.4, "Share of clips with an exact one.", minimum=0, maximum=1)
    NOISE: bool = key(True, "Errors of detection; false: exact keypoints, all seen, certain.")
    NOISE_MIN: float = key(
        0.004, "Least scale of joint errors, of the pose's root mean square spread.", minimum=0
    )
    NOISE_MAX: float = key(0.08, "Largest scale; even in its logarithm over clips.", minimum=0)
    NOISE_FREE: float = key(0.15, "Share of clips with exact keypoints.", minimum=0, maximum=1)
    NOISE_CONSTANT: float = key(
        0.6, "Largest share (of the variance) that is one error a joint over the clip.", minimum=0, maximum=1
    )
    NOISE_DRIFT: float = key(
        0.3, "Largest share of the variance that drifts over the clip.", minimum=0, maximum=1
    )
    OUTLIERS: float = key(
        0.08, "Largest share of joints with an error 3 to 8 times as large.", minimum=0, maximum=1
    )
    SWAPS: float = key(
        0.12, "Share of clips in which left and right are exchanged for runs of frames.", minimum=0, maximum=1
    )
    MISSED: float = key(0.2, "Largest share of joints that are not found.", minimum=0, maximum=0.5)
    DROPPED: float = key(0.03, "Share of frames of a clip without any joint.", minimum=0, maximum=0.5)
    LEGS_UNSEEN: float = key(
        0.15,
        "Share of clips without ankles, knees or hips, of those with their own upper body.",
        minimum=0,
        maximum=1,
    )
    LIMB_UNSEEN: float = key(0.05, "Share of clips without one lower arm or leg, each.", minimum=0, maximum=1)
    CONFIDENCE: bool = key(True, "Confidences that fall with the error; false: 1 wherever a joint is seen.")
    CONFIDENCE_CERTAIN: float = key(0.3, "Share of clips whose confidences are all 1.", minimum=0, maximum=1)

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        for low, high in (
            ("RATE_MIN", "RATE_MAX"),
            ("PITCH_MIN", "PITCH_MAX"),
            ("DISTANCE_MIN", "DISTANCE_MAX"),
            ("NOISE_MIN", "NOISE_MAX"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise Pose3DError(f"{source}: {low} is above {high}")
        if self.NOISE_CONSTANT + self.NOISE_DRIFT > 1:
            raise Pose3DError(f"{source}: NOISE_CONSTANT and NOISE_DRIFT together exceed 1")


@dataclasses.dataclass(frozen=True)
class MotionSpec(WindowSpec):
    """What a family reads of motion capture: clips, seen by made-up cameras.

    Attributes:
        views: How training sees them.
    """

    views: MotionViewConfig = dataclasses.field(default_factory=MotionViewConfig)


def _turn(angle: np.ndarray, axis: int) -> np.ndarray:
    """`(B, 3, 3)` rotations by `angle (B,)` radians about a coordinate axis."""
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn = np.zeros((len(angle), 3, 3), np.float32)
    turn[:, axis, axis] = 1
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, second, first] = np.sin(angle)
    turn[:, first, second] = -turn[:, second, first]
    return turn


def look_at_person(azimuth: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """`(B, 3, 3)` rotations from a world with z up to a camera (x right, y down, z ahead).

    Args:
        azimuth: `(B,)` radians, the way round the person.
        pitch: `(B,)` radians, positive where the camera looks down.
        roll: `(B,)` radians about the optical axis.
    """
    level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    return _turn(roll, 2) @ _turn(pitch, 0) @ level @ _turn(azimuth, 2)


class MotionViews:
    """Training batches of motion clips seen by made-up cameras.

    Args:
        clips: What people do.
        config: What is made up.
    """

    def __init__(self, clips: MotionClips, config: MotionViewConfig) -> None:
        self.clips = clips
        self.config = config
        lengths = clips.lengths.astype(np.float64)
        shares = lengths * clips.weights
        if not (shares.sum() > 0 and (shares >= 0).all()):
            raise Pose3DError("the weights of the motion's clips must be 0 or more, and not all 0")
        for subject in np.unique(clips.subjects):
            mine = clips.subjects == subject
            total = shares[mine].sum()
            if total > 0:
                shares[mine] *= total ** (config.SUBJECT_BALANCE - 1)
        self._cumulative = np.cumsum(shares / shares.sum())

    def __len__(self) -> int:
        """Frames, so that an epoch goes once over them."""
        return len(self.clips.positions)

    def batch(self, size: int, step: int) -> dict[str, np.ndarray]:
        """The clips of one step.

        Args:
            size: B.
            step: Number of the step.

        Returns:
            keypoints_2d `(B, N, 13, 3)`: rays X/Z and Y/Z by the supposed focal length, and confidence (0:
            unseen); pose_3d `(B, N, 17, 3)` metres, camera frame; intrinsics `(B, 11)` of a camera whose
            normalised screen coordinates are rays.
        """
        rng = np.random.default_rng([self.config.SHUFFLE_SEED, step])
        poses, mixed = self._people(rng, size)
        camera_poses, detected = self._seen(rng, poses)
        depth = np.maximum(detected[..., 2:], 0.3)
        rays = detected[..., :2] / depth
        config = self.config
        exact = rng.random(size) < config.FOCAL_EXACT
        focal = np.exp(rng.normal(0, config.FOCAL_ERROR, size)) * np.ones(size)
        focal[exact] = 1
        rays /= focal[:, None, None, None].astype(np.float32)
        keypoints = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        if config.NOISE:
            keypoints = self._detect(rng, rays, ~mixed)
        intrinsics = np.zeros((size, 11), np.float32)
        intrinsics[:, :4] = [2, 2, 1, 1]
        return {
            "keypoints_2d": keypoints.astype(np.float32, copy=False),
            "pose_3d": camera_poses.astype(np.float32, copy=False),
            "intrinsics": intrinsics,
        }

    def _draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`(B, N, 17, 3)` stretches of clips at drawn frame rates."""
        config, frames = self.config, self.config.CLIP_FRAMES
        chosen = np.minimum(np.searchsorted(self._cumulative, rng.random(size)), len(self.clips) - 1)
        first, count = self.clips.offsets[chosen], self.clips.lengths[chosen]
        if frames == 1:
            return self.clips.positions[first + (rng.random(size) * count).astype(np.int64)][:, None]
        rate = np.exp(rng.uniform(np.log(config.RATE_MIN), np.log(config.RATE_MAX), size))
        stride = MOTION_FPS / rate
        room = np.maximum(count - 1 - (frames - 1) * stride, 0)
        times = (rng.random(size) * room)[:, None] + np.arange(frames) * stride[:, None]
        times = np.minimum(times, (count - 1)[:, None])
        before = np.minimum(times.astype(np.int64), np.maximum(count - 2, 0)[:, None])
        share = (times - before).astype(np.float32)[..., None, None]
        index = first[:, None] + before
        after = np.minimum(index + 1, (first + count - 1)[:, None])
        earlier, later = self.clips.positions[index], self.clips.positions[after]
        return earlier + (later - earlier) * share

    def _people(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """`(B, N, 17, 3)`: drawn people, mixed, resized, mirrored; `(B,)`: who has another's upper body."""
        config = self.config
        poses = self._draw(rng, size)
        count = round(size * config.MIX_BODIES)
        mixed = np.arange(size) < count
        if count:
            poses[:count] = _mix_bodies(poses[:count], poses[rng.permutation(size)[:count]])
            order = rng.permutation(size)
            poses, mixed = poses[order], mixed[order]
        body = np.exp(rng.normal(0, config.BODY_SCALE, (size, 1)))
        scale = np.broadcast_to(body, (size, _BODY.num_joints)).astype(np.float32)
        for group in _BONE_GROUPS:
            scale[:, group] *= np.exp(rng.normal(0, config.LIMB_SCALE, (size, 1)))
        bones = poses - poses[:, :, _PARENTS]
        bones *= scale[:, None, :, None]
        root = poses[:, :, _BODY.root] * body[:, :, None].astype(np.float32)
        poses = np.matmul(_CHAIN, bones) + root[:, :, None]
        mirrored = rng.random(size) < 0.5
        flipped = poses[mirrored][:, :, _FLIP_3D]
        flipped[..., 0] *= -1
        poses[mirrored] = flipped
        return poses, mixed

    def _seen(self, rng: np.random.Generator, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses and the points that a detector looks for, in the frame of a drawn camera."""
        config, size = self.config, len(poses)
        tilt = np.radians(rng.normal(0, config.TILT_SPREAD, size))
        tilted = rng.random(size) < config.TILTED
        tilt[tilted] = rng.uniform(-np.pi / 2, np.pi / 2, int(tilted.sum())) * 1.2
        level = rng.random(size) < config.PITCH_LEVEL
        pitch = np.where(level, rng.normal(5, 9, size), rng.uniform(config.PITCH_MIN, config.PITCH_MAX, size))
        pitch = np.radians(np.clip(pitch, config.PITCH_MIN, config.PITCH_MAX))
        held = rng.random(size) < 0.25
        roll = np.radians(
            rng.normal(0, 1, size) * np.where(held, config.ROLL_SPREAD_HELD, config.ROLL_SPREAD)
        )
        turns = rng.uniform(0, 2 * np.pi, (2, size))
        world = _turn(turns[0], 2) @ _turn(tilt, 0) @ _turn(turns[1], 2)
        camera = look_at_person(np.zeros(size), pitch, roll)
        rotation = camera @ world
        points = np.concatenate([poses, self._detector_points(rng, poses)], axis=2)
        centre = points[:, points.shape[1] // 2, _BODY.root]
        shape = points.shape
        points = (points - centre[:, None, None]).reshape(size, -1, 3) @ rotation.transpose(0, 2, 1)
        distance = np.exp(rng.uniform(np.log(config.DISTANCE_MIN), np.log(config.DISTANCE_MAX), size))
        # Nobody walks into the camera.
        distance = np.maximum(distance, 0.8 - points[..., 2].min(axis=1))
        off = np.tan(np.radians(config.OFF_AXIS)) * np.sqrt(rng.random(size))
        way = rng.uniform(0, 2 * np.pi, size)
        place = np.stack([off * np.cos(way), off * np.sin(way), np.ones(size)], axis=1)
        points = points + (place * distance[:, None]).astype(np.float32)[:, None]
        points = points.reshape(shape)
        return points[:, :, : _BODY.num_joints], points[:, :, _BODY.num_joints :]

    def _detector_points(self, rng: np.random.Generator, poses: np.ndarray) -> np.ndarray:
        """`(B, N, 13, 3)` where a detector of its own mind sees the joints of the bodies."""
        config, size = self.config, len(poses)
        points = poses[:, :, _SEEN]
        across = poses[:, :, _BODY.index("r_shoulder")] - poses[:, :, _BODY.index("l_shoulder")]
        up = poses[:, :, _BODY.index("neck")] - poses[:, :, _BODY.root]
        across = _unit(across)
        forward = _unit(np.cross(up, across))
        # The nose is in front of the head's axis, which turns against the shoulders.
        neck, top = (poses[:, :, _BODY.index(name)] for name in ("neck", "head_top"))
        yaw = np.radians(rng.normal(0, 25, (size, 1, 1))).astype(np.float32)
        face = forward * np.cos(yaw) + across * np.sin(yaw)
        axis = top - neck
        face = _unit(face - axis * (_dot(face, axis) / np.maximum(_dot(axis, axis), 1e-6)))
        height = rng.normal(0.5, 0.06, (size, 1, 1)).astype(np.float32)
        reach = rng.normal(0.1, 0.02, (size, 1, 1)).astype(np.float32)
        nose = neck + axis * height + face * reach
        at_head = (rng.random(size) < config.NOSE_AT_HEAD)[:, None, None]
        points[:, :, _NOSE] = np.where(at_head, points[:, :, _NOSE], nose)
        if not config.DETECTOR_OFFSET:
            return points
        # The same for both sides of the body, mirrored; along the trunk's own axes.
        offset = rng.normal(0, config.DETECTOR_OFFSET, (size, len(DETECTOR_JOINTS), 3)).astype(np.float32)
        mirror = offset[:, _FLIP_2D] * np.array([-1, 1, 1], np.float32)
        left = np.array([joint.startswith("l_") for joint in DETECTOR_JOINTS])[None, :, None]
        offset = np.where(left, mirror, offset)
        offset[:, _NOSE] = 0
        # Half of the detectors agree with the motion.
        offset[rng.random(size) < 0.5] = 0
        axes = np.stack([across, forward, np.cross(across, forward)], axis=2)
        return points + np.matmul(offset[:, None], axes)

    def _detect(self, rng: np.random.Generator, rays: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """`(B, N, 13, 3)` keypoints with a detector's errors.

        Args:
            rng: Of the step.
            rays: `(B, N, 13, 2)` exact.
            whole: `(B,)` whose legs tell something of the upper body: only of these all legs are hidden.
        """
        config = self.config
        size, frames, joints, _ = rays.shape
        spread = np.sqrt(rays.var(axis=2).sum(axis=-1))[..., None, None] + 1e-6
        scale = np.exp(rng.uniform(np.log(config.NOISE_MIN + 1e-9), np.log(config.NOISE_MAX + 1e-9), size))
        scale[rng.random(size) < config.NOISE_FREE] = 0
        constant = rng.uniform(0, config.NOISE_CONSTANT, size)
        drift = rng.uniform(0, config.NOISE_DRIFT, size)
        share = [np.sqrt(part)[:, None, None, None] for part in (constant, drift, 1 - constant - drift)]
        error = _heavy(rng, (size, frames, joints, 2)) * share[2].astype(np.float32)
        error += _heavy(rng, (size, 1, joints, 2)) * share[0].astype(np.float32)
        if frames > 1:
            ramp = np.linspace(-1.7, 1.7, frames, dtype=np.float32)[None, :, None, None]
            error += _heavy(rng, (size, 1, joints, 2)) * share[1].astype(np.float32) * ramp
        outliers = rng.random((size, frames, joints), np.float32) < rng.uniform(
            0, config.OUTLIERS, (size, 1, 1)
        )
        factor = np.where(outliers, rng.uniform(3, 8, (size, frames, joints)), 1).astype(np.float32)
        error *= (factor * _JOINT_NOISE)[..., None] * scale[:, None, None, None].astype(np.float32)
        points = rays + error * spread
        missing = self._missing(rng, whole, frames)
        confidence = np.ones((size, frames, joints), np.float32)
        if config.CONFIDENCE:
            distance = np.linalg.norm(points - rays, axis=-1) / spread[..., 0]
            width = np.exp(rng.uniform(np.log(0.06), np.log(0.4), (size, 1, 1))).astype(np.float32)
            ceiling = rng.uniform(0.75, 1, (size, 1, 1)).astype(np.float32)
            guess = ceiling / (1 + (distance / width) ** 2)
            guess += rng.standard_normal(guess.shape, np.float32) * 0.06
            certain = rng.random((size, 1, 1)) < config.CONFIDENCE_CERTAIN
            confidence = np.where(certain, confidence, np.clip(guess, 0.05, 1)).astype(np.float32)
        confidence[missing] = 0
        seen = np.concatenate([points * (confidence > 0)[..., None], confidence[..., None]], axis=-1)
        # Detectors that take left for right are as sure as ever.
        return self._swap_sides(rng, seen)

    def _swap_sides(self, rng: np.random.Generator, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints whose sides are exchanged in one to three runs of frames of some clips."""
        size, frames, joints, _ = keypoints.shape
        swapped = np.flatnonzero(rng.random(size) < self.config.SWAPS * (0.35 if frames == 1 else 1))
        if not len(swapped):
            return keypoints
        count = len(swapped)
        kind = rng.choice(3, count, p=_SWAPPED)
        which = np.zeros((count, joints), bool)
        which[np.ix_(kind != 1, _ARMS)] = True
        which[np.ix_(kind != 0, _LEGS)] = True
        runs = rng.integers(1, _SWAP_RUNS + 1, count)
        start = rng.integers(0, frames, (count, _SWAP_RUNS))[..., None]
        # Together at most half of the clip: what most frames say is right.
        longest = np.maximum(np.minimum(frames // 2, _LONGEST_SWAP) // runs, 1)
        length = 1 + (rng.random((count, _SWAP_RUNS)) * longest[:, None]).astype(np.int64)[..., None]
        number = np.arange(frames)
        during = (number >= start) & (number < start + length)
        during &= (np.arange(_SWAP_RUNS) < runs[:, None])[..., None]
        chosen = keypoints[swapped]
        keypoints[swapped] = np.where(
            (during.any(axis=1)[..., None] & which[:, None])[..., None], chosen[:, :, _FLIP_2D], chosen
        )
        return keypoints

    def _missing(self, rng: np.random.Generator, whole: np.ndarray, frames: int) -> np.ndarray:
        """`(B, N, 13)` joints that are not found; four at least stay, except in dropped frames."""
        config, size, joints = self.config, len(whole), len(DETECTOR_JOINTS)
        rate = rng.uniform(0, 1, (size, 1, 1)) ** 2 * config.MISSED
        missing = rng.random((size, frames, joints), np.float32) < rate
        if frames > 1:
            # Half of what is missing is missing for four frames.
            blocks = rng.random((size, -(-frames // 4), joints), np.float32) < rate / 2
            missing = (missing & (rng.random((size, 1, 1)) < 0.5)) | np.repeat(blocks, 4, axis=1)[:, :frames]
        for limb in _LIMBS:
            missing[np.ix_(rng.random(size) < config.LIMB_UNSEEN, np.arange(frames), limb)] = True
        unseen = rng.random(size)
        below = 0.0
        for share, joints_unseen in _LEGS_UNSEEN:
            above = below + share * config.LEGS_UNSEEN
            chosen = (unseen >= below) & (unseen < above) & whole
            missing[np.ix_(chosen, np.arange(frames), joints_unseen)] = True
            below = above
        missing[(~missing).sum(axis=2) < 4] = False
        if frames > 1:
            missing |= rng.random((size, frames, 1), np.float32) < config.DROPPED * (
                rng.random((size, 1, 1)) < 0.5
            )
        return missing


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sum(first * second, axis=-1, keepdims=True)


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with three degrees of freedom, as far as twelve times its scale."""
    normal = rng.standard_normal(shape, np.float32)
    spread = rng.standard_gamma(_FREEDOM / 2, (*shape[:-1], 1), np.float32) * (2 / _FREEDOM)
    return np.clip(normal / np.sqrt(np.maximum(spread, 1e-4)), -12, 12)


def _mix_bodies(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Lower bodies with upper bodies of other clips, turned about the vertical to the hips."""
    hips = [
        poses[:, :, _BODY.index("r_hip"), :2] - poses[:, :, _BODY.index("l_hip"), :2]
        for poses in (lower, upper)
    ]
    angle = np.arctan2(hips[0][..., 1], hips[0][..., 0]) - np.arctan2(hips[1][..., 1], hips[1][..., 0])
    cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
    relative = (upper - upper[:, :, _BODY.root : _BODY.root + 1])[:, :, _UPPER]
    x, y = relative[..., 0], relative[..., 1]
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, relative[..., 2]], axis=-1)
    result = lower.copy()
    result[:, :, _UPPER] = lower[:, :, _BODY.root : _BODY.root + 1] + turned
    return result
