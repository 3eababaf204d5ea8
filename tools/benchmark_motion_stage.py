#!/usr/bin/env python
"""Measures the stage between lifting and writing on people that no lifter was trained on.

    python tools/benchmark_motion_stage.py --motion train.npz              # the people held out by the config
    python tools/benchmark_motion_stage.py --motion train.npz --draws 8    # each stretch from eight cameras
    python tools/benchmark_motion_stage.py --motion val.npz --everyone --weights general mine.h5

Stretches of up to 13 seconds, seen by a fixed camera of known and of unknown orientation that looks down by 0
to 20 degrees and holds the whole stretch; keypoints exact, and with a detector's errors (Student's t of 3
degrees of freedom, 3 % of the body's spread, half of the variance constant in time; 2 % outliers of four to
six times that; 3 % missing). Printed: what smoothing does to errors, what the world placement gives, and how
long the stage takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.camera import Camera, project_pixels
from tf_pose3d.cli.program import run_program
from tf_pose3d.config import read_config_file, shipped_configs
from tf_pose3d.data.motion_clips import MOTION_FPS, MotionClips, load_motion
from tf_pose3d.data.motion_views import DETECTOR_SKELETON, look_at_person
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.motion_metrics import acceleration_error, bone_variation, root_drift
from tf_pose3d.files import write_json
from tf_pose3d.inference.motion.contact import feet_joints
from tf_pose3d.inference.motion.levelling import world_rotation
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import matrix_to_quaternion
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.stature import standing_height
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.skeleton import convert_joints, get_skeleton

_BODY = get_skeleton("h36m_17")
_FEET = feet_joints(_BODY)
_SEED, _LONGEST, _SHORTEST, _EACH = 5, 400, 60, 4
NOISE, _OUTLIERS, _MISSES = 0.03, 0.02, 0.03
# A foot truly rests: metres a second and metres above the lowest that feet get.
_REST_SPEED, _REST_HEIGHT = 0.30, 0.06
# Metres that someone goes, from which on a path is measured.
_WALK = 2.0
FILTERS = ("none", "butterworth:5", "butterworth:6", "rts:4", "rts:6")


@dataclasses.dataclass(frozen=True)
class Filmed:
    """A stretch seen by a camera.

    Attributes:
        world: `(F, 17, 3)` metres, z up, the floor at 0.
        poses: `(F, 17, 3)` in the camera's frame, where they are.
        camera: With its orientation.
        keypoints: `(F, 13, 3)` as a detector gives them, NaN where it does not.
        subject: Who moves.
    """

    world: np.ndarray
    poses: np.ndarray
    camera: Camera
    keypoints: np.ndarray
    subject: str = ""


def film(clips: MotionClips, noise: float, draw: int = 0) -> list[Filmed]:
    """The longest stretches of each person, by the cameras and errors of a draw."""
    rng = np.random.default_rng(_SEED + draw)
    filmed = []
    for subject in np.unique(clips.subjects):
        mine = np.flatnonzero(clips.subjects == subject)
        for number in mine[np.argsort(-clips.lengths[mine])][:_EACH]:
            world = clips.clip(int(number))[:_LONGEST].astype(np.float64)
            if len(world) >= _SHORTEST:
                filmed.append(dataclasses.replace(see(rng, world, noise), subject=str(subject)))
    return filmed


def see(
    rng: np.random.Generator, world: np.ndarray, noise: float, pitches: tuple[float, float] = (0, 20)
) -> Filmed:
    """A stretch `(F, 17, 3)` of someone on a floor, before a camera that looks down by `pitches` degrees."""
    azimuth, pitch = rng.uniform(0, 2 * np.pi, 1), np.radians(rng.uniform(*pitches, 1))
    rotation = look_at_person(azimuth, pitch, np.radians(rng.normal(0, 1.5, 1)))[0].astype(np.float64)
    focal, middle = 1.145 * 1920, np.array([960.0, 540.0])
    centre = (world[:, 0].max(axis=0) + world[:, 0].min(axis=0)) / 2
    turned = (world - centre) @ rotation.T
    for distance in np.arange(4.0, 40.0, 0.25):
        poses = turned + np.array([0, 0, distance])
        seen = poses[..., :2] / np.maximum(poses[..., 2:], 0.1) * focal
        if poses[..., 2].min() > 1 and (np.abs(seen) < middle - 50).all():
            break
    camera = Camera(
        "0",
        1920,
        1080,
        np.array([focal, focal]),
        middle,
        np.zeros(3),
        np.zeros(2),
        matrix_to_quaternion(rotation.T),
        np.zeros(3),
    )
    points = convert_joints(project_pixels(poses, camera), _BODY, DETECTOR_SKELETON)
    spread = np.sqrt(points.var(axis=1).sum(axis=-1))[:, None, None]
    error = (_student(rng, points.shape) + _student(rng, (1, *points.shape[1:]))) * np.sqrt(0.5)
    far = np.where(rng.random(points.shape[:2]) < _OUTLIERS, rng.uniform(4, 6, points.shape[:2]), 1.0)
    found = rng.random(points.shape[:2]) >= (_MISSES if noise else 0)
    points = np.where(found[..., None], points + error * far[..., None] * noise * spread, np.nan)
    keypoints = np.concatenate([points, np.where(found, 0.9, 0.0)[..., None]], axis=2)
    floor = np.quantile(world[:, _FEET, 2].min(axis=1), 0.02)
    return Filmed(world - [0, 0, floor], poses, camera, keypoints)


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(3, shape) / np.sqrt(3)


def lift_all(weights: str, filmed: Sequence[Filmed]) -> list[Motion]:
    """What a lifter makes of each, in h36m_17."""
    import tf_pose3d

    lifter = tf_pose3d.load(weights)
    motions = []
    for clip in filmed:
        focal = float(clip.camera.focal_length[0])
        person = lifter.lift(clip.keypoints, 1920, 1080, MOTION_FPS, DETECTOR_SKELETON, focal)
        poses, keypoints = (
            convert_joints(held, person.skeleton, _BODY) for held in (person.pose_3d, person.keypoints)
        )
        uncertainty = person.uncertainty if person.skeleton == _BODY else None
        motions.append(Motion(poses, _BODY, 0, MOTION_FPS, clip.camera, keypoints, uncertainty=uncertainty))
    return motions


def exact(filmed: Sequence[Filmed]) -> list[Motion]:
    """The true poses, as a lifter without errors would give them."""
    motions = []
    for clip in filmed:
        pixels = project_pixels(clip.poses, clip.camera)
        keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=2)
        centred = clip.poses - clip.poses[:, :1]
        motions.append(Motion(centred, _BODY, 0, MOTION_FPS, clip.camera, keypoints))
    return motions


def unknown(motion: Motion) -> Motion:
    """Seen by a camera of which nobody knows how it is held."""
    assert motion.camera is not None
    return dataclasses.replace(
        motion, camera=dataclasses.replace(motion.camera, orientation=None, translation=None)
    )


def smoothing(motions: Sequence[Motion], filmed: Sequence[Filmed]) -> dict[str, dict[str, float]]:
    """Errors in mm after each filter; the fastest 5 % of all frames against no filter."""
    truths = [clip.poses - clip.poses[:, :1] for clip in filmed]
    speeds = np.concatenate([np.linalg.norm(np.gradient(t, axis=0), axis=-1).mean(axis=1) for t in truths])
    fast = speeds > np.quantile(speeds, 0.95)
    table, plain = {}, None
    for name in FILTERS:
        steps = MotionSteps(smooth=None if name == "none" else name)
        poses = [held.motion.poses.astype(np.float64) for held in (run_stage([m], steps)[0] for m in motions)]
        errors = np.concatenate(
            [np.linalg.norm(p - t, axis=-1).mean(axis=1) for p, t in zip(poses, truths, strict=True)]
        )
        plain = errors if plain is None else plain
        table[name] = {
            "acceleration_mm_frame2": float(
                np.mean([acceleration_error(p, t) for p, t in zip(poses, truths, strict=True)])
            ),
            "mpjpe_mm": 1000 * float(errors.mean()),
            "fastest_5_percent_mm": 1000 * float((errors - plain)[fast].mean()),
        }
    return table


def world(
    motions: Sequence[Motion], filmed: Sequence[Filmed], known: bool, stature: bool
) -> dict[str, float]:
    """Tilt, contacts, feet, floor, bones and path in the world."""
    tilts, leans, worlds, drifts, moved, lowest, bones, hits = [], [], [], [], [], [], [], np.zeros(3)
    errors, lifted = [], []
    for motion, clip in zip(motions, filmed, strict=True):
        height = standing_height(clip.world, _BODY) if stature else None
        steps = MotionSteps(
            smooth="rts",
            constant_bones=True,
            level="auto",
            placement="world",
            stature=None if height is None else float(np.clip(height, 0.5, 2.5)),
            focal_known=True,
        )
        held = run_stage([motion if known else unknown(motion)], steps)[0].motion
        centred = run_stage(
            [motion if known else unknown(motion)], dataclasses.replace(steps, placement="root")
        )
        # The rotation that was found, from the poses before and after it.
        shaped = run_stage([motion], MotionSteps(smooth="rts", constant_bones=True, stature=steps.stature))[0]
        rotation = _rotation_between(shaped.motion.poses, centred[0].motion.poses)
        up = rotation[2]
        tilts.append(np.degrees(np.arccos(np.clip(up @ true_up(clip.camera), -1, 1))))
        leans.append(_trunk_lean(motion.poses, clip.poses))
        found, true = world_rotation(up), world_rotation(true_up(clip.camera))
        worlds.append(_trunk_lean(motion.poses @ found.T, clip.poses @ true.T))
        truth = clip.poses - clip.poses[:, :1]
        back = (held.poses - held.poses[:, :1]) @ rotation
        errors.append(np.linalg.norm(back - truth, axis=-1).mean())
        lifted.append(np.linalg.norm(motion.poses - truth, axis=-1).mean())
        _, share = root_drift(held.poses, clip.world @ _flat(clip.camera).T, 0)
        if np.linalg.norm(np.diff(_calm(clip.world[:, 0]), axis=0), axis=1).sum() > _WALK:
            drifts.append(share)
        speed = np.linalg.norm(np.gradient(clip.world[:, _FEET], axis=0), axis=-1) * MOTION_FPS
        true_rest = (speed < _REST_SPEED) & (clip.world[:, _FEET, 2] < _REST_HEIGHT)
        hits += [(held.resting & true_rest).sum(), held.resting.sum(), true_rest.sum()]
        both = held.resting[1:] & held.resting[:-1]
        moved.append(np.linalg.norm(np.diff(held.poses[:, _FEET], axis=0), axis=-1)[both])
        standing = held.resting.any(axis=1)
        lowest.append(np.abs(held.poses[standing][:, _FEET, 2].min(axis=1)))
        bones.append(bone_variation(held.poses, _BODY).max())
    feet, floor = np.concatenate(moved), np.concatenate(lowest)
    return {
        "mpjpe_mm": 1000 * float(np.mean(errors)),
        "mpjpe_as_lifted_mm": 1000 * float(np.mean(lifted)),
        "tilt_mean_degrees": float(np.mean(tilts)),
        "tilt_worst_degrees": float(np.max(tilts)),
        "tilts_above_3_degrees": int(np.sum(np.array(tilts) > 3)),
        "lean_in_the_world_degrees": float(np.mean(worlds)),
        "lifters_own_lean_mean_degrees": float(np.mean(leans)),
        "contact_precision_percent": 100 * hits[0] / max(hits[1], 1),
        "contact_recall_percent": 100 * hits[0] / max(hits[2], 1),
        "resting_foot_mm_frame_99_percent": 1000 * float(np.quantile(feet, 0.99)),
        "resting_foot_mm_frame_worst": 1000 * float(feet.max()),
        "lowest_foot_mm_99_percent": 1000 * float(np.quantile(floor, 0.99)),
        "bones_worst_percent": 100 * float(np.max(bones)),
        "path_mean_percent": 100 * float(np.mean(drifts)),
        "path_worst_percent": 100 * float(np.max(drifts)),
    }


def true_up(camera: Camera) -> np.ndarray:
    """`(3,)` the direction up in the frame of a camera of known orientation."""
    return _matrix(camera)[2]


def _matrix(camera: Camera) -> np.ndarray:
    from tf_pose3d.camera import quaternion_to_matrix

    assert camera.orientation is not None
    return quaternion_to_matrix(camera.orientation)


def _flat(camera: Camera) -> np.ndarray:
    """The true world's axes turned about the vertical to those that the stage would take."""
    return world_rotation(_matrix(camera)[2]) @ _matrix(camera).T


