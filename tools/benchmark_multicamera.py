"""How long triangulation of several cameras takes, how much memory an hour needs, how well clocks are found.

    python tools/benchmark_multicamera.py [files|selection|cameras|people|sync|clocks|hour ...]

With no name, all but `hour`, which writes and reads half a gigabyte. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from tf_pose3d.data.calibration import write_cameras
from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.multicamera.association import associate
from tf_pose3d.multicamera.detections import ViewDetections
from tf_pose3d.multicamera.reconstruction import Options, confident, limits, reconstruct, usual_error
from tf_pose3d.multicamera.rig import make_rig
from tf_pose3d.multicamera.road import triangulate
from tf_pose3d.multicamera.triangulation import triangulate_robust
from tf_pose3d.skeleton import get_skeleton

LAYOUT = "h36m_17"
SKELETON = get_skeleton(LAYOUT)
PARTS = ("files", "selection", "cameras", "people", "sync", "clocks", "hour")


def ring(views):
    """Cameras round the middle."""
    cameras = []
    for number in range(views):
        angle = 2 * np.pi * number / views + 0.3
        centre = np.array([4.5 * np.cos(angle), 4.5 * np.sin(angle), 1.9 + 0.2 * (number % 3)])
        forward = np.array([0, 0, 0.95]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        cameras.append(
            CalibratedCamera(
                name=f"cam{number + 1:02d}",
                size=(1920, 1080),
                matrix=np.array([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]]),
                distortion=np.array([-0.05, 0.1, 0.001, 0.0005, 0]),
                rotation=rotation,
                translation=-rotation @ centre,
            )
        )
    return make_rig(cameras)


def walk(frames, start=(0.0, 0.0), seed=0):
    """`walk_at` at 60 frames per second."""
    return walk_at(np.arange(frames) / 60, start, seed)


def walk_at(time_, start=(0.0, 0.0), seed=0, sway=0.05):
    """`(F, 17, 3)` metres, z up, at seconds `(F,)`: a body that goes about, each joint swaying on its own."""
    rng = np.random.default_rng(seed)
    standing = np.array(
        [(0, 0, 0.95), (0, -0.1, 0.95), (0, -0.1, 0.5), (0, -0.1, 0.08), (0, 0.1, 0.95), (0, 0.1, 0.5),
         (0, 0.1, 0.08), (0, 0, 1.2), (0, 0, 1.45), (0.05, 0, 1.58), (0, 0, 1.7), (0, 0.17, 1.43),
         (0, 0.2, 1.15), (0.05, 0.22, 0.92), (0, -0.17, 1.43), (0, -0.2, 1.15), (0.05, -0.22, 0.92)]
    )  # fmt: skip
    time_ = np.asarray(time_)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (1, 17, 3))
    pose = standing + sway * np.sin(2 * np.pi * 0.8 * time_ + phase)
    pose[..., 0] += start[0] + 0.5 * np.sin(0.4 * time_[..., 0])
    pose[..., 1] += start[1] + 0.4 * np.cos(0.3 * time_[..., 0])
    return pose


def seen(rig, poses, seed=0, sigma=4.0):
    """`(V, F, J, 3)` keypoints with noise, misses and wrong ones."""
    rng = np.random.default_rng(seed)
    result = np.empty((len(rig), *poses.shape[:2], 3), np.float32)
    for view, camera in enumerate(rig.cameras):
        pixels = camera.project(poses) + rng.normal(size=(*poses.shape[:2], 2)) * sigma
        wrong = rng.random(poses.shape[:2]) < 0.02
        pixels[wrong] += rng.normal(size=(int(wrong.sum()), 2)) * 60
        result[view, ..., :2], result[view, ..., 2] = pixels, rng.uniform(0.5, 1, poses.shape[:2])
        result[view][rng.random(poses.shape[:2]) < 0.06] = np.nan
    return result


def best(work, tries=5):
    """Seconds of the fastest of several runs."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def write_views(folder, rig, keypoints):
    """Folders of OpenPose files, and the calibration."""
    for view, name in enumerate(rig.names):
        place = Path(folder) / f"{name}_json"
        place.mkdir(parents=True, exist_ok=True)
        for frame, points in enumerate(np.nan_to_num(keypoints[view]).astype(float)):
            person = {"person_id": [-1], "pose_keypoints_2d": points.round(3).ravel().tolist()}
            (place / f"{name}_{frame:06d}.json").write_text(json.dumps({"version": 1.3, "people": [person]}))
    write_cameras(Path(folder) / "Calib.toml", rig.cameras)
    return [str(Path(folder) / f"{name}_json") for name in rig.names]


def files(folder):
    """Reading, triangulating and writing 100 frames of one person and four cameras, without start-up."""
    rig = ring(4)
    paths = write_views(folder, rig, seen(rig, walk(100)))

    def work():
        result = triangulate(paths, Path(folder) / "Calib.toml", layout=LAYOUT, fps=60)
        result.person.save(Path(folder) / "walk.trc")

    print(f"files: 100 frames, four cameras, from JSON to TRC: {best(work):.3f} s (to be at most 0.5)")


def selection(_):
    """Triangulation with robust selection alone."""
    rig, frames = ring(4), 1000
    keypoints = seen(rig, walk(frames))
    weights = confident(keypoints, 0.3).reshape(4, -1)
    rays = rig.rays(keypoints).reshape(4, -1, 2)
    limit = limits(rig, rays, weights, usual_error(rig, rays, weights))
    seconds = best(lambda: triangulate_robust(rig, rays, weights, limit))
    whole = best(lambda: reconstruct(rig, keypoints.copy(), SKELETON), 3)
    plain = best(lambda: reconstruct(rig, keypoints.copy(), SKELETON, Options(refine=False)), 3)
    print(
        f"selection: robust triangulation alone {1000 * seconds / frames:.3f} ms a frame (to be at most 0.5)"
    )
    print(f"selection: with rays and sides {1000 * plain / frames:.3f} ms a frame")
    print(f"selection: refined as well {1000 * whole / frames:.3f} ms a frame")


