"""Videos of one's own in VideoPose3D's files, `data_2d_custom_NAME.npz`: 2D poses without any in 3D.

VideoPose3D's `prepare_data_2d_custom.py` writes them from a detector's results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive, recordings_of
from tf_pose3d.data.checks import check_coordinates, check_finite, single_precision
from tf_pose3d.data.datasets import Log, PoseDataset
from tf_pose3d.data.pose_files import KEYPOINTS_OPTION, PATH_2D_OPTION, keypoint_file
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.stated_layout import in_layout, say_conversion, stated_layout
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["DATASET", "read_custom"]

# The rate at which networks are trained; the files tell none.
_FPS = 50.0
_FASTEST = 10_000
_LARGEST = 1_000_000
# What detectors give where the metadata name no layout.
_LAYOUT = {17: "coco_17"}
_FOLDER = Path("./data")


def read_custom(
    path: str | Path,
    subset: str = "all",
    skeleton: str = "h36m_17",
    input_skeleton: str | None = None,
    log: Log | None = None,
) -> list[Sequence]:
    """The videos of a file, one sequence per video and camera.

    Args:
        path: `positions_2d[video][action]`, a list of one `(F, J, 2 or 3)` array in pixels per camera, and
            `metadata` with `video_metadata[video]`, `w` and `h` in pixels and perhaps `fps`.
        subset: The name of a video; `all`: every one.
        skeleton: Joint layout of the poses that a model gives.
        input_skeleton: Joint layout to give the 2D poses in; None: the same.
        log: Takes a line where joints had to be made up.

    Raises:
        Pose3DError: No such video, no size of an image, or arrays of another shape.
    """
    archive = load_archive(path)
    videos = recordings_of(archive, path, "positions_2d")
    metadata = archive.get("metadata")
    details = metadata.get("video_metadata") if isinstance(metadata, Mapping) else None
    if not isinstance(details, Mapping):
        raise Pose3DError(
            f"{path}: metadata has no video_metadata, which holds w and h of each video; see VideoPose3D's "
            "prepare_data_2d_custom.py"
        )
    if subset not in ("all", *videos):
        listed = ", ".join(name[:60] for name in list(videos)[:20]) or "none"
        raise Pose3DError(f"{path} has no video {subset!r}; there are {listed}")
    target, target_2d = get_skeleton(skeleton), get_skeleton(input_skeleton or skeleton)
    sequences: list[Sequence] = []
    said: set[str] = set()
    for video in videos if subset == "all" else [subset]:
        width, height, fps = _facts(details.get(video), f"{path}: {video}")
        for action, views in videos[video].items():
            where = f"{path}: {video}, {action}"
            for number, view in enumerate(views if isinstance(views, (list, tuple)) else [views]):
                check_coordinates(view, (2, 3), f"{where}, camera {number}")
                pixels = single_precision(view)
                check_finite(pixels, path, f"{video}, {action}, camera {number}")
                source = stated_layout(metadata, pixels.shape[1], _LAYOUT, where)
                pixels = in_layout(pixels, source, target_2d, where)
                if source.name not in said:
                    said.add(source.name)
                    say_conversion(source, target_2d, path, log)
                sequences.append(
                    Sequence(
                        subject=video,
                        action=action,
                        name=action,
                        skeleton=target,
                        fps=fps,
                        camera=Camera(id=str(number), width=width, height=height),
                        pose_2d=pixels,
                        skeleton_2d=None if target_2d == target else target_2d,
                    )
                )
    if not sequences:
        raise Pose3DError(f"{path} holds no video")
    return sequences


def _facts(details: Parsed, where: str) -> tuple[int, int, float]:
    """Width and height in pixels, and frames per second."""
    if not isinstance(details, Mapping):
        raise Pose3DError(f"{where}: video_metadata has no entry of that video, with w and h in pixels")
    sizes = []
    for name in ("w", "h"):
        size = _number(details.get(name))
        if size is None or not 1 <= size <= _LARGEST or size != int(size):
            said = shown(details.get(name))
            raise Pose3DError(f"{where}: {name} is {said}, expected a whole number of pixels")
        sizes.append(int(size))
    fps = _number(details.get("fps", _FPS))
    if fps is None or not 0 < fps <= _FASTEST:
        raise Pose3DError(f"{where}: fps is {shown(details['fps'])}, expected frames per second")
    return sizes[0], sizes[1], float(fps)


def _number(value: Parsed) -> float | None:
    """A number, perhaps NumPy's, or one of hundreds of digits; None for anything else."""
    numeric = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return value if numeric else None


def _path(options: Mapping[str, Any]) -> Path:
    if options["path_2d"] is not None:
        return Path(options["path_2d"])
    if options["keypoints"] is None:
        raise Pose3DError("data set custom: --keypoints NAME says which data_2d_custom_NAME.npz to read")
    return keypoint_file(options["keypoints"], _FOLDER, "custom")


def _check(subset: str, options: Mapping[str, Any]) -> None:
    path = _path(options)
    if not path.exists():
        raise Pose3DError(f"{path} does not exist, expected an npz file")


def _files(options: Mapping[str, Any]) -> tuple[Path, ...]:
    return (_path(options),)


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    return read_custom(_path(options), subset, skeleton, input_skeleton, log)


DATASET = PoseDataset(
    name="custom",
    description="videos of one's own in VideoPose3D's data_2d_custom_NAME.npz, to be lifted",
    splits=("all",),
    frame_rate=_FPS,
    options=(PATH_2D_OPTION, KEYPOINTS_OPTION),
    files=_files,
    check=_check,
    has_test=False,
    read=_read,
    has_poses=False,
)