def _rotation_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(np.einsum("fja,fjb->ab", after.astype(float), before.astype(float)))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def _trunk_lean(poses: np.ndarray, truth: np.ndarray) -> float:
    means = []
    for held in (poses, truth):
        trunk = held[:, _BODY.index("neck")] - held[:, 0]
        mean = (trunk / np.linalg.norm(trunk, axis=1, keepdims=True)).mean(axis=0)
        means.append(mean / np.linalg.norm(mean))
    return float(np.degrees(np.arccos(np.clip(means[0] @ means[1], -1, 1))))


def _calm(path: np.ndarray) -> np.ndarray:
    """A path of which sway is not counted as way."""
    from tf_pose3d.inference.motion.smoothing import smooth_positions

    return smooth_positions(path, np.ones(len(path), bool), MOTION_FPS, 1.0)[0]


def seconds_a_minute(motion: Motion) -> float:
    """Of the whole stage, for a minute at 30 per second."""
    count = int(60 * MOTION_FPS)
    rows = np.concatenate([np.arange(motion.num_frames), np.arange(motion.num_frames)[::-1]])
    rows = np.resize(rows, count)
    uncertainty = None if motion.uncertainty is None else motion.uncertainty[rows]
    assert motion.keypoints is not None
    long = dataclasses.replace(
        unknown(motion), poses=motion.poses[rows], keypoints=motion.keypoints[rows], uncertainty=uncertainty
    )
    steps = MotionSteps(smooth="rts", constant_bones=True, level="auto", placement="world")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run_stage([long], steps)
        times.append(time.perf_counter() - start)
    return min(times)


