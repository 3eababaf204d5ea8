"""Files of 2D keypoints: samples of every format, and what their videos cannot say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.numbers import are_held, held_numbers
from fuzzing.reader import Reader
from keypoint_writers import WRITERS, write

from tf_pose3d.inference.formats import ReadOptions, read_keypoints
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.skeleton import get_skeleton

__all__ = ["READERS", "made_up"]

_NAMES = ["LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LShoulder", "RShoulder"]


def made_up(layout: str, frames: int = 6) -> np.ndarray:
    """`(F, J, 3)` of one person who moves a little."""
    draw = np.random.default_rng(0)
    joints = get_skeleton(layout).num_joints
    places = draw.uniform(300, 700, (1, joints, 2)) + draw.normal(0, 2, (frames, joints, 2)).cumsum(0)
    return np.concatenate([places, draw.uniform(0.5, 1, (frames, joints, 1))], axis=2).astype(np.float32)


def _written(label: str) -> Callable[[Path], Path]:
    return lambda folder: Path(write(label, folder, made_up(WRITERS[label][0]), 1000, 1000, 25))


def _ultralytics(folder: Path) -> Path:
    people = [
        [
            {
                "name": "person",
                "class": 0,
                "confidence": 0.9,
                "box": {"x1": 300.0, "y1": 300.0, "x2": 700.0, "y2": 700.0},
                "track_id": 1,
                "keypoints": dict(zip(("x", "y", "visible"), frame.T.tolist(), strict=True)),
            }
        ]
        for frame in made_up("coco_17")
    ]
    path = folder / "ultralytics.json"
    path.write_text(json.dumps(people))
    return path


def _ultralytics_labels(folder: Path) -> Path:
    labels = folder / "labels"
    labels.mkdir()
    for number, frame in enumerate(made_up("coco_17"), start=1):
        values = (frame * [1e-3, 1e-3, 1]).round(5).reshape(-1).tolist()
        (labels / f"clip_{number}.txt").write_text(
            " ".join(map(str, [0, 0.5, 0.5, 0.4, 0.4, *values])) + "\n"
        )
    return labels


def _easy_vitpose(folder: Path) -> Path:
    frames = [{"1": frame[:, [1, 0, 2]].tolist()} for frame in made_up("coco_17")]
    names = {str(number): name for number, name in enumerate(_coco_names())}
    path = folder / "vitpose.json"
    path.write_text(json.dumps({"keypoints": frames, "skeleton": names}))
    return path


def _hugging_face(folder: Path) -> Path:
    """ViTPose's results of each frame."""
    frames = [
        [{"keypoints": frame[:, :2].tolist(), "scores": frame[:, 2].tolist(), "bbox": [1, 2, 3, 4]}]
        for frame in made_up("coco_17")
    ]
    path = folder / "vitpose.json"
    path.write_text(json.dumps(frames))
    return path


def _mmpose_0(folder: Path) -> Path:
    results = [
        [{"bbox": [1, 2, 3, 4, 0.9], "keypoints": frame.tolist(), "track_id": 0}]
        for frame in made_up("coco_17")
    ]
    path = folder / "pose_results.json"
    path.write_text(json.dumps(results))
    return path


