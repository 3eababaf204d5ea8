"""Whether time and memory grow in straight lines: hours of clip, videos of a data set, people of a file.

    python tools/benchmark_scale.py [hours|windows|videos|people ...] [--share 0.1]

With no name, all of them, which takes at most ten minutes on two idle cores. Every row is a process of its
own; seconds are those of the processor, memory is the whole process's at its peak. Weights of networks that
do not ship are random and narrow: what is shown is how the work grows, not how fast a network is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

# What is counted -> the sizes of its rows.
SIZES = {
    "hours": (1, 3, 10),
    "windows": (1, 3, 10),
    "videos": (100, 300, 1000),
    "people": (30, 100, 300),
}
WHAT = {
    "hours": "hours at 30 per second, general_frame",
    "windows": "hours at 50 per second, VideoPose3D of 27 frames",
    "videos": "videos of 300 frames, evaluated with VideoPose3D of 27 frames",
    "people": "people in 100 frames without ids, linked and lifted with general_frame",
}


def walk(frames, joints=17):
    """`(frames, joints, 3)` keypoints of somebody who sways, and their confidence."""
    rng = np.random.default_rng(0)
    start, phase = rng.uniform(300, 700, (2, 1, joints, 2))
    points = start + 20 * np.sin(0.2 * np.arange(frames)[:, None, None] + phase)
    return np.concatenate([points, np.ones((frames, joints, 1))], axis=2).astype(np.float32)


def narrow_network():
    from tf_pose3d.models.loading import build_model, load_config

    return build_model(load_config("videopose3d_27").replace(CHANNELS=64))


def lift_hours(count):
    import tf_pose3d

    lifter = tf_pose3d.load("general_frame")
    keypoints = walk(round(count * 3600 * 30))
    return lambda: lifter.lift(keypoints, 1000, 1000, 30, "coco_17")


def lift_windows(count):
    import tf_pose3d

    lifter = tf_pose3d.Lifter(narrow_network())
    keypoints = walk(round(count * 3600 * 50))
    return lambda: lifter.lift(keypoints, 1000, 1000, 50, "h36m_17")


def evaluate_videos(count):
    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.evaluation.prediction import predict_poses
    from tf_pose3d.inference.trajectory import default_camera
    from tf_pose3d.models.family import get_family
    from tf_pose3d.skeleton import get_skeleton

    model = narrow_network()
    points = walk(300)[..., :2]
    sequences = [
        Sequence(
            subject=f"S{number % 7}",
            action="Walking",
            name=f"video {number}",
            skeleton=get_skeleton("h36m_17"),
            fps=50,
            camera=default_camera(1000, 1000),
            pose_2d=points,
        )
        for number in range(max(round(count), 1))
    ]
    spec = get_family(model.config.ARCH).data_spec(model.config, "test")
    predict_poses(model, Windows(sequences[:1], spec), 64)
    return lambda: predict_poses(model, Windows(sequences, spec), 64)


def lift_people(count):
    import tf_pose3d

    lifter = tf_pose3d.load("general_frame")
    across = max(round(count), 1)
    columns = int(np.ceil(np.sqrt(across)))
    points = walk(100) / (10, 10, 1)
    places = [(80 * (person % columns), 80 * (person // columns), 0) for person in range(across)]
    detections = [
        {
            "image_id": frame,
            "category_id": 1,
            "score": 0.9,
            "keypoints": (points[frame] + places[person]).ravel().tolist(),
        }
        for frame in range(len(points))
        for person in range(across)
    ]
    folder = tempfile.mkdtemp()
    path = Path(folder) / "people.json"
    path.write_text(json.dumps(detections))
    side = 80 * columns + 100

    def work():
        people = lifter.lift_all(tf_pose3d.read_keypoints(path), side, side, 30)
        path.unlink()
        path.parent.rmdir()
        assert len(people) == across, f"{len(people)} people of {across}"

    return work


MAKERS = {"hours": lift_hours, "windows": lift_windows, "videos": evaluate_videos, "people": lift_people}


def row(name, size):
    """One measurement, in this process."""
    work = MAKERS[name](size)
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    return {"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def table(name, share):
    print(f"\n| {WHAT[name]} | CPU seconds | a unit, ms | memory at its peak, MB |\n|---|---|---|---|")
    for size in SIZES[name]:
        command = [sys.executable, __file__, "--row", name, str(size * share)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        unit = 1000 * found["seconds"] / (size * share)
        print(
            f"| {size * share:g} | {found['seconds']:.1f} | {unit:.0f} | {found['megabytes']:.0f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"any of {', '.join(SIZES)}")
    parser.add_argument(
        "--share", type=float, default=1.0, metavar="X", help="of every size, for a quick look"
    )
    parser.add_argument("--row", nargs=2, metavar=("NAME", "SIZE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(json.dumps(row(given.row[0], float(given.row[1]))))
        return
    unknown = sorted(set(given.what) - SIZES.keys())
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(SIZES)}")
    if not given.share > 0:
        parser.error(f"--share is {given.share:g}, expected a number above 0")
    for name in given.what or SIZES:
        table(name, given.share)


if __name__ == "__main__":
    main()
