"""Mutates valid files of every reader of keypoints and archives, and counts what the readers make of them.

    python tools/fuzz.py --minutes 5 [--seed 0]

A mutation changes bytes (flips, cuts, copies, odd tokens) or, of JSON, the structure (odd values, lost and
doubled parts). Right is: the file's content, or one clear line. The table counts per reader: accepted;
refused in one line; tracebacks; files that take over ten seconds, or over a gigabyte; and wrong, which is
what no file can say (coordinates that are infinite, confidences beyond 0 to 1, frames out of order, rows
beyond the clip). Exits with 1 unless the last four columns are 0.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from keypoint_writers import WRITERS, write

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats import ReadOptions, read_keypoints
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.skeleton import get_skeleton

__all__ = ["COLUMNS", "check", "make_samples", "mutate"]

COLUMNS = ("accepted", "refused", "traceback", "over 10 s", "over 1 GB", "wrong")
_ODD = [
    None,
    True,
    -1,
    0,
    2,
    1e39,
    -1e300,
    float("nan"),
    float("inf"),
    10**400,
    "x",
    "²",
    "",
    [],
    {},
    [[]],
    {"a": 1},
]
_ODD += [[[1, 2], [3]], "1" * 500, 10**18, 0.5, [0] * 51]
_TOKENS = [b"\0", b"\xff\xfe", b"[" * 3000, b"9" * 5000, b"1e999", b"NaN", b'"', b",", b"\n", b"{}", b"-"]


def made_up(layout: str, frames: int = 6) -> np.ndarray:
    """`(F, J, 3)` of one person who moves a little."""
    draw = np.random.default_rng(0)
    joints = get_skeleton(layout).num_joints
    places = draw.uniform(300, 700, (1, joints, 2)) + draw.normal(0, 2, (frames, joints, 2)).cumsum(0)
    return np.concatenate([places, draw.uniform(0.5, 1, (frames, joints, 1))], axis=2).astype(np.float32)


def make_samples(folder: Path) -> dict[str, Path]:
    """A valid file or folder of every format under a name of its own."""
    samples = {}
    for label, (layout, _, _) in WRITERS.items():
        place = folder / label.replace(" ", "_").replace(",", "")
        place.mkdir()
        samples[label] = Path(write(label, place, made_up(layout), 1000, 1000, 25))
    points = made_up("coco_17")
    people = [
        [
            {
                "box": {},
                "track_id": 1,
                "keypoints": dict(zip(("x", "y", "visible"), frame.T.tolist(), strict=True)),
            }
        ]
        for frame in points
    ]
    samples["Ultralytics"] = folder / "ultralytics.json"
    samples["Ultralytics"].write_text(json.dumps(people))
    results = [[{"bbox": [1, 2, 3, 4, 0.9], "keypoints": frame.tolist(), "track_id": 0}] for frame in points]
    samples["MMPose 0"] = folder / "pose_results.json"
    samples["MMPose 0"].write_text(json.dumps(results))
    samples["npy"] = folder / "people.npy"
    np.save(samples["npy"], made_up("mediapipe_33")[None])
    names = ["LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LShoulder", "RShoulder"]
    lines = ["PathFileType\t4\t(X/Y/Z)\tx.trc", "DataRate\tNumFrames", "25\t6"]
    lines += ["Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t", ""]
    lines += [
        "\t".join([str(row), "0.04", *(f"{x:.2f}\t{y:.2f}\t0" for x, y, _ in frame[: len(names)])])
        for row, frame in enumerate(points)
    ]
    samples["Sports2D TRC"] = folder / "x_px_person00.trc"
    samples["Sports2D TRC"].write_text("\n".join(lines) + "\n")
    import h5py

    samples["SLEAP"] = folder / "x.analysis.h5"
    with h5py.File(samples["SLEAP"], "w") as file:
        file["node_names"] = np.array([name.encode() for name in names])
        file["tracks"] = points[:, : len(names), :2].transpose(2, 1, 0)[None]
    return samples


def mutate(content: bytes, draw: random.Random) -> bytes:
    """The content with one to three changes."""
    for _ in range(draw.randint(1, 3)):
        content = _changed(content, draw)
    return content


def _changed(content: bytes, draw: random.Random) -> bytes:
    if content[:1] in (b"{", b"[") and draw.random() < 0.6:
        try:
            return json.dumps(_restructured(json.loads(content), draw)).encode()
        except (ValueError, RecursionError):
            pass
    at = draw.randrange(max(len(content), 1))
    length = draw.choice([1, 2, 4, 16, 300])
    kind = draw.randrange(5)
    if kind == 0:
        return content[:at] + bytes(draw.randrange(256) for _ in range(length)) + content[at + length :]
    if kind == 1:
        return content[:at] + content[at + length :]
    if kind == 2:
        return content[:at] + content[at : at + length] + content[at:]
    if kind == 3:
        return content[:at]
    return content[:at] + draw.choice(_TOKENS) + content[at:]


def _restructured(value: Any, draw: random.Random) -> Any:
    root = [value]
    parent: Any = root
    key: Any = 0
    while isinstance(parent[key], (list, dict)) and parent[key] and draw.random() < 0.85:
        parent = parent[key]
        key = draw.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    kind = draw.randrange(3)
    if kind == 0 or parent is root:
        parent[key] = copy.deepcopy(draw.choice(_ODD))
    elif kind == 1:
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        parent[key + "x"] = parent[key]
    return root[0]


def check(video: KeypointVideo) -> str:
    """What is wrong with a video that no file can say; empty where nothing is."""
    if len(video.numbers()) != video.num_frames:
        return "frame numbers and frames differ"
    for person in video.people:
        known = person.keypoints[np.isfinite(person.keypoints[..., 0])]
        if np.isinf(person.keypoints).any() or (np.abs(known[:, :2]) > 1e6).any():
            return "coordinates that are no pixels"
        if ((known[:, 2] <= 0) | (known[:, 2] > 1)).any():
            return "a confidence beyond 0 to 1"
        if (
            (np.diff(person.frames) <= 0).any()
            or person.frames[0] < 0
            or person.frames[-1] >= video.num_frames
        ):
            return "frames out of order"
    return ""


def run_one(path: Path, read: Callable[[Path], KeypointVideo]) -> tuple[str, str]:
    """(column, what was said) of one file."""
    start = time.monotonic()
    try:
        said = check(read(path))
        column = "wrong" if said else "accepted"
    except Pose3DError as error:
        said, column = str(error), "refused"
        if "\n" in said:
            column = "wrong"
    except Exception as error:  # what the readers must never let through is what is counted here
        said, column = f"{type(error).__name__}: {error}"[:200], "traceback"
    return ("over 10 s" if time.monotonic() - start > 10 else column), said


def read(path: Path) -> KeypointVideo:
    """As `inference.py --input` reads it, with an image size."""
    return read_keypoints(path, None, ReadOptions(width=1000, height=1000))


def mutated(sample: Path, folder: Path, draw: random.Random) -> Path:
    """A mutated copy of a file, or of one file of a folder."""
    if sample.is_dir():
        target = folder / sample.name
        target.mkdir(exist_ok=True)
        files = sorted(sample.iterdir())
        chosen = draw.choice(files)
        for file in files:
            content = file.read_bytes()
            (target / file.name).write_bytes(mutate(content, draw) if file == chosen else content)
        return target
    target = folder / sample.name
    target.write_bytes(mutate(sample.read_bytes(), draw))
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    # A reader that wants more than this gets a MemoryError, which is counted as a traceback.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, resource.RLIM_INFINITY))
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        samples = make_samples(Path(name))
        (work := Path(name) / "work").mkdir()
        for label, path in samples.items():
            column, said = run_one(path, read)
            if column != "accepted":
                print(f"{label}: the unmutated sample is not accepted: {said}", file=sys.stderr)
                return 1
            counts[label] = Counter()
        number = arguments.seed
        while time.monotonic() < end:
            for label, path in samples.items():
                number += 1
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                column, said = run_one(mutated(path, work, random.Random(number)), read)
                if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 1 << 20:
                    column = "over 1 GB"
                counts[label][column] += 1
                if column not in COLUMNS[:2]:
                    print(f"{label}, number {number}: {column}: {said}", file=sys.stderr)
    print("| reader | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for label, count in counts.items():
        print(f"| {label} | " + " | ".join(str(count[column]) for column in COLUMNS) + " |")
    return int(any(count[column] for count in counts.values() for column in COLUMNS[2:]))


if __name__ == "__main__":
    sys.exit(main())