def _coco_data_set(folder: Path) -> Path:
    """A file of annotations, with images and categories."""
    frames = made_up("coco_17")
    content = {
        "images": [{"id": n, "file_name": f"{n:06}.jpg", "width": 1000, "height": 1000} for n in range(6)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": [float(v) for v in np.ravel(frame)]}
            for n, frame in enumerate(np.where([False, False, True], 2, frames))
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": _coco_names()}],
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def _coco_names() -> list[str]:
    sides = {"l": "left_", "r": "right_"}
    return [sides[n[0]] + n[2:] if n[1] == "_" else n for n in get_skeleton("coco_17").joints]


def _mediapipe_message(folder: Path) -> Path:
    frames = [
        {
            "poseLandmarks": {
                "landmark": [{"x": x / 1e3, "y": y / 1e3, "z": 0, "visibility": c} for x, y, c in f]
            }
        }
        for f in made_up("mediapipe_33").tolist()
    ]
    path = folder / "holistic.json"
    path.write_text(json.dumps(frames))
    return path


def _npy(folder: Path) -> Path:
    path = folder / "people.npy"
    np.save(path, made_up("mediapipe_33")[None])
    return path


def _rtmlib(folder: Path) -> Path:
    """A list of each frame's arrays."""
    path = folder / "rtmlib.npz"
    frames = made_up("coco_17")
    keypoints, scores = np.empty(6, object), np.empty(6, object)
    for number, frame in enumerate(frames):
        keypoints[number], scores[number] = frame[None, :, :2], frame[None, :, 2]
    np.savez(path, keypoints=keypoints, scores=scores, layout="coco_17")
    return path


def _pixels_trc(folder: Path) -> Path:
    lines = ["PathFileType\t4\t(X/Y/Z)\tx.trc", "DataRate\tNumFrames", "25\t6"]
    lines += ["Frame#\tTime\t" + "\t\t\t".join(_NAMES) + "\t\t", ""]
    lines += [
        "\t".join([str(row), "0.04", *(f"{x:.2f}\t{y:.2f}\t0" for x, y, _ in frame[: len(_NAMES)])])
        for row, frame in enumerate(made_up("coco_17"))
    ]
    path = folder / "x_px_person00.trc"
    path.write_text("\n".join(lines) + "\n")
    return path


def _sleap(folder: Path) -> Path:
    import h5py

    path = folder / "x.analysis.h5"
    with h5py.File(path, "w") as file:
        file["node_names"] = np.array([name.encode() for name in _NAMES])
        file["track_names"] = np.array([b"one"])
        file["tracks"] = made_up("coco_17")[:, : len(_NAMES), :2].transpose(2, 1, 0)[None]
    return path


def _deeplabcut_hdf5(folder: Path) -> Path:
    """As pandas' `to_hdf` writes a table with three lines of headings."""
    import h5py

    path = folder / "clipDLC_model.h5"
    columns = [("model", name, one) for name in _coco_names() for one in ("x", "y", "likelihood")]
    values = made_up("coco_17").reshape(6, -1)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_("frame")
        group.attrs["nblocks"] = 1
        for name in ("axis0", "block0_items"):
            group.attrs[f"{name}_variety"] = np.bytes_("multi")
            group.attrs[f"{name}_nlevels"] = 3
            for level, title in enumerate(("scorer", "bodyparts", "coords")):
                texts = list(dict.fromkeys(column[level] for column in columns))
                group[f"{name}_level{level}"] = np.array([text.encode() for text in texts])
                group[f"{name}_level{level}"].attrs["name"] = np.bytes_(title)
                group[f"{name}_label{level}"] = np.array([texts.index(c[level]) for c in columns], np.int8)
        group.attrs["axis1_variety"] = np.bytes_("regular")
        group["axis1"] = np.arange(6)
        group["block0_values"] = values.astype(np.float64)
    return path


def _stream(folder: Path) -> Path:
    path = folder / "stream.jsonl"
    lines = [
        {"width": 1000, "height": 1000, "layout": "coco_17", "keypoints": made_up("coco_17")[0].tolist()}
    ]
    lines += [{"keypoints": frame.tolist()} for frame in made_up("coco_17")[1:]]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def _read(path: Path) -> KeypointVideo:
    """As `inference.py --input` reads it, with an image size."""
    return read_keypoints(path, None, ReadOptions(width=1000, height=1000))


def _read_lines(path: Path) -> list[np.ndarray]:
    """As `inference.py --stream` reads its input, a line a frame."""
    from tf_pose3d.inference.stream import _LineReader

    reader = _LineReader(1000, 1000, None)
    lines = path.read_bytes().splitlines()
    found = [reader.read(line, f"line {n}") for n, line in enumerate(lines, start=1) if line.strip()]
    return [points for points in found if points is not None]


def wrong_video(video: KeypointVideo, path: Path) -> str:
    """What a video says that its file does not, or that no file can."""
    numbers = video.numbers()
    if len(numbers) != video.num_frames or (np.diff(numbers) <= 0).any():
        return "frame numbers and frames differ"
    for person in video.people:
        said = _wrong_points(person.keypoints)
        if said:
            return said
        if (
            (np.diff(person.frames) <= 0).any()
            or person.frames[0] < 0
            or person.frames[-1] >= video.num_frames
        ):
            return "frames out of order"
        if not np.isfinite(person.keypoints[..., 0]).any(axis=1).all():
            return "a frame without one joint"
    document = _json_of(path)
    tables = [] if document is None else list(_tables(document))
    if not tables:
        known = held_numbers(path)
        # Labels of Ultralytics are shares of the image.
        factors = (1.0, video.width or 1000, video.height or 1000)
        held = (are_held(person.keypoints[..., :2], known, factors) for person in video.people)
        return "" if all(held) else "coordinates that are not in the file"
    size = np.array([video.width or 1000, video.height or 1000], np.float32)
    if video.format == "easy_vitpose":
        tables = [table[:, ::-1] for table in tables]
    # Fractions of the image become pixels.
    taken = video.format == "mediapipe" or any("fractions" in warning for warning in video.warnings)
    scale = size if taken else np.float32([1, 1])
    if video.skeleton.name == "named":
        # Columns are chosen by the names that the file gives them.
        tables = [table[place : place + 1] for table in tables for place in range(len(table))]
    for person in video.people:
        for frame, pose in zip(person.frames, person.keypoints, strict=True):
            if video.skeleton.name == "named":
                found = pose[np.isfinite(pose[:, 0]), :2]
                held = all(any(_is_in(one[None], table * scale) for table in tables) for one in found)
            else:
                held = any(_is_in(pose[:, :2], table * scale) for table in tables)
            if not held:
                return f"the pose of frame {frame} is nowhere in the file"
    return ""


def _wrong_points(points: np.ndarray) -> str:
    known = points[np.isfinite(points[..., 0])]
    if np.isinf(points).any() or (np.abs(known[:, :2]) > 1e6).any():
        return "coordinates that are no pixels"
    if not ((known[:, 2] > 0) & (known[:, 2] <= 1)).all():
        return "a confidence beyond 0 to 1"
    return ""


def _wrong_lines(found: list[np.ndarray], path: Path) -> str:
    said = next(filter(None, map(_wrong_points, found)), "")
    known = held_numbers(path)
    fine = said or all(are_held(points[..., :2], known) for points in found)
    return said if fine else "coordinates that are not in the file"


def _json_of(path: Path) -> Any:
    """What a JSON file, or those of a folder, hold by Python's own reader; None of anything else."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    held = []
    for file in files:
        try:
            held.append(json.loads(file.read_bytes()))
        except (ValueError, RecursionError):
            return None
    return held


def _numbers(values: Any) -> bool:
    return all(isinstance(value, (int, float, type(None))) for value in values)


def _tables(value: Any) -> Iterator[np.ndarray]:
    """Every part of a JSON document that may be the x and y of joints, `(J, 2)` float32."""
    if isinstance(value, dict):
        if isinstance(value.get("x"), list) and isinstance(value.get("y"), list):
            yield from _table(zip(value["x"], value["y"], strict=False))
        for part in value.values():
            yield from _tables(part)
    elif isinstance(value, list) and value:
        if _numbers(value):
            for width in (2, 3):
                if len(value) % width == 0:
                    yield from _table(value[n : n + 2] for n in range(0, len(value), width))
        elif all(isinstance(part, list) and len(part) >= 2 and _numbers(part[:2]) for part in value):
            yield from _table(part[:2] for part in value)
        elif all(isinstance(part, dict) and {"x", "y"} <= part.keys() for part in value):
            yield from _table((part["x"], part["y"]) for part in value)
        if not _numbers(value):
            for part in value:
                yield from _tables(part)


def _table(rows: Any) -> Iterator[np.ndarray]:
    try:
        with np.errstate(all="ignore"):
            yield np.array([[np.nan if v is None else float(v) for v in row] for row in rows]).astype("f4")
    except (TypeError, ValueError, OverflowError):
        return


def _is_in(pose: np.ndarray, table: np.ndarray) -> bool:
    """Whether the joints that were found are those of a table, in their places."""
    found = np.isfinite(pose[:, 0])
    places = np.flatnonzero(found)
    if not len(places) or places[-1] >= len(table):
        return False
    return bool(np.allclose(pose[found], table[found[: len(table)].nonzero()[0]], rtol=1e-5, atol=1e-3))


_MORE: dict[str, Callable[[Path], Path]] = {
    "COCO annotations": _coco_data_set,
    "Ultralytics JSON": _ultralytics,
    "Ultralytics labels": _ultralytics_labels,
    "MMPose 0": _mmpose_0,
    "easy_ViTPose": _easy_vitpose,
    "Hugging Face's ViTPose": _hugging_face,
    "MediaPipe message": _mediapipe_message,
    "npy": _npy,
    "rtmlib npz": _rtmlib,
    "Sports2D TRC": _pixels_trc,
    "SLEAP h5": _sleap,
    "DeepLabCut h5": _deeplabcut_hdf5,
}

READERS = [
    *(Reader(label, _written(label), _read, wrong_video) for label in WRITERS),
    *(Reader(label, make, _read, wrong_video) for label, make in _MORE.items()),
    Reader("stream of JSON lines", _stream, _read_lines, _wrong_lines),
]
