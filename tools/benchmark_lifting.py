"""How long it takes to lift a clip, from the start of Python, and each frame of a stream; and the memory.

    python tools/benchmark_lifting.py [startup|clip|stream|memory|shipped ...]

With no name, all of them. Weights are random: they take the time of trained ones. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import tf_pose3d

SIZE = ("--width", "1000", "--height", "1000")
# Where a new process finds the package.
PLACE = Path(tf_pose3d.__file__).resolve().parents[1]


def walk(frames):
    """`(F, 17, 3)` keypoints in the layout h36m_17: a made-up walk, repeated."""
    from tf_pose3d.data.synthetic import synthetic_sequences

    pixels = synthetic_sequences(["S9"], frames=500, actions=["Walking"], skeleton="h36m_17")[0].pose_2d
    pixels = np.concatenate([pixels, pixels[::-1]])
    pixels = np.tile(pixels, (-(-frames // len(pixels)), 1, 1))[:frames]
    return np.concatenate([pixels, np.ones((frames, 17, 1), np.float32)], axis=2)


def random_weights(folder, config):
    from tf_pose3d.models.loading import build_model, load_config, save_model

    path = Path(folder) / f"{config}.h5"
    if not path.exists():
        save_model(build_model(load_config(config)), path)
    return path


def timed(*command, **arguments):
    start = time.perf_counter()
    subprocess.run([sys.executable, *map(str, command)], check=True, cwd=PLACE, **arguments)
    return time.perf_counter() - start


def startup(folder):
    code = "import sys; from tf_pose3d.cli.program import start_tensorflow; start_tensorflow()"
    print(f"start of Python and TensorFlow: {min(timed('-c', code) for _ in range(3)):.1f} s")
    code = "import tf_pose3d; tf_pose3d.load(r'{}')".format(random_weights(folder, "h36m_351"))
    print(f"and a lifter of h36m_351: {min(timed('-c', code) for _ in range(3)):.1f} s")


def clip(folder):
    """A minute at 50 Hz, as a user does it."""
    np.savez(Path(folder) / "clip.npz", keypoints=walk(3000), layout="h36m_17")
    for config in ("h36m_351", "hoif_gt", "martinez_gt"):
        weights = random_weights(folder, config)
        command = [
            "-m",
            "tf_pose3d.cli.inference",
            "--weights",
            weights,
            "--input",
            Path(folder) / "clip.npz",
        ]
        seconds = timed(*command, *SIZE, "--output", Path(folder) / "pose.npz", capture_output=True)
        print(f"{config}: 3000 frames, start-up included: {seconds:.1f} s")


def stream(folder):
    from tf_pose3d.inference.stream import lift_lines

    lines = [json.dumps(frame) for frame in walk(300).tolist()]
    for config in ("martinez_gt", "semgcn_gt", "hgcn_gt", "hoif_gt", "lcn_gt", "h36m_351"):
        lifter = tf_pose3d.load(random_weights(folder, config))
        times, last = [], time.perf_counter()
        for _ in lift_lines(lines, lifter, 1000, 1000, layout="h36m_17"):
            times.append(time.perf_counter() - last)
            last = time.perf_counter()
        median, slow = 1000 * np.percentile(times[5:], [50, 95])
        print(f"{config}: {median:.1f} ms a frame, 95 % below {slow:.1f} ms; the first {times[0]:.1f} s")


def shipped(folder):
    """The lifters that come along: a minute at 30 Hz from the command to the file, and frames of a stream."""
    from tf_pose3d.inference.stream import PoseStream

    frames = walk(1800)
    np.savez(Path(folder) / "clip.npz", keypoints=frames, layout="h36m_17")
    files = ["--input", Path(folder) / "clip.npz", "--fps", "30", "--output", Path(folder) / "pose.npz"]
    for name in ("general", "general_frame"):
        command = ["-m", "tf_pose3d.cli.inference", "--weights", name, *files, *SIZE]
        seconds = min(timed(*command, capture_output=True) for _ in range(3))
        print(f"{name}: {len(frames)} frames, start-up included: {seconds:.2f} s")
        stream, times = PoseStream(tf_pose3d.load(name), 1000, 1000, 30, "h36m_17"), []
        for frame in frames[:300]:
            start = time.perf_counter()
            list(stream.push(frame))
            times.append(time.perf_counter() - start)
        median, slow = 1000 * np.percentile(times[5:], [50, 95])
        print(f"{name}: {median:.2f} ms a frame of a stream, 95 % below {slow:.2f} ms")


def memory(folder):
    """Peak memory of the whole program, for a minute and for an hour."""
    for config, counts in (("martinez_gt", (3000, 180_000)), ("quickstart", (3000, 180_000))):
        weights = random_weights(folder, config)
        for frames in counts:
            np.savez(Path(folder) / "clip.npz", keypoints=walk(frames), layout="h36m_17")
            code = (
                "import re, sys; from tf_pose3d.cli.inference import main; code = main(sys.argv[1:]); "
                # Not ru_maxrss, which begins with what the process that started this one had.
                "text = open('/proc/self/status').read(); "
                "print('PEAK', int(re.search(r'VmHWM:\\s+(\\d+)', text)[1]) / 1024); sys.exit(code)"
            )
            flags = ["--weights", weights, "--input", Path(folder) / "clip.npz", *SIZE]
            flags += ["--output", Path(folder) / "pose.npy"]
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", code, *map(str, flags)], cwd=PLACE, capture_output=True, text=True
            )
            done.check_returncode()
            peak = float(done.stdout.rsplit("PEAK", 1)[1])
            print(f"{config}: {frames} frames: {peak:.0f} MB, {time.perf_counter() - start:.0f} s")


WHAT = {function.__name__: function for function in (startup, clip, stream, memory, shipped)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", help=f"any of {', '.join(WHAT)}")
    names = parser.parse_args().what or list(WHAT)
    for name in names:
        if name not in WHAT:
            parser.error(f"{name} is none of {', '.join(WHAT)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            WHAT[name](folder)


if __name__ == "__main__":
    main()
