#!/usr/bin/env python
"""Measures lifters on held-out motion, seen by cameras that were fixed before weights were trained.

    python tools/benchmark_general.py --motion val.npz                        # the shipped lifters
    python tools/benchmark_general.py --motion val.npz --weights mine.h5 --train train.npz --json table.json

Ten scenes of the joints that every detector finds, one with a detector's errors, and that without legs; see
`tf_pose3d/evaluation/motion_scenes.py`. With --train, two baselines beside them: the mean pose, and the
nearest of 30,000 poses of that motion as the same kinds of cameras see them.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.camera import Camera
from tf_pose3d.cli.program import run_program
from tf_pose3d.data.motion_clips import MotionClips, load_motion
from tf_pose3d.data.motion_views import DETECTOR_SKELETON
from tf_pose3d.evaluation.motion_scenes import (
    LEGLESS,
    NOISY,
    SCENES,
    make_scene,
    measure_scene,
    scene_table,
)
from tf_pose3d.files import write_json
from tf_pose3d.skeleton import convert_joints

Lift = Callable[[np.ndarray, Camera, float], tuple[np.ndarray, np.ndarray | None]]

_POSES = 30_000
_SEED = 1
_FRAMES_AT_ONCE = 256


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", required=True, metavar="FILE", help="held-out motion")
    parser.add_argument("--subjects", nargs="+", metavar="NAME", help="only these people of it")
    parser.add_argument("--train", metavar="FILE", help="motion for the baselines mean pose and nearest pose")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="people left out of --train")
    parser.add_argument(
        "--weights", nargs="+", default=["general", "general_frame"], metavar="NAME|FILE", help="lifters"
    )
    parser.add_argument("--unknown_focal", action="store_true", help="do not tell lifters the focal length")
    parser.add_argument("--per_person", type=int, default=6, metavar="N", help="clips a person (two seconds)")
    parser.add_argument("--json", metavar="FILE", help="write the numbers, too")
    return parser.parse_args(arguments)


def lifter_of(weights: str, unknown_focal: bool) -> Lift:
    """A lifter of weights or of a name of shipped ones."""
    import tf_pose3d

    lifter = tf_pose3d.load(weights)

    def lift(keypoints: np.ndarray, camera: Camera, fps: float) -> tuple[np.ndarray, np.ndarray | None]:
        points = np.where(keypoints[..., 2:] > 0, keypoints, np.nan)
        assert camera.focal_length is not None
        focal = None if unknown_focal else float(camera.focal_length[0])
        person = lifter.lift(points, camera.width, camera.height, fps, DETECTOR_SKELETON, focal)
        poses = convert_joints(person.pose_3d, person.skeleton, "h36m_17")
        # What a lifter gives no pose for counts as a person of no size.
        radii = None if person.uncertainty is None else person.uncertainty / 1000
        return np.nan_to_num(poses), radii

    return lift


def baselines(clips: MotionClips) -> dict[str, Lift]:
    """The mean pose, and the nearest of many poses, as seen by cameras like those of the noisy scene."""
    rng = np.random.default_rng(_SEED)
    chosen = rng.choice(len(clips.positions), min(_POSES, len(clips.positions)), replace=False)
    singles = MotionClips(
        clips.positions[chosen],
        np.arange(len(chosen) + 1),
        *(np.repeat("x", len(chosen)) for _ in range(3)),
        np.ones(len(chosen), np.float32),
    )
    exact = dataclasses.replace(NOISY, name="baseline", noise=(0.0, 0.0), outliers=0.0, misses=0.0)
    seen = make_scene(singles, exact, len(chosen))
    poses = np.concatenate([clip.pose_3d for clip in seen])
    views = np.concatenate([clip.keypoints[..., :2] for clip in seen])
    views = views - views.mean(axis=1, keepdims=True)
    views /= np.sqrt(np.square(views).sum(axis=(1, 2), keepdims=True))
    mean = poses.mean(axis=0)

    def mean_pose(keypoints: np.ndarray, camera: Camera, fps: float) -> tuple[np.ndarray, None]:
        return np.repeat(mean[None], len(keypoints), axis=0), None

    def nearest(keypoints: np.ndarray, camera: Camera, fps: float) -> tuple[np.ndarray, None]:
        return poses[nearest_views(views, keypoints)], None

    return {"mean pose": mean_pose, f"nearest of {len(poses)}": nearest}


def nearest_views(views: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """`(F,)` which of many views is nearest to each frame, both round their means at unit size.

    Of a frame's joints only those count that were found. The mean and the size of each view over these are
    matrix products with the frames' masks, and so is the likeness: of two of unit size it tells the distance.

    Args:
        views: `(N, 13, 2)` pixels.
        keypoints: `(F, 13, 3)` pixels and confidence.
    """
    x, y = views[..., 0], views[..., 1]
    square = x * x + y * y
    found = np.empty(len(keypoints), np.int64)
    for first in range(0, len(keypoints), _FRAMES_AT_ONCE):
        part = keypoints[first : first + _FRAMES_AT_ONCE]
        held = (part[..., 2] > 0).astype(np.float32)
        count = np.maximum(held.sum(axis=1), 1)
        points = (
            part[..., :2]
            - (part[..., :2] * held[..., None]).sum(axis=1, keepdims=True) / count[:, None, None]
        )
        points = (points * held[..., None]).astype(np.float32)
        likeness = x @ points[..., 0].T + y @ points[..., 1].T
        spread = square @ held.T - (np.square(x @ held.T) + np.square(y @ held.T)) / count
        found[first : first + len(part)] = (likeness / np.sqrt(np.maximum(spread, 1e-12))).argmax(axis=0)
    return found


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    motion = load_motion(options.motion, print)
    if options.subjects:
        _, motion = motion.split(options.subjects, options.motion)
    lifters: dict[str, Lift] = {}
    if options.train:
        clips = load_motion(options.train, print)
        if options.without:
            clips, _ = clips.split(options.without, options.train)
        lifters |= baselines(clips)
    for weights in options.weights:
        lifters[weights] = lifter_of(weights, options.unknown_focal)
    scenes = (*SCENES, NOISY, LEGLESS)
    made = {scene.name: make_scene(motion, scene, options.per_person) for scene in scenes}
    frames = sum(len(clip.pose_3d) for clip in made[NOISY.name])
    print(f"{options.motion}: {len(np.unique(motion.subjects))} people, {frames} frames a scene")
    results = {
        name: {scene: measure_scene(clips, lift) for scene, clips in made.items()}
        for name, lift in lifters.items()
    }
    for name, figures in results.items():
        print(f"\n{name}\n{scene_table(figures)}")
    if options.json:
        held = {
            name: {scene: result.numbers() for scene, result in figures.items()}
            for name, figures in results.items()
        }
        write_json(options.json, held)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("benchmark_general.py", main))
