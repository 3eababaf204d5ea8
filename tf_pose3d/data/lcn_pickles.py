"""Human3.6M in LCN's pickles: `h36m_train.pkl`, `h36m_test.pkl` and `h36m_sh_dt_ft.pkl`.

The first two hold a list of dicts, one per image, as LCN's gendb writes them: pose in the camera frame
(millimetres), pose in the image frame (see `tf_pose3d.models.lcn.image_frame`), box, camera, subject, action.
The third holds detected 2D poses with confidences, in the order of the other two.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.checks import LARGEST, real_numbers, single_precision
from tf_pose3d.data.column_cache import cached_columns
from tf_pose3d.data.datasets import Log, Option, PoseDataset, require_one_layout
from tf_pose3d.data.human36m import ACTIONS, CAMERAS, FPS, SUBJECTS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import get_skeleton, joint_indices
from tf_pose3d.types import Parsed

__all__ = ["ACTION_NAMES", "DATASET", "ITEM_KEYS", "LCNItems", "read_items", "read_lcn_sequences"]

# What Human3.6M calls actions 2 to 16 (1 is the T-pose), in the spelling of `human36m.ACTIONS`.
ACTION_NAMES: Mapping[int, str] = {
    2: "Directions",
    3: "Discussion",
    4: "Eating",
    5: "Greeting",
    6: "Phoning",
    7: "Posing",
    8: "Purchases",
    9: "Sitting",
    10: "SittingDown",
    11: "Smoking",
    12: "Photo",
    13: "Waiting",
    14: "Walking",
    15: "WalkDog",
    16: "WalkTogether",
}

ITEM_KEYS = (
    "joint_3d_image",
    "joint_3d_camera",
    "box",
    "root_depth",
    "camera_param",
    "subject",
    "action",
    "subaction",
    "imageid",
)

_JOINTS = 17
_VERSION = 1
_TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
_SHAPES = {"joint_3d_image": (_JOINTS, 3), "joint_3d_camera": (_JOINTS, 3), "box": (4,), "root_depth": ()}
_SIZES = {camera.id: (camera.width, camera.height) for camera in CAMERAS[SUBJECTS[0]]}
_DETECTIONS = "h36m_sh_dt_ft.pkl"
# Labels are made from the camera frame; where the stored ones differ by more, something else was stored.
_LARGEST_DEVIATION = 1.0


@dataclasses.dataclass(frozen=True)
class LCNItems:
    """All items of a pickle, column by column.

    Attributes:
        source: The file.
        image_pose: `(N, 17, 3)` float32, pixels (z: depth relative to the root, in pixels).
        camera_pose: `(N, 17, 3)` float32 metres, camera frame.
        box: `(N, 4)` left, top, right, bottom, pixels.
        root_depth: `(N,)` metres.
        subject, action, subaction, frame: `(N,)` whole numbers.
        camera: `(N,)` index into `cameras`.
        cameras: Distinct cameras.
        label_deviation: Pixels by which `image_pose` differs most from the projection of `camera_pose`.
    """

    source: str
    image_pose: np.ndarray
    camera_pose: np.ndarray
    box: np.ndarray
    root_depth: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    subaction: np.ndarray
    frame: np.ndarray
    camera: np.ndarray
    cameras: tuple[Camera, ...]
    label_deviation: float

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def box_width(self) -> np.ndarray:
        """`(N,)` pixels."""
        return self.box[:, 2] - self.box[:, 0]


def _require_items(path: Path) -> None:
    if not path.is_file():
        raise Pose3DError(f"{path} does not exist; --dataset_dir names the folder of LCN's pickles")


def _require_detections(path: Path) -> None:
    if not path.is_file():
        raise Pose3DError(
            f"{path} does not exist; --mode dt_ft reads detections from it (--mode gt does without)"
        )


def read_items(path: str | Path, log: Callable[[str], None] | None = None) -> LCNItems:
    """The items of `h36m_train.pkl` or `h36m_test.pkl`.

    Args:
        path: The file. Its columns are kept beside it, see `tf_pose3d.data.column_cache`.
        log: Takes a line for the user where that is slow or impossible.

    Raises:
        Pose3DError: No such file; a pickle that holds code; an item without a key, of an unknown camera,
            with a box of no width, or with numbers that are not finite. The message names the item.
    """
    path = Path(path)
    _require_items(path)
    columns = cached_columns(path, _read_columns, _VERSION, log)
    cameras = tuple(
        Camera(
            id=str(name),
            width=_SIZES[str(name)][0],
            height=_SIZES[str(name)][1],
            focal_length=values[0:2],
            center=values[2:4],
            radial=values[4:7],
            tangential=values[7:9],
        )
        for name, values in zip(columns.pop("camera_names"), columns.pop("camera_values"), strict=True)
    )
    deviation = float(columns.pop("label_deviation"))
    return LCNItems(str(path), cameras=cameras, label_deviation=deviation, **columns)


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    items = load_archive(path)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Pose3DError(f"{path} must hold a list of dicts, one per image, as LCN's gendb writes it")
    arrays = {key: _column(items, key, path) for key in ITEM_KEYS if key != "camera_param"}
    camera, names, values = _camera_table(items, path)
    width = arrays["box"][:, 2] - arrays["box"][:, 0]
    _check(width > 0, path, "has a box of no width, expected left < right")
    _check(arrays["root_depth"] > 0, path, "has its root behind the camera (root_depth must be above 0)")
    _check(np.isin(arrays["action"], list(ACTION_NAMES)), path, "has an action that is none of 2 to 16")
    known = [int(name[1:]) for name in SUBJECTS]
    _check(np.isin(arrays["subject"], known), path, f"has a subject that is none of {known}")
    image, pose = arrays["joint_3d_image"], arrays["joint_3d_camera"]
    _check((pose[..., 2] != 0).all(axis=1), path, "has a joint in the plane of its camera (z is 0)")
    deviation = _label_deviation(image, pose, width, arrays["root_depth"], values[camera])
    return {
        "image_pose": image.astype(np.float32),
        "camera_pose": (pose / 1000).astype(np.float32),
        "box": arrays["box"],
        "root_depth": arrays["root_depth"] / 1000,
        "subject": arrays["subject"],
        "action": arrays["action"],
        "subaction": arrays["subaction"],
        "frame": arrays["imageid"],
        "camera": camera,
        "camera_names": names,
        "camera_values": values,
        "label_deviation": np.array(deviation),
    }


def _column(items: list[dict], key: str, path: Path) -> np.ndarray:
    """One key of all items as one array, checked."""
    shape = _SHAPES.get(key)
    try:
        values = [item[key] for item in items]
    except KeyError:
        number = next(number for number, item in enumerate(items) if key not in item)
        raise Pose3DError(
            f"{path}: item {number} has no {key}; every item needs {', '.join(ITEM_KEYS)}"
        ) from None
    column = real_numbers(values)
    if column is not None and shape is None:
        whole = np.abs(column) < 2**53
        column = column.astype(np.int64) if whole.all() and (column == np.round(column)).all() else None
    if column is None or column.shape != (len(items), *(shape or ())):
        expected = f"numbers of shape {shape}" if shape else ("a number" if shape == () else "a whole number")
        number = next((n for n, value in enumerate(values) if not _is_number(value, shape or ())), 0)
        raise Pose3DError(f"{path}: item {number} has a {key} that is not {expected}")
    if shape is not None:
        flat = column.reshape(len(items), -1)
        _check(np.isfinite(flat).all(1), path, f"has a {key} that is not finite")
        _check((np.abs(flat) <= LARGEST).all(1), path, f"has a {key} beyond {LARGEST:g}")
    return column


def _is_number(value: Parsed, shape: tuple[int, ...]) -> bool:
    numbers = real_numbers(value)
    return numbers is not None and numbers.shape == shape


def _check(fine: np.ndarray | np.bool, path: Path, complaint: str) -> None:
    if not fine.all():
        raise Pose3DError(f"{path}: item {int(np.argmin(fine))} {complaint}")


def _camera_table(items: list[dict], path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of each item's camera `(N,)`, names `(C,)`, and `(C, 9)` fx, fy, cx, cy, k (3), p (2)."""
    table: dict[tuple, int] = {}
    known: dict[int, int] = {}
    indices = np.empty(len(items), np.int32)
    for number, item in enumerate(items):
        facts = item.get("camera_param")
        # Items of one recording usually share the very same dict.
        index = known.get(id(facts))
        if index is None:
            index = known[id(facts)] = table.setdefault(_camera_key(facts, number, path), len(table))
        indices[number] = index
    names = np.array([key[0] for key in table])
    return indices, names, np.array([key[1:] for key in table], np.float64)