def print_table(name: str, rows: dict[str, dict[str, float]]) -> None:
    """A line a row, a column a figure."""
    columns = list(next(iter(rows.values())))
    print(f"\n{name}")
    for column in columns:
        print(f"  {column:34s} " + "  ".join(f"{row[column]:10.2f}" for row in rows.values()))
    print(f"  {'':34s} " + "  ".join(f"{key[:10]:>10s}" for key in rows))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", required=True, metavar="FILE", help="motion file with the people")
    parser.add_argument("--everyone", action="store_true", help="all people of it, not those held out")
    parser.add_argument("--weights", nargs="+", default=["general"], metavar="NAME|FILE", help="lifters")
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="cameras and errors (default 1)")
    parser.add_argument("--json", metavar="FILE", help="write the figures, too")
    options = parser.parse_args(arguments)
    clips = load_motion(options.motion, print)
    if not options.everyone:
        _, clips = clips.split(read_config_file(shipped_configs()["general"])["HELD_OUT"], options.motion)
    if options.draws < 1:
        raise Pose3DError(f"--draws {options.draws}: expected 1 or more")
    clean, rough = (
        [clip for draw in range(options.draws) for clip in film(clips, noise, draw)] for noise in (0.0, NOISE)
    )
    print(f"{options.motion}: {len(np.unique(clips.subjects))} people, {len(clean)} stretches")
    results: dict[str, dict[str, dict[str, float]]] = {
        "exact poses": {
            "known": world(exact(clean), clean, True, True),
            "unknown": world(exact(clean), clean, False, True),
        }
    }
    for weights in options.weights:
        motions = lift_all(weights, rough)
        results[f"{weights}, smoothing"] = smoothing(motions, rough)
        results[f"{weights}, world"] = {
            "known": world(motions, rough, True, True),
            "unknown": world(motions, rough, False, True),
            "no stature": world(motions, rough, False, False),
        }
        results[f"{weights}, time"] = {"a minute": {"seconds": seconds_a_minute(motions[0])}}
    for name, rows in results.items():
        print_table(name, rows)
    if options.json:
        write_json(options.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("benchmark_motion_stage.py", main))
