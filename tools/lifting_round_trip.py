"""How much a lifted pose depends on the detector's format, and on gaps, missing joints and jitter.

    python tools/lifting_round_trip.py --data FOLDER [--weights x.h5] [--plot curve.png]

FOLDER holds `data_3d_h36m.npz`. The recordings of a subject are projected into their cameras, written in
each detector's format, read and lifted; the poses are compared with those of the 17 joints of Human3.6M
themselves. Then those 17 joints are spoiled more and more. Tables are in Markdown, as in docs/lifting.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

import numpy as np
from keypoint_writers import WRITERS, detector_points, write

from tf_pose3d.camera import project_pixels, world_to_camera
from tf_pose3d.cli.program import run_program, start_tensorflow
from tf_pose3d.skeleton import convert_joints, get_skeleton

FPS = 50


def clips(data, subject, count, frames):
    """(name, camera, `(F, 32, 3)` camera-frame poses) of some recordings, each in the next camera."""
    from tf_pose3d.data.archive import load_recordings
    from tf_pose3d.data.human36m import CAMERAS

    recordings = load_recordings(Path(data) / "data_3d_h36m.npz", "positions_3d")[subject]
    for number, (name, poses) in enumerate(sorted(recordings.items())[:count]):
        camera = CAMERAS[subject][number % 4]
        world = np.asarray(poses[:frames], np.float32)
        yield name, camera, world_to_camera(world, camera.orientation, camera.translation)


def keypoints_of(poses, camera, layout):
    """Exact keypoints with full confidence."""
    if layout == "h36m_17":
        points = convert_joints(poses, "h36m_32", layout)
    else:
        points = detector_points(poses, layout)
    pixels = project_pixels(points, camera)
    return np.concatenate([pixels, np.ones((*pixels.shape[:2], 1), pixels.dtype)], axis=2)


def lift(lifter, keypoints, camera, layout):
    return lifter.lift(keypoints, camera.width, camera.height, FPS, layout).pose_3d


def mean_error(poses, truth):
    """Mean joint distance in mm over the frames that have a pose."""
    distance = np.linalg.norm(poses - truth, axis=-1)
    return 1000 * float(np.nanmean(distance))


def round_trip(lifter, recordings):
    from tf_pose3d.inference.formats import read_keypoints
    from tf_pose3d.inference.keypoints import dense_keypoints
    from tf_pose3d.inference.people import choose_people

    print("| format | joints | shared | input, shared (pixels) | pose, shared (mm) | pose, all (mm) |")
    print("|---|---|---|---|---|---|")
    for label, (layout, _, _) in WRITERS.items():
        skeleton = get_skeleton(layout)
        shared = [i for i, joint in enumerate(lifter.skeleton.joints) if joint in skeleton.joints]
        rows = []
        for _, camera, poses in recordings:
            original = keypoints_of(poses, camera, "h36m_17")
            expected = lift(lifter, original, camera, "h36m_17")
            with tempfile.TemporaryDirectory() as folder:
                points = keypoints_of(poses, camera, layout)
                path = write(label, folder, points, camera.width, camera.height, FPS)
                video = read_keypoints(path)
                (person,) = choose_people(video)
                read = dense_keypoints(person, video.num_frames)
            found = lifter.lift(read, camera.width, camera.height, FPS, video.skeleton)
            target = convert_joints(original, "h36m_17", lifter.skeleton)
            pixels = np.linalg.norm(found.keypoints[..., :2] - target[..., :2], axis=-1)
            distance = 1000 * np.linalg.norm(found.pose_3d - expected, axis=-1)
            rows.append([pixels[:, shared].mean(), distance[:, shared].mean(), distance.mean()])
        pixels, close, whole = np.mean(rows, axis=0)
        print(
            f"| {label} | {skeleton.num_joints} | {len(shared)} | {pixels:.3f} | {close:.1f} | {whole:.1f} |"
        )


def with_gaps(keypoints, length, random):
    """Every second (50 frames) the person is lost for so many frames."""
    spoiled = keypoints.copy()
    for start in range(20, len(keypoints), 50):
        spoiled[start : start + length] = np.nan
    # A clip ends with the person in view.
    spoiled[-1] = keypoints[-1]
    return spoiled


def with_missing_joints(keypoints, share, random):
    spoiled = keypoints.copy()
    spoiled[random.random(keypoints.shape[:2]) < share / 100] = np.nan
    return spoiled


def with_jitter(keypoints, pixels, random):
    spoiled = keypoints.copy()
    spoiled[..., :2] += random.normal(0, pixels, spoiled[..., :2].shape)
    return spoiled


TRIALS = {
    "gap (frames a second)": (with_gaps, [0, 2, 5, 10, 15, 20]),
    "missing joints (%)": (with_missing_joints, [0, 5, 10, 20, 30, 40]),
    "jitter (pixels)": (with_jitter, [0, 0.5, 1, 2, 3, 5]),
}


def degradation(lifter, recordings):
    """Trial -> (levels, mean joint error in mm at each)."""
    curves = {}
    lifter.max_gap = 25
    for name, (spoil, levels) in TRIALS.items():
        errors = []
        for level in levels:
            random = np.random.default_rng(0)
            found = []
            for _, camera, poses in recordings:
                keypoints = spoil(keypoints_of(poses, camera, "h36m_17"), level, random)
                truth = convert_joints(poses, "h36m_32", lifter.skeleton)
                truth = truth - truth[:, lifter.root, None]
                found.append(mean_error(lift(lifter, keypoints, camera, "h36m_17"), truth))
            errors.append(float(np.mean(found)))
        curves[name] = levels, errors
        print("\n| " + " | ".join([name, *map(str, levels)]) + " |")
        print("|---" * (len(levels) + 1) + "|")
        print("| MPJPE (mm) | " + " | ".join(f"{error:.1f}" for error in errors) + " |")
    return curves


def plot(curves, path):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(curves), figsize=(10, 3), sharey=True, layout="constrained")
    for axis, (name, (levels, errors)) in zip(axes, curves.items(), strict=True):
        axis.plot(levels, errors, marker="o", color="#2563eb")
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("MPJPE (mm)")
    axes[0].set_ylim(0, 1.15 * max(error for _, errors in curves.values() for error in errors))
    figure.savefig(path, dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder with data_3d_h36m.npz")
    parser.add_argument("--weights", metavar="FILE", help="weights (default: the shipped ones)")
    parser.add_argument("--subject", default="S11", help="whose recordings (default: %(default)s)")
    parser.add_argument("--recordings", type=int, default=4, help="how many (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=600, help="of each (default: %(default)s)")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves into this .png")
    given = parser.parse_args(arguments)
    start_tensorflow()
    import tf_pose3d

    lifter = tf_pose3d.load(given.weights or "general")
    recordings = list(clips(given.data, given.subject, given.recordings, given.frames))
    print(f"{len(recordings)} recordings of {given.subject}, {sum(len(p) for *_, p in recordings)} frames\n")
    round_trip(lifter, recordings)
    curves = degradation(lifter, recordings)
    if given.plot:
        plot(curves, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("lifting_round_trip.py", main))
