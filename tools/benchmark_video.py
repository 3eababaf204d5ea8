"""How fast people are found in a video, and how much memory that takes as the video grows.

python tools/benchmark_video.py --input demo.mp4 --crop 350 0 710 400 --sizes 1280x720 1920x1080 --frames 300

The video's frames, cut out and scaled, are written as H.264 of each size, forwards and backwards in turn, and
read as `inference.py` reads them. On a machine that does other things the times of a processor count: frames
per second are bound by the thread that runs the networks, and by all threads over the processors there are.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from tf_pose3d.inference.detectors import detect_people, make_detector
from tf_pose3d.render.video import VideoReader, write_mp4


def pictures(path, crop, size, count):
    """RGB pictures of a size, forwards and backwards in turn."""
    from PIL import Image

    left, top, width, height = crop
    parts = []
    for _, image in VideoReader(path).arrays("rgb24"):
        part = image[top : top + height, left : left + width] if width else image
        parts.append(Image.fromarray(part))
        if len(parts) == min(count, 150):
            break
    order = list(range(len(parts))) + list(range(len(parts) - 2, 0, -1))
    for number in range(count):
        yield parts[order[number % len(order)]].resize(size)


class Timed:
    """A detector, and the processor time of the thread that runs it."""

    def __init__(self, detector):
        self._detector = detector
        self.layout, self.pixels = detector.layout, detector.pixels
        self.seconds = 0.0
        self.memory = []

    def __call__(self, image, milliseconds):
        start = time.thread_time()
        found = self._detector(image, milliseconds)
        self.seconds += time.thread_time() - start
        self.memory.append(
            int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        )
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True, help="a video with one person")
    parser.add_argument(
        "--crop", type=int, nargs=4, default=(0, 0, 0, 0), metavar="N", help="left top width height"
    )
    parser.add_argument("--sizes", nargs="+", default=["1280x720", "1920x1080"])
    parser.add_argument("--frames", type=int, default=300)
    given = parser.parse_args()
    processors = os.cpu_count() or 1
    print(f"{processors} processors, load {os.getloadavg()[0]:.1f}")
    for text in given.sizes:
        size = tuple(map(int, text.split("x")))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            write_mp4(path, pictures(given.input, given.crop, size, given.frames), 30, 8000)
            detector = Timed(make_detector())
            detector(np.zeros((64, 64, 4), np.uint8), 0)
            detector.seconds, detector.memory = 0.0, []
            before, start = time.process_time(), time.monotonic()
            video, _ = detect_people(path, detector)
            wall, spent = time.monotonic() - start, time.process_time() - before
        count = video.num_frames
        found = np.unique(np.concatenate([person.frames for person in video.people]))
        bound = 1 / max(detector.seconds / count, spent / count / processors)
        middle = len(detector.memory) // 3
        print(
            f"{text}: {count} frames, {len(found) / count:.1%} with a pose, {len(video.people)} people; "
            f"networks' thread {1000 * detector.seconds / count:.1f} ms, all threads "
            f"{1000 * spent / count:.1f} ms of processor time a frame: at most {bound:.0f} frames/s when "
            f"idle, {count / wall:.1f} frames/s now; memory {detector.memory[middle]:.0f} MB after a third, "
            f"{detector.memory[-1]:.0f} MB at the end"
        )


if __name__ == "__main__":
    main()