def cameras(folder):
    """Sixteen cameras against four, from files to a file."""
    seconds = {}
    for views in (4, 16):
        rig = ring(views)
        place = Path(folder) / str(views)
        paths = write_views(place, rig, seen(rig, walk(100)))

        def work(paths=paths, place=place):
            triangulate(paths, place / "Calib.toml", layout=LAYOUT, fps=60).person.save(place / "walk.trc")

        seconds[views] = best(work)
    ratio = seconds[16] / seconds[4]
    pair = f"{seconds[16]:.3f} s against {seconds[4]:.3f}"
    print(f"cameras: sixteen take {ratio:.2f} times four ({pair}; at most 4)")


def people(_):
    """Association of three people."""
    rig, frames = ring(4), 300
    places = [(0.0, 0.0), (1.2, 0.3), (-1.1, -0.4)]
    parts = [seen(rig, walk(frames, place, seed), seed) for seed, place in enumerate(places)]
    views = []
    for view in range(4):
        points = np.stack([part[view] for part in parts], axis=1).reshape(-1, 17, 3)
        views.append(ViewDetections(np.repeat(np.arange(frames), 3), points))
    seconds = best(lambda: associate(rig, views, SKELETON, frames), 3)
    print(f"people: three people told apart in {1000 * seconds / frames:.2f} ms a frame")


def sync(_):
    """Offsets and rates by geometry."""
    rig, frames = ring(4), 600
    keypoints = seen(rig, walk(frames))
    views = {name: keypoints[view] for view, name in enumerate(rig.names)}
    views["cam02"], views["cam03"], views["cam04"] = keypoints[1, 7:], keypoints[2, 12:], keypoints[3, ::2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Calib.toml"
        write_cameras(path, rig.cameras)
        start = time.perf_counter()
        result = triangulate(views, path, layout=LAYOUT, fps=60, sync="auto")
        seconds = time.perf_counter() - start
    offsets, steps = result.timeline.offsets.tolist(), result.timeline.steps.tolist()
    print(f"sync: 600 frames, four cameras in {seconds:.1f} s: offsets {offsets}, steps {steps}")


def clocks(folder):
    """Cameras of any clock and rate: what is found, and how near the poses are."""
    rig, seconds = ring(4), 6.0
    path = Path(folder) / "Calib.toml"
    write_cameras(path, rig.cameras)
    for rates, late in (
        ((60, 60, 60, 30), (0, 7, 12, 0)),
        ((60, 60, 60, 30), (0, 7.5, 12.3, 3.7)),
        ((60, 60, 50, 25), (0, 3, 8, 4.4)),
    ):
        errors, offsets = [], []
        for seed in range(4):
            views = {}
            for view, name in enumerate(rig.names):
                at = late[view] / max(rates) + np.arange(int(seconds * rates[view])) / rates[view]
                views[name] = seen(rig, walk_at(at, seed=seed, sway=0.15), 10 * seed + view)[view]
            found = triangulate(views, path, layout=LAYOUT, fps=max(rates), sync="auto")
            time_ = found.timeline.numbers / found.timeline.fps
            errors.append(
                1000 * np.linalg.norm(found.pose_3d - walk_at(time_, seed=seed, sway=0.15), axis=-1).ravel()
            )
            offsets.append(found.timeline.offsets - found.timeline.offsets[0] - late)
        off = np.concatenate(errors)
        print(
            f"clocks: rates {rates}, late by {late} frames: found to {np.abs(offsets).max():.2f} frames, "
            f"steps {found.timeline.steps.round(2).tolist()}; {np.nanmedian(off):.1f} / "
            f"{np.nanpercentile(off, 95):.1f} mm (median, 95 %)"
        )


def hour(folder):
    """Peak memory of an hour at 60 Hz of four cameras, from JSON arrays to a TRC, in a process of its own."""
    rig, frames = ring(4), 3600 * 60
    poses = walk(6000)
    keypoints = seen(rig, poses)
    paths = []
    for view, name in enumerate(rig.names):
        path = Path(folder) / f"{name}.json"
        texts = [
            json.dumps(
                {"people": [{"person_id": [0], "pose_keypoints_2d": points.round(2).ravel().tolist()}]}
            )
            for points in np.nan_to_num(keypoints[view]).astype(float)
        ]
        with path.open("w") as file:
            file.write("[")
            for number in range(frames):
                # There and back again, so that the motion goes on without a leap.
                place = number % (2 * len(texts))
                file.write(("" if number == 0 else ",") + texts[min(place, 2 * len(texts) - 1 - place)])
            file.write("]")
        paths.append(str(path))
    write_cameras(Path(folder) / "Calib.toml", rig.cameras)
    program = Path(__file__).resolve().parents[1] / "inference.py"
    command = [sys.executable, program, "--input", *paths, "--cameras", Path(folder) / "Calib.toml"]
    command += ["--layout", LAYOUT, "--fps", "60", "--output", Path(folder) / "hour.trc"]
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"hour: {frames} frames of four cameras in {seconds:.0f} s, {peak:.2f} GiB at the peak (below 2 GB)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parts = parser.parse_args().parts or [part for part in PARTS if part != "hour"]
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]}: expected some of {', '.join(PARTS)}")
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            globals()[part](folder)


if __name__ == "__main__":
    main()
