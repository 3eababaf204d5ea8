"""Human3.6M in MotionBERT's pickle `h36m_sh_conf_cam_source_final.pkl`: poses of the image, no camera frame.

It holds `train` and `test`, each with one row a frame: detected pixels `joint_2d`, `confidence`, the true
pose in the image `joint3d_image` (pixels, z relative to the root on the same scale), `camera_name` and
`source`, the video. `test` also has `2.5d_factor`, millimetres of a pixel at the person,
`joints_2.5d_image`, which is `joint3d_image` times it, and `action`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.checks import LARGEST, coordinate_array, real_numbers
from tf_pose3d.data.column_cache import cached_columns
from tf_pose3d.data.datasets import Log, Option, PoseDataset, require_one_layout
from tf_pose3d.data.human36m import ACTIONS, CAMERAS, FPS, SUBJECTS
from tf_pose3d.data.lcn_pickles import ACTION_NAMES
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import get_skeleton

__all__ = ["DATASET", "normalized_image_poses", "read_image_columns", "read_image_sequences"]

_JOINTS = 17
_VERSION = 1
_SIZES = {camera.id: (camera.width, camera.height) for camera in CAMERAS[SUBJECTS[0]]}
_SHAPES = {"joint_2d": (_JOINTS, 2), "joint3d_image": (_JOINTS, 3), "joints_2.5d_image": (_JOINTS, 3)}
_FACTOR, _POSE = "2.5d_factor", "joints_2.5d_image"

Columns = dict[str, np.ndarray]


def normalized_image_poses(pose: np.ndarray, width: int, height: int) -> np.ndarray:
    """`(..., 3)` pixels to the image's scale: x, y as screen coordinates, z times 2 / width."""
    scaled = np.asarray(pose, np.float32) / width * 2
    return (scaled - np.array([1, height / width, 0], np.float32)).astype(np.float32)


def read_image_columns(path: str | Path, log: Callable[[str], None] | None = None) -> Columns:
    """Both parts of the pickle column by column, `train/...` and `test/...`.

    The columns are kept beside the file, see `tf_pose3d.data.column_cache`.

    Raises:
        Pose3DError: No such file, another pickle, a part without a key, an unknown camera, or numbers that
            are not finite; the message names part and row.
    """
    path = Path(path)
    _require(path)
    return cached_columns(path, _read_columns, _VERSION, log)


def _require(path: Path) -> None:
    if not path.is_file():
        raise Pose3DError(
            f"{path} does not exist; --dataset takes h36m_sh_conf_cam_source_final.pkl, MotionBERT's pickle"
        )


def _read_columns(path: Path) -> Columns:
    archive = load_archive(path)
    if isinstance(archive, list):
        raise Pose3DError(f"{path} holds a list, as LCN's h36m_train.pkl does, expected parts train and test")
    parts = archive if isinstance(archive, dict) else {}
    columns: Columns = {}
    for split in ("train", "test"):
        part = parts.get(split)
        if not isinstance(part, dict):
            raise Pose3DError(f"{path} has no part {split}, expected MotionBERT's pickle with train and test")
        if "joint_2d" not in part and "joint3d_image" in part:
            raise Pose3DError(
                f"{path}: {split} has no joint_2d: this is LCN's file of detections (h36m_sh_dt_ft.pkl), "
                "expected MotionBERT's h36m_sh_conf_cam_source_final.pkl"
            )
        columns.update({f"{split}/{name}": values for name, values in _part(part, split, path).items()})
    return columns