def _camera_key(facts: Parsed, number: int, path: Path) -> tuple:
    where = f"{path}: item {number}"
    if not isinstance(facts, dict):
        raise Pose3DError(f"{where} has no camera_param; every item needs {', '.join(ITEM_KEYS)}")
    missing = [key for key in ("name", "fx", "fy", "cx", "cy") if key not in facts]
    if missing:
        raise Pose3DError(f"{where}: camera_param has no {', '.join(missing)}")
    name = facts["name"].decode("utf-8", "replace") if isinstance(facts["name"], bytes) else facts["name"]
    if not isinstance(name, str) or name not in _SIZES:
        raise Pose3DError(
            f"{where}: camera {shown(name)} has no known image size; the cameras are {', '.join(_SIZES)}"
        )
    held = [real_numbers(facts[key]) for key in ("fx", "fy", "cx", "cy")]
    held += [real_numbers(facts.get("k", np.zeros(3))), real_numbers(facts.get("p", np.zeros(2)))]
    values = np.concatenate([part.ravel() for part in held if part is not None] or [np.zeros(0)])
    if values.shape != (9,) or not (np.abs(values) <= LARGEST).all() or (values[:2] <= 0).any():
        raise Pose3DError(f"{where}: camera {name} needs finite fx, fy > 0, cx, cy, three k and two p")
    return (name, *values.tolist())


