"""Held-out motion seen by fixed cameras: ten scenes and a noisy one, to measure lifters of anything.

Cameras, noise, misses and frames follow from the motion file and a seed alone. None of it is a key of
training, and what is here was fixed before the shipped weights were trained.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tf_pose3d.camera import Camera, project_pixels
from tf_pose3d.data.motion_clips import MOTION_FPS, MOTION_SKELETON, MotionClips
from tf_pose3d.data.motion_views import DETECTOR_JOINTS, DETECTOR_SKELETON, look_at_person
from tf_pose3d.evaluation.metrics import mpjpe, pampjpe
from tf_pose3d.skeleton import convert_joints, get_skeleton

__all__ = [
    "LEGLESS",
    "NOISY",
    "SCENES",
    "Scene",
    "SceneClip",
    "SceneResult",
    "calibration_table",
    "make_scene",
    "measure",
    "measure_scene",
    "scene_table",
]

_BODY = get_skeleton(MOTION_SKELETON)
_SEED = 20261125
# Frames of a clip: two seconds.
_FRAMES = 60
_TYPICAL_FOCAL = 1.145
_LEGS = [DETECTOR_JOINTS.index(f"{side}_{joint}") for side in "lr" for joint in ("knee", "ankle")]


@dataclasses.dataclass(frozen=True)
class Scene:
    """How people are seen.

    Attributes:
        name: For tables.
        width, height: Image size in pixels.
        focal: Focal length over the longer side.
        distance: Nearest and farthest person, metres.
        pitch: Least and greatest pitch of the camera, degrees, positive looks down.
        roll: Roll, degrees, one sigma.
        shift: How far the person stands off the image's centre, of its width.
        noise: Least and greatest root mean square of joint errors, of the pose's own root mean square spread;
            Student's t with three degrees of freedom, half of the variance constant over the clip.
        outliers: Share of joints with four to six times the error.
        misses: Share of joints that are not found.
        legs_unseen: Knees and ankles are never found.
    """

    name: str
    width: int = 1920
    height: int = 1080
    focal: float = _TYPICAL_FOCAL
    distance: tuple[float, float] = (4.0, 6.0)
    pitch: tuple[float, float] = (0.0, 15.0)
    roll: float = 0.0
    shift: float = 0.0
    noise: tuple[float, float] = (0.0, 0.0)
    outliers: float = 0.0
    misses: float = 0.0
    legs_unseen: bool = False


SCENES = (
    Scene("16:9"),
    Scene("square", width=1000, height=1000),
    Scene("portrait, 0.8 f", width=1080, height=1920, focal=0.8 * _TYPICAL_FOCAL),
    Scene("wide, 0.5 f", focal=0.5 * _TYPICAL_FOCAL, distance=(2.5, 3.5)),
    Scene("tele, 3 f", focal=3 * _TYPICAL_FOCAL, distance=(12.0, 16.0)),
    Scene("looking down 45", pitch=(43.0, 47.0)),
    Scene("ground level", pitch=(-15.0, -8.0)),
    Scene("14 m away", distance=(14.0, 14.0)),
    Scene("noise 5 %", noise=(0.05, 0.05)),
    Scene("35 % off centre", shift=0.35),
)
NOISY = Scene(
    "noisy",
    distance=(2.5, 8.0),
    pitch=(-15.0, 65.0),
    roll=10.0,
    noise=(0.01, 0.09),
    outliers=0.06,
    misses=0.10,
)
LEGLESS = dataclasses.replace(
    NOISY, name="legs unseen", noise=(0.0, 0.0), outliers=0.0, misses=0.0, legs_unseen=True
)


@dataclasses.dataclass(frozen=True)
class SceneClip:
    """A clip as a scene shows it.

    Attributes:
        subject: Who moves.
        camera: With intrinsics.
        keypoints: `(F, 13, 3)` pixels and confidence 1, 0 where not found, in `DETECTOR_SKELETON`.
        pose_3d: `(F, 17, 3)` metres, camera frame, root at 0.
    """

    subject: str
    camera: Camera
    keypoints: np.ndarray
    pose_3d: np.ndarray


def make_scene(clips: MotionClips, scene: Scene, per_person: int = 6) -> list[SceneClip]:
    """Clips of a scene, as many of each person.

    Args:
        clips: Motion of people that no lifter was trained on.
        scene: How they are seen.
        per_person: Clips of each person, evenly over the person's frames.
    """
    key = [_SEED, *scene.name.encode()]
    rng = np.random.default_rng(key)
    made = []
    for subject in np.unique(clips.subjects):
        for clip in _stretches(clips, subject, per_person):
            made.append(_see(rng, scene, str(subject), clip))
    return made


def _stretches(clips: MotionClips, subject: str, count: int) -> list[np.ndarray]:
    """Stretches of a person's clips whose middles lie evenly in all frames of the person."""
    mine = np.flatnonzero(clips.subjects == subject)
    lengths = clips.lengths[mine]
    ends = np.cumsum(lengths)
    stretches = []
    for place in (np.arange(count) + 0.5) / count * ends[-1]:
        number = int(np.searchsorted(ends, place, side="right"))
        middle = int(place - (ends[number] - lengths[number]))
        length = min(_FRAMES, int(lengths[number]))
        first = min(max(middle - length // 2, 0), int(lengths[number]) - length)
        stretches.append(clips.clip(mine[number])[first : first + length])
    return stretches


def _see(rng: np.random.Generator, scene: Scene, subject: str, clip: np.ndarray) -> SceneClip:
    azimuth = rng.uniform(0, 2 * np.pi, 1)
    pitch = np.radians(rng.uniform(*scene.pitch, 1))
    roll = np.radians(rng.normal(0, 1, 1) * scene.roll)
    distance = rng.uniform(*scene.distance)
    side = rng.choice([-1.0, 1.0])
    rotation = look_at_person(azimuth, pitch, roll)[0].astype(np.float64)
    focal = scene.focal * max(scene.width, scene.height)
    place = distance * np.array([side * scene.shift * scene.width / focal, 0, 1])
    centre = clip[len(clip) // 2, _BODY.root]
    points = (clip - centre).astype(np.float64) @ rotation.T + place
    # Whoever would walk into the camera is seen from farther away.
    points[..., 2] += max(0.0, 1.0 - points[..., 2].min())
    camera = Camera(
        id="",
        width=scene.width,
        height=scene.height,
        focal_length=np.array([focal, focal]),
        center=np.array([scene.width / 2, scene.height / 2]),
        radial=np.zeros(3),
        tangential=np.zeros(2),
    )
    detected = convert_joints(project_pixels(points, camera), _BODY, DETECTOR_SKELETON)
    spread = np.sqrt(detected.var(axis=1).sum(axis=-1))[:, None, None]
    shape = detected.shape
    scale = rng.uniform(*scene.noise)
    error = _student(rng, shape) + _student(rng, (1, *shape[1:]))
    far = np.where(rng.random(shape[:2]) < scene.outliers, rng.uniform(4, 6, shape[:2]), 1.0)
    detected = detected + error * np.sqrt(0.5) * far[..., None] * scale * spread
    found = rng.random(shape[:2]) >= scene.misses
    if scene.legs_unseen:
        found[:, _LEGS] = False
    # Of a frame without anybody there is nothing to measure.
    found[found.sum(axis=1) < 4] = True
    if scene.legs_unseen:
        found[:, _LEGS] = False
    keypoints = np.concatenate([np.where(found[..., None], detected, 0), found[..., None]], axis=-1)
    root = points[:, _BODY.root : _BODY.root + 1]
    return SceneClip(subject, camera, keypoints.astype(np.float32), (points - root).astype(np.float32))


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with three degrees of freedom, at a root mean square of 1."""
    return rng.standard_t(3, shape) / np.sqrt(3)


@dataclasses.dataclass(frozen=True)
class SceneResult:
    """What a lifter did in a scene, millimetres, degrees and shares.

    Attributes:
        mpjpe, pampjpe: Mean joint error, roots aligned; after Procrustes alignment.
        acceleration: Mean error of second differences, millimetres a frame squared.
        bones_worst, bones_median: Standard deviation of bone lengths in a clip over their mean: the worst
            bone's and the median one's, means over clips.
        trunk_mean, trunk_worst: Angle between a clip's mean trunk and the true one: mean and worst clip.
        knees_backwards: Share of bent knees that bend backwards.
        coverage: Share of seen joints within the stated 90 % radius; None without uncertainty.
        errors: `(n, 17)` metres, of every frame.
        radii: `(n, 17)` metres as stated; None without uncertainty.
        seen: `(n, 17)` whether the joint was seen (joints that no detector gives: whether any was missed).
    """

    mpjpe: float
    pampjpe: float
    acceleration: float
    bones_worst: float
    bones_median: float
    trunk_mean: float
    trunk_worst: float
    knees_backwards: float
    coverage: float | None
    errors: np.ndarray
    radii: np.ndarray | None
    seen: np.ndarray

    def numbers(self) -> dict[str, float | None]:
        """The figures, without the arrays."""
        arrays = ("errors", "radii", "seen")
        names = [field.name for field in dataclasses.fields(self) if field.name not in arrays]
        return {name: getattr(self, name) for name in names}


# (keypoints (F, 13, 3), camera, fps) -> poses (F, 17, 3) and radii (F, 17) or None
Lift = Callable[[np.ndarray, Camera, float], tuple[np.ndarray, np.ndarray | None]]


def measure_scene(made: list[SceneClip], lift: Lift) -> SceneResult:
    """Lifts all clips of a scene and measures the result."""
    results = [lift(clip.keypoints, clip.camera, MOTION_FPS) for clip in made]
    return measure(made, [poses for poses, _ in results], [radii for _, radii in results])


def measure(made: list[SceneClip], lifted: list[np.ndarray], radii: list[np.ndarray | None]) -> SceneResult:
    """Errors of lifted clips.

    Args:
        made: The clips.
        lifted: `(F, 17, 3)` metres, camera frame, of each.
        radii: `(F, 17)` metres of each, or None.
    """
    lifted = [poses - poses[:, :1] for poses in lifted]
    poses = np.concatenate(lifted)
    truth = np.concatenate([clip.pose_3d for clip in made])
    errors = mpjpe(poses, truth, root=_BODY.root)
    bones = np.array([_bone_variation(clip) for clip in lifted])
    trunks = [_trunk_angle(clip, made[number].pose_3d) for number, clip in enumerate(lifted)]
    accelerations = [
        np.linalg.norm(np.diff(clip - made[number].pose_3d, 2, axis=0), axis=-1)
        for number, clip in enumerate(lifted)
    ]
    stated = None
    if all(radius is not None for radius in radii):
        stated = np.concatenate([radius for radius in radii if radius is not None])
    seen = np.concatenate([_seen(clip.keypoints) for clip in made])
    counted = seen.copy()
    counted[:, _BODY.root] = False
    return SceneResult(
        1000 * float(errors.mean()),
        1000 * float(pampjpe(poses, truth).mean()),
        1000 * float(np.concatenate(accelerations).mean()),
        float(bones.max(axis=1).mean()),
        float(np.median(bones, axis=1).mean()),
        float(np.mean(trunks)),
        float(np.max(trunks)),
        _knees_backwards(poses),
        None if stated is None else float((errors <= stated)[counted].mean()),
        errors,
        stated,
        seen,
    )


def _seen(keypoints: np.ndarray) -> np.ndarray:
    """`(F, 17)`: joints that were found; those that no detector gives count where all others were."""
    found = keypoints[..., 2] > 0
    columns = []
    for joint in _BODY.joints:
        name = "nose" if joint == "head" else joint
        columns.append(
            found[:, DETECTOR_JOINTS.index(name)] if name in DETECTOR_JOINTS else found.all(axis=1)
        )
    return np.stack(columns, axis=1)


def _bone_variation(poses: np.ndarray) -> np.ndarray:
    lengths = np.stack(
        [np.linalg.norm(poses[:, child] - poses[:, parent], axis=1) for parent, child in _BODY.bones], axis=1
    )
    return lengths.std(axis=0) / np.maximum(lengths.mean(axis=0), 1e-6)


def _trunk_angle(poses: np.ndarray, truth: np.ndarray) -> float:
    directions = []
    for pose in (poses, truth):
        trunk = pose[:, _BODY.index("neck")] - pose[:, _BODY.root]
        mean = (trunk / np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-6)).mean(axis=0)
        directions.append(mean / max(float(np.linalg.norm(mean)), 1e-6))
    return float(np.degrees(np.arccos(np.clip(directions[0] @ directions[1], -1, 1))))


def _knees_backwards(poses: np.ndarray) -> float:
    """Share, of knees bent by 25 degrees or more, whose ankle is in front of the thigh's line."""
    across = poses[:, _BODY.index("l_hip")] - poses[:, _BODY.index("r_hip")]
    up = poses[:, _BODY.index("neck")] - poses[:, _BODY.root]
    forward = np.cross(across, up)
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    backwards, bent = 0, 0
    for side in "lr":
        hip, knee, ankle = (poses[:, _BODY.index(f"{side}_{name}")] for name in ("hip", "knee", "ankle"))
        thigh, shin = knee - hip, ankle - knee
        cosine = np.sum(thigh * shin, axis=1) / np.maximum(
            np.linalg.norm(thigh, axis=1) * np.linalg.norm(shin, axis=1), 1e-9
        )
        # The knee of a leg that is bent rightly lies in front of the line from hip to ankle.
        middle = (hip + ankle) / 2
        front = np.sum((knee - middle) * forward, axis=1)
        clear = (cosine < np.cos(np.radians(25))) & (np.abs(front) > 0.04)
        bent += int(clear.sum())
        backwards += int((clear & (front < 0)).sum())
    return backwards / max(bent, 1)


def calibration_table(results: Mapping[str, SceneResult]) -> dict[str, float]:
    """How well stated radii hold: shares over all scenes, and the rank correlation with the error.

    Returns:
        `all`; `worst_joint_low`, `worst_joint_high`; `third_1` to `third_3` by stated width; `rank`; of seen
        joints, the root apart.
    """
    errors = np.concatenate([result.errors for result in results.values()])
    radii = np.concatenate([result.radii for result in results.values() if result.radii is not None])
    seen = np.concatenate([result.seen for result in results.values()])
    seen[:, _BODY.root] = False
    inside = errors <= radii
    joints = [
        inside[seen[:, joint], joint].mean() for joint in range(_BODY.num_joints) if seen[:, joint].any()
    ]
    edges = np.quantile(radii[seen], [1 / 3, 2 / 3])
    third = np.digitize(radii, edges)
    table = {
        "all": float(inside[seen].mean()),
        "worst_joint_low": float(min(joints)),
        "worst_joint_high": float(max(joints)),
    }
    for number in range(3):
        chosen = inside[seen & (third == number)]
        table[f"third_{number + 1}"] = float(chosen.mean()) if len(chosen) else float("nan")
    order_error = np.argsort(np.argsort(errors[seen]))
    order_radius = np.argsort(np.argsort(radii[seen]))
    table["rank"] = float(np.corrcoef(order_error, order_radius)[0, 1])
    return table


_HEAD = (
    f"{'scene':22s} {'MPJPE':>7s} {'PA':>6s} {'accel':>6s} {'bones worst/median %':>21s} "
    f"{'trunk mean/worst deg':>21s} {'knees %':>8s} {'in 90 %':>8s}"
)


def scene_table(scenes: Mapping[str, SceneResult]) -> str:
    """The table of a lifter's scenes: errors in mm, roots aligned; acceleration in mm a frame squared."""
    lines = [_HEAD, *(_row(name, result) for name, result in scenes.items())]
    ten = [scenes[scene.name] for scene in SCENES if scene.name in scenes]
    if len(ten) == len(SCENES):
        mean, aligned = (np.mean([getattr(result, key) for result in ten]) for key in ("mpjpe", "pampjpe"))
        lines.append(f"{'mean of the ten':22s} {mean:7.1f} {aligned:6.1f}")
    if all(result.radii is not None for result in scenes.values()):
        values = calibration_table(scenes)
        shares = ", ".join(f"{key} {value:.3f}" for key, value in values.items())
        lines.append(f"90 % radius, seen joints: {shares}")
    return "\n".join(lines)


def _row(name: str, result: SceneResult) -> str:
    cover = "" if result.coverage is None else f"{100 * result.coverage:8.1f}"
    return (
        f"{name:22s} {result.mpjpe:7.1f} {result.pampjpe:6.1f} {result.acceleration:6.2f} "
        f"{100 * result.bones_worst:12.1f} / {100 * result.bones_median:6.1f} "
        f"{result.trunk_mean:12.1f} / {result.trunk_worst:6.1f} {100 * result.knees_backwards:8.2f} {cover}"
    )