def _part(part: dict[str, Any], split: str, path: Path) -> Columns:
    where = f"{path}: {split}"
    names = ["joint_2d", "joint3d_image"]
    if split == "test":
        for name in (_FACTOR, _POSE, "action"):
            if name not in part:
                raise Pose3DError(f"{where} has no {name}, without which errors in millimetres are unknown")
        names.append(_POSE)
    columns = {name: _numbers(part, name, where) for name in names}
    count = len(columns["joint_2d"])
    for name, values in columns.items():
        if len(values) != count:
            raise Pose3DError(f"{where}: {name} has {len(values)} rows, joint_2d has {count}")
    confidence = part.get("confidence")
    if confidence is not None:
        confidence = coordinate_array(confidence)
        if confidence is None or confidence.size != count * _JOINTS:
            held = shown(part["confidence"]) if confidence is None else f"of shape {confidence.shape}"
            raise Pose3DError(f"{where}: confidence is {held}, expected numbers ({count}, {_JOINTS})")
        columns["confidence"] = confidence.reshape(count, _JOINTS)
    camera, source = _texts(part, "camera_name", where), _texts(part, "source", where)
    for name, column in (("camera_name", camera), ("source", source)):
        if len(column) != count:
            raise Pose3DError(f"{where}: {name} has {len(column)} rows, joint_2d has {count}")
    unknown = ~np.isin(camera, list(_SIZES))
    if unknown.any():
        row = int(np.argmax(unknown))
        raise Pose3DError(
            f"{where}: row {row} is of camera {str(camera[row])!r}, whose image size is unknown; the "
            f"cameras are {', '.join(_SIZES)}"
        )
    names_of_sources, number = np.unique(source, return_inverse=True)
    columns.update(camera=camera, sources=names_of_sources, source=number.astype(np.int32))
    if split == "test":
        numbers = coordinate_array(part[_FACTOR])
        if numbers is None:
            raise Pose3DError(f"{where}: {_FACTOR} is {shown(part[_FACTOR])}, expected a number a row")
        factor, actions = numbers.reshape(-1), _texts(part, "action", where)
        for name, column in ((_FACTOR, factor), ("action", actions)):
            if len(column) != count:
                raise Pose3DError(f"{where}: {name} has {len(column)} rows, joint_2d has {count}")
        if not (factor > 0).all():
            row = int(np.argmin(factor > 0))
            raise Pose3DError(f"{where}: row {row} has the {_FACTOR} {factor[row]:g}, expected one above 0")
        columns.update(factor=factor, action=actions)
    return columns


def _numbers(part: dict[str, Any], name: str, where: str) -> np.ndarray:
    if name not in part:
        raise Pose3DError(f"{where} has no {name}")
    held = real_numbers(part[name])
    if held is None:
        raise Pose3DError(f"{where}: {name} is {shown(part[name])}, expected numbers")
    values = np.where(np.abs(held) <= LARGEST, held, np.nan).astype(np.float32)
    joints, numbers = _SHAPES[name]
    if values.ndim != 3 or values.shape[1] != joints or values.shape[2] < numbers:
        raise Pose3DError(f"{where}: {name} has shape {values.shape}, expected (frames, {joints}, {numbers})")
    values = np.ascontiguousarray(values[..., :numbers])
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise Pose3DError(f"{where}: row {row} of {name} holds numbers that are not finite")
    return values


def _texts(part: dict[str, Any], name: str, where: str) -> np.ndarray:
    """A text a row."""
    values = part.get(name, ())
    if not isinstance(values, (list, tuple, np.ndarray)) or (
        isinstance(values, np.ndarray) and not values.ndim
    ):
        raise Pose3DError(f"{where}: {name} is {shown(values)}, expected a text a row")
    for row, value in enumerate(values):
        if not isinstance(value, (str, bytes)):
            raise Pose3DError(f"{where}: row {row} of {name} is {shown(value)}, expected a text")
    return np.array(
        [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values], str
    )


def _facts(source: str, action: str | None) -> tuple[str, str]:
    """(subject, action) of a video, e.g. `s_09_act_05_subact_02_ca_01`."""
    fields = source.split("_")
    try:
        subject, number = f"S{int(fields[1])}", int(fields[3])
    except (IndexError, ValueError):
        return source, action or ""
    return subject, action or ACTION_NAMES.get(number, str(number))