def _label_deviation(
    image: np.ndarray, pose: np.ndarray, width: np.ndarray, root_depth: np.ndarray, cameras: np.ndarray
) -> float:
    """Largest distance in pixels between stored image poses and the projections of the camera poses."""
    pixels = pose[..., :2] / pose[..., 2:] * cameras[:, None, 0:2] + cameras[:, None, 2:4]
    depth = (pose[..., 2] - root_depth[:, None]) * (width[:, None] + 1) / 2000
    return float(max(np.abs(pixels - image[..., :2]).max(), np.abs(depth - image[..., 2]).max()))


def _detections(path: Path, split: str, count: int, confidence: bool) -> np.ndarray:
    """`(N, 17, 2 or 3)` float32 detected pixels, with confidence."""
    _require_detections(path)
    archive = load_archive(path)
    part = archive.get(split) if isinstance(archive, dict) else None
    if not isinstance(part, dict) or not isinstance(part.get("joint3d_image"), np.ndarray):
        raise Pose3DError(f"{path} has no {split}/joint3d_image, the detected 2D poses")
    if "joint_2d" in part:
        raise Pose3DError(
            f"{path}: {split} has joint_2d: this is MotionBERT's h36m_sh_conf_cam_source_final.pkl, whose "
            "joint3d_image are true poses, expected LCN's detections"
        )
    pixels = part["joint3d_image"]
    if (
        pixels.dtype.kind not in "fiu"
        or pixels.ndim != 3
        or pixels.shape[1] != _JOINTS
        or pixels.shape[2] < 2
    ):
        raise Pose3DError(
            f"{path}: {split}/joint3d_image has shape {pixels.shape}, expected (items, 17, 2 or 3)"
        )
    if len(pixels) != count:
        raise Pose3DError(
            f"{path}: {split}/joint3d_image has {len(pixels)} poses, h36m_{split}.pkl has {count} items"
        )
    result = single_precision(pixels[..., :2])
    if confidence:
        scores = part.get("confidence")
        if (
            not isinstance(scores, np.ndarray)
            or scores.dtype.kind not in "fiu"
            or scores.size != count * _JOINTS
        ):
            raise Pose3DError(
                f"{path} has no {split}/confidence (items, 17, 1); --in-F 3 needs it, --in-F 2 does without"
            )
        scores = single_precision(scores.reshape(count, _JOINTS, 1))
        result = np.concatenate([result, scores], axis=2)
    if not np.isfinite(result).all():
        number = int(np.argmin(np.isfinite(result).all((1, 2))))
        raise Pose3DError(f"{path}: {split}, pose {number} holds numbers that are not finite")
    near = (np.abs(result) <= LARGEST).all((1, 2))
    if not near.all():
        raise Pose3DError(f"{path}: {split}, pose {int(np.argmin(near))} holds numbers beyond {LARGEST:g}")
    return result


def _items(split: str) -> str:
    return f"h36m_{split}.pkl"


