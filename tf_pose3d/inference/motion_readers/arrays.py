"""NumPy files: what this package writes, and motion files for training (docs/general.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.checks import LARGEST, real_numbers
from tf_pose3d.data.motion_clips import load_motion
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.markers import fill_gaps
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.skeleton import LAYOUTS, Skeleton, get_skeleton, make_skeleton
from tf_pose3d.types import Parsed

__all__ = ["motion_of_values", "read"]


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads `pose_3d` with its facts, as `--output x.npz` writes them, or one clip of `positions`.

    Raises:
        Pose3DError: Neither is there, or they do not fit.
    """
    archive = load_archive(path)
    if not isinstance(archive, dict):
        raise Pose3DError(f"{path} is a pickle, expected an npz file with pose_3d or positions")
    if "pose_3d" in archive:
        return motion_of_values(archive, str(path), options)
    if "positions" in archive:
        return _clip(path, options)
    raise Pose3DError(
        f"{path}: no pose_3d (poses of this package) and no positions (a motion file); it holds "
        f"{', '.join(sorted(archive)) or 'nothing'}"
    )


def _clip(path: Path, options: ReadMotionOptions) -> Motion:
    clips = load_motion(path)
    names = clips.names.tolist()
    if options.clip in names:
        number = names.index(options.clip)
    elif options.clip.isdecimal() and int(options.clip) < len(clips):
        number = int(options.clip)
    else:
        raise Pose3DError(
            f"{path} has no clip {options.clip!r}, expected 0 to {len(clips) - 1} or a name such as "
            f"{names[0]}"
        )
    return Motion(
        poses=clips.clip(number).astype(np.float64),
        skeleton=get_skeleton("h36m_17"),
        root=0,
        fps=30.0,
        subject=str(clips.subjects[number]),
        name=names[number],
        world=True,
        level="file",
        placement="world",
    )


def motion_of_values(held: Mapping[str, Any], where: str, options: ReadMotionOptions) -> Motion:
    """A motion of `pose_3d` and the values of `tf_pose3d.inference.writers.facts`.

    Args:
        held: By name; `joints`, `parents`, `fps` may be missing where 17 joints are Human3.6M's.
        where: Names the file.
        options: What is known besides.

    Raises:
        Pose3DError: They do not fit each other.
    """
    poses = _numbers(held["pose_3d"], f"{where}: pose_3d", missing=True)
    if poses.ndim != 3 or poses.shape[2] != 3 or not len(poses):
        raise Pose3DError(f"{where}: pose_3d has shape {poses.shape}, expected (frames, joints, 3)")
    skeleton = _skeleton(held, poses.shape[1], where)
    rate = options.fps if options.fps is not None else _fact(held, "fps", where, 0.0)
    if not 1 <= rate <= 10_000:
        raise Pose3DError(f"{where}: fps is {rate:g}, expected 1 to 10,000: give the rate")
    world = _word(held, "axes", where).startswith("world")
    if world:
        # Joints that several cameras did not find.
        poses = fill_gaps(poses, options.max_gap)
    points = held.get("pose_2d")
    camera, keypoints = None, None
    if points is not None and not world and "width" in held and "height" in held:
        keypoints = _numbers(points, f"{where}: pose_2d", missing=True)
        width, height = (_fact(held, name, where) for name in ("width", "height"))
        if not (1 <= width <= 1e6 and 1 <= height <= 1e6):
            raise Pose3DError(f"{where}: an image of {width:g}x{height:g} pixels")
        camera = default_camera(int(width), int(height))
        if keypoints.ndim != 3 or keypoints.shape[:2] != poses.shape[:2] or keypoints.shape[2] not in (2, 3):
            raise Pose3DError(f"{where}: pose_2d of shape {keypoints.shape} beside pose_3d of {poses.shape}")
    root = int(_fact(held, "root", where, skeleton.root))
    if not 0 <= root < skeleton.num_joints:
        raise Pose3DError(
            f"{where}: root is {root}, expected the number of a joint, 0 to {poses.shape[1] - 1}"
        )
    return Motion(
        poses=poses,
        skeleton=skeleton,
        root=root,
        fps=rate,
        camera=camera,
        keypoints=keypoints,
        subject=_word(held, "subject", where),
        name=_word(held, "action", where),
        frame=None if "frame" not in held else _frames(held["frame"], where, len(poses)),
        world=world,
        level=(_word(held, "level_by", where) or "file") if world else "",
        placement=_word(held, "placement", where) or ("world" if world else "root"),
    )


def _numbers(value: Parsed, where: str, missing: bool = False) -> np.ndarray:
    """float64; beyond what anything measures is refused, NaN too unless joints may be missing."""
    numbers = real_numbers(value)
    if numbers is None:
        raise Pose3DError(f"{where} is {shown(value)}, expected numbers")
    with np.errstate(invalid="ignore"):
        bad = np.atleast_1d(~(np.abs(numbers) <= LARGEST) & ~(np.isnan(numbers) & missing))
    if bad.any():
        place = np.argwhere(bad)[0]
        value_there = np.atleast_1d(numbers)[tuple(place)]
        raise Pose3DError(f"{where} holds {value_there:g} at {', '.join(map(str, place))}")
    return numbers


def _fact(held: Mapping[str, Any], name: str, where: str, default: float | None = None) -> float:
    numbers = _numbers(held.get(name, default), f"{where}: {name}")
    if numbers.size != 1:
        raise Pose3DError(f"{where}: {name} is {shown(held.get(name))}, expected one number")
    return float(numbers.item())


def _word(held: Mapping[str, Any], name: str, where: str) -> str:
    """A text; empty where there is none."""
    value = held.get(name)
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if value is not None and not isinstance(value, (str, int)):
        raise Pose3DError(f"{where}: {name} is {shown(value)}, expected a text")
    return "" if value is None else str(value)


def _frames(value: Parsed, where: str, count: int) -> np.ndarray:
    numbers = _numbers(value, f"{where}: frame")
    if numbers.shape != (count,) or (numbers != np.round(numbers)).any() or (np.diff(numbers) <= 0).any():
        raise Pose3DError(f"{where}: frame is {shown(value)}, expected {count} whole numbers that increase")
    return numbers.astype(np.int64)


def _skeleton(held: Mapping[str, Any], count: int, where: str) -> Skeleton:
    if "joints" not in held:
        if count == 17:
            return get_skeleton("h36m_17")
        raise Pose3DError(f"{where}: {count} joints without names (joints)")
    listed = held["joints"].tolist() if isinstance(held["joints"], np.ndarray) else held["joints"]
    if not isinstance(listed, (list, tuple)):
        raise Pose3DError(f"{where}: joints is {shown(listed)}, expected a name for each joint")
    names = tuple(str(name) for name in listed)
    if len(names) != count or len(set(names)) != count:
        raise Pose3DError(f"{where}: joints names {len(names)} joints, pose_3d holds {count}")
    for layout in LAYOUTS.values():
        if layout.joints == names:
            return layout
    return make_skeleton("file", names)