def read_image_sequences(
    path: str | Path, subset: str, confidence: bool = True, log: Log | None = None, mode: str = "dt_ft"
) -> list[Sequence]:
    """The videos of a part, in the file's order.

    Args:
        path: The pickle.
        subset: `train` (`trainval`), `test` (`val`), or one subject.
        confidence: Give `pose_2d` the confidences; False: 1 everywhere.
        log: Takes a line for the user.
        mode: `dt_ft`: the detected 2D poses; `gt`: x and y of the true poses of the image, with confidence 1.

    Returns:
        Sequences of layout `h36m_17` with `pose_2d (F, 17, 3)` pixels and confidence, per frame `pose_image
        (17, 3)`, normalised; of the test part also `image_scale`, metres of a unit of the normalised image
        at the person, and `pose_3d`, `joints_2.5d_image` in metres.

    Raises:
        Pose3DError: As `read_image_columns`, or a part that there is not.
    """
    split = {"train": "train", "trainval": "train", "test": "test", "val": "test"}.get(subset)
    columns = read_image_columns(path, log)
    sequences = []
    for part in [split] if split else ["train", "test"]:
        held = {
            name.partition("/")[2]: values for name, values in columns.items() if name.startswith(f"{part}/")
        }
        if mode == "gt":
            held["joint_2d"] = held["joint3d_image"][..., :2]
            held.pop("confidence", None)
        elif "confidence" not in held and confidence and log is not None:
            log(f"{path}: {part} has no confidence, taken as 1")
        sequences += _sequences(held, confidence, None if split else subset)
    if not sequences:
        raise Pose3DError(
            f"{path} holds no video of {subset!r}, expected train, test, or one of {', '.join(SUBJECTS)}"
        )
    return sequences


def _sequences(columns: Columns, confidence: bool, subject: str | None) -> list[Sequence]:
    skeleton = get_skeleton("h36m_17")
    source = columns["source"]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(source)) + 1, [len(source)]])
    cameras = {name: Camera(id=name, width=w, height=h) for name, (w, h) in _SIZES.items()}
    sequences = []
    for begin, end in itertools.pairwise(begins.tolist()):
        rows = slice(begin, end)
        action = str(columns["action"][begin]) if "action" in columns else None
        name = str(columns["sources"][source[begin]])
        who, what = _facts(name, action)
        if subject not in (None, who):
            continue
        camera = cameras[str(columns["camera"][begin])]
        pixels = columns["joint_2d"][rows]
        seen = np.ones((*pixels.shape[:2], 1), np.float32)
        if confidence and "confidence" in columns:
            seen = columns["confidence"][rows, :, None]
        per_frame = {
            "pose_image": normalized_image_poses(columns["joint3d_image"][rows], camera.width, camera.height)
        }
        pose = None
        if "factor" in columns:
            per_frame["image_scale"] = columns["factor"][rows] * np.float32(camera.width / 2 / 1000)
            pose = columns[_POSE][rows] / np.float32(1000)
        sequences.append(
            Sequence(
                subject=who,
                action=what,
                name=name,
                skeleton=skeleton,
                fps=FPS,
                camera=camera,
                pose_2d=np.concatenate([pixels, seen], axis=2),
                pose_3d=pose,
                per_frame=per_frame,
            )
        )
    return sequences


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    require_one_layout("h36m_sh", skeleton, input_skeleton)
    if skeleton != "h36m_17":
        raise Pose3DError(f"data set h36m_sh has the joints of h36m_17, the model those of {skeleton}")
    return read_image_sequences(options["path_pickle"], subset, options["confidence"], log, options["mode"])


def _check(subset: str, options: Mapping[str, Any]) -> None:
    _require(Path(options["path_pickle"]))


def _files(options: Mapping[str, Any]) -> tuple[Path, ...]:
    return (Path(options["path_pickle"]),)


DATASET = PoseDataset(
    name="h36m_sh",
    description="Human3.6M in MotionBERT's pickle: detected 2D poses, true poses of the image",
    splits=("train", "trainval", "val", "test", *SUBJECTS),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=FPS,
    options=(
        Option(
            "path_pickle",
            "MotionBERT's pickle",
            Path("./data/h36m_sh_conf_cam_source_final.pkl"),
            metavar="FILE",
            is_place=True,
        ),
        Option("confidence", "whether to read confidences, else 1", True, choices=(False, True)),
        Option("mode", "2D poses: dt_ft, detected, or gt, exact", "dt_ft", choices=("gt", "dt_ft")),
    ),
    files=_files,
    check=_check,
    read=_read,
    image_poses=True,
)