def _split_of(subset: str) -> tuple[str, str | None]:
    """(file, subject or None) of a subset's name."""
    if subset in ("train", "trainval"):
        return "train", None
    if subset in ("val", "test"):
        return "test", None
    if subset in SUBJECTS:
        return ("train" if subset in _TRAIN_SUBJECTS else "test"), subset
    raise Pose3DError(
        f"subset {subset!r} of LCN's pickles: expected train, test, or one of {', '.join(SUBJECTS)}"
    )


def read_lcn_sequences(
    folder: str | Path,
    subset: str,
    mode: str = "gt",
    confidence: bool = False,
    skeleton: str = "h36m_17",
    log: Callable[[str], None] | None = None,
) -> list[Sequence]:
    """The sequences of a subset, whose frames follow each other in the order of the pickle's items.

    Args:
        folder: Of the pickles.
        subset: `train` (`trainval`): the training file; `test` (`val`, as the release validates on it): the
            test file; or one subject.
        mode: `gt`: exact 2D, the projection without distortion; `dt_ft`: the detections.
        confidence: Give `pose_2d` a third channel. Exact poses have confidence 1, as in the release.
        skeleton: Joint layout to give them in, of joints of `h36m_17`.
        log: Takes a line for the user.

    Returns:
        Sequences with `pose_2d`, `pose_3d`, and per frame `box_width` (pixels) and `root_depth` (metres).

    Raises:
        Pose3DError: As `read_items`; detections that do not fit; stored labels that are not what the camera
            poses project to.
    """
    split, subject = _split_of(subset)
    folder = Path(folder)
    items = read_items(folder / _items(split), log)
    if split == "train" and items.label_deviation > _LARGEST_DEVIATION:
        raise Pose3DError(
            f"{items.source}: joint_3d_image differs by {items.label_deviation:.3g} pixels from the "
            "projection of joint_3d_camera; expected gendb's, without distortion, and depth times "
            "(box width + 1) / 2000"
        )
    if mode == "dt_ft":
        pixels = _detections(folder / _DETECTIONS, split, len(items), confidence)
    else:
        pixels = items.image_pose[..., :2]
        if confidence:
            pixels = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2)
    target = get_skeleton(skeleton)
    poses = items.camera_pose
    if target.name != "h36m_17":
        order = joint_indices("h36m_17", target)
        pixels, poses = pixels[:, order], poses[:, order]
    widths, depths = items.box_width.astype(np.float32), items.root_depth.astype(np.float32)
    keys = np.stack([items.subject, items.action, items.subaction, items.camera])
    begins = np.concatenate([[0], np.flatnonzero((np.diff(keys) != 0).any(0)) + 1, [len(items)]])
    sequences = []
    for begin, end in itertools.pairwise(begins):
        name = f"S{items.subject[begin]}"
        if subject not in (None, name):
            continue
        action = ACTION_NAMES[int(items.action[begin])]
        rows = slice(begin, end)
        sequences.append(
            Sequence(
                subject=name,
                action=action,
                name=f"{action} {items.subaction[begin]}",
                skeleton=target,
                fps=FPS,
                camera=items.cameras[items.camera[begin]],
                pose_2d=pixels[rows],
                pose_3d=poses[rows],
                per_frame={"box_width": widths[rows], "root_depth": depths[rows]},
            )
        )
    if not sequences:
        raise Pose3DError(f"{items.source} holds no item of {subset}")
    return sequences


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    require_one_layout("lcn", skeleton, input_skeleton)
    return read_lcn_sequences(
        options["folder"], subset, options["mode"], options["confidence"], skeleton, log
    )


def _files(options: Mapping[str, Any]) -> tuple[Path, ...]:
    folder = Path(options["folder"])
    return folder / _items("train"), folder / _items("test")


def _check_files(subset: str, options: Mapping[str, Any]) -> None:
    folder = Path(options["folder"])
    _require_items(folder / _items(_split_of(subset)[0]))
    if options["mode"] == "dt_ft":
        _require_detections(folder / _DETECTIONS)


DATASET = PoseDataset(
    name="lcn",
    description="Human3.6M in LCN's pickles: single poses with boxes and root depths",
    splits=("train", "trainval", "val", "test", *SUBJECTS),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=FPS,
    options=(
        Option("folder", "folder of LCN's pickles", Path("./dataset"), metavar="DIR", is_place=True),
        Option("mode", "2D poses: gt, exact, or dt_ft, detected", "gt", choices=("gt", "dt_ft")),
        Option("confidence", "whether to read confidences, too", False, choices=(False, True)),
    ),
    files=_files,
    check=_check_files,
    read=_read,
    has_videos=False,
)
