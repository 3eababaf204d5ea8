"""What a run over a folder costs: processor time by file of the workers and of the run itself, and memory.

    python tools/benchmark_folder.py [--files N] [--frames N] [--video FILE]

Processor time, as other work on the machine changes it little. Made-up keypoint files, or copies of a video.
Also lifts one file with BLAS's kernels of another kind of processor, and compares.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import tf_pose3d

RUN = """
import json, resource, sys
import tf_pose3d
result = tf_pose3d.lift_folder(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), log=lambda line: None)
assert not result.failed, result.failed
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
lines = [json.loads(line) for line in open(result.manifest)]
frames = sum(line.get("frames", 0) for line in lines)
print(json.dumps([[u.ru_utime + u.ru_stime, u.ru_maxrss] for u in used] + [frames]))
"""


def make_clips(folder: Path, count: int, frames: int) -> None:
    """Keypoint files of one person each, who walks."""
    from tf_pose3d.data.synthetic import synthetic_sequences

    (sequence,) = synthetic_sequences(["S9"], frames=frames, actions=["Walking"], skeleton="h36m_17")[:1]
    size = {"width": sequence.camera.width, "height": sequence.camera.height}
    for number in range(count):
        points = (sequence.pose_2d + number).astype(np.float32)
        np.savez(folder / f"{number}.npz", keypoints=points, layout="h36m_17", fps=50, **size)


def measure(place: Path, out: Path, workers: int = 1, **environment: str) -> list:
    """[time, memory] of the run, of its workers, and all frames."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", RUN, place, out, str(workers)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(tf_pose3d.__file__).parents[1]), **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--video", metavar="FILE", help="lift this video instead, twice")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, many = folder / "one", folder / "many"
        one.mkdir()
        many.mkdir()
        count = arguments.files
        if arguments.video:
            count = 2
            for number in range(count):
                shutil.copy(arguments.video, many / f"{number}{Path(arguments.video).suffix}")
            shutil.copy(arguments.video, one)
        else:
            make_clips(one, 1, arguments.frames)
            make_clips(many, count, arguments.frames)
        (run_one, work_one, frames_one) = measure(one, folder / "out1")
        (run, work, frames) = measure(many, folder / "out")
        more = count - 1
        file, share = (work[0] - work_one[0]) / more, (run[0] - run_one[0]) / more
        frame = file / (frames - frames_one) * more
        print(f"a file takes its worker {file:.3f} s, a frame {1000 * frame:.3f} ms")
        print(f"a worker's start and the first file's imports {work_one[0] - file:.2f} s")
        print(f"a file takes the run itself {1000 * share:.2f} ms")
        print(f"memory of a worker {work[1] / 1024:.0f} MB, of the run {run[1] / 1024:.0f} MB")
        if arguments.video:
            return
        measure(one, folder / "other", OPENBLAS_CORETYPE="Haswell")
        poses = []
        for out in ("out1", "other"):
            with np.load(folder / out / "0.npz") as held:
                poses.append(held["pose_3d"].astype(np.float64))
        apart = 1000 * np.linalg.norm(poses[0] - poses[1], axis=-1).max()
        print(f"largest distance of a joint with another processor's kernels: {apart:.6f} mm")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
