"""Readers of 2D keypoint files, one module per format, and the choice among them by content."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError, shown_name
from tf_pose3d.inference.formats.source import ReadOptions, Source

if TYPE_CHECKING:
    from types import ModuleType

    from tf_pose3d.inference.keypoints import KeypointVideo

__all__ = ["FORMATS", "ReadOptions", "read_keypoints", "read_source"]

# Name -> module with `matches(source)` and `read(source, options)`, in the order in which they are asked.
FORMATS = {
    "videopose3d": "tf_pose3d.inference.formats.videopose3d",
    "detectron2": "tf_pose3d.inference.formats.detectron2",
    "array": "tf_pose3d.inference.formats.arrays",
    "sleap": "tf_pose3d.inference.formats.sleap",
    "alphapose": "tf_pose3d.inference.formats.alphapose",
    "openpose": "tf_pose3d.inference.formats.openpose",
    "ultralytics": "tf_pose3d.inference.formats.ultralytics",
    "easy_vitpose": "tf_pose3d.inference.formats.easy_vitpose",
    "mmpose": "tf_pose3d.inference.formats.mmpose",
    "coco": "tf_pose3d.inference.formats.coco",
    "mediapipe": "tf_pose3d.inference.formats.mediapipe",
    "deeplabcut": "tf_pose3d.inference.formats.deeplabcut",
    "trc": "tf_pose3d.inference.formats.trc",
}


def _module(name: str) -> ModuleType:
    return importlib.import_module(FORMATS[name])


def read_keypoints(
    path: str | Path, input_format: str | None = None, options: ReadOptions | None = None
) -> KeypointVideo:
    """The people in a file or folder of 2D keypoints.

    Args:
        path: The file or folder.
        input_format: A name of `FORMATS`; None: by content.
        options: What the user says about the file.

    Raises:
        Pose3DError: The file cannot be read, or holds no keypoints in a known format; what its format's
            reader finds wrong.
    """
    if input_format is not None and input_format not in FORMATS:
        raise Pose3DError(f"unknown input format {input_format!r}, expected one of {', '.join(FORMATS)}")
    return read_source(Source(path), input_format, options)


def read_source(
    source: Source, input_format: str | None = None, options: ReadOptions | None = None
) -> KeypointVideo:
    """As `read_keypoints`, of a file or folder that is open already."""
    options = options or ReadOptions()
    path = source.path
    if source.kind == "folder" and not source.json_files and not source.files(".txt"):
        raise Pose3DError(
            f"{path} is a folder without .json files (or .txt labels), expected OpenPose's, one a frame "
            "(a folder of clips is lifted with --output_dir)"
        )
    if input_format is not None:
        return _module(input_format).read(source, options)
    for name in FORMATS:
        module = _module(name)
        if module.matches(source):
            return module.read(source, options)
    if _is_kinect(source.sample):
        raise Pose3DError(
            f"{path} holds Azure Kinect's joints in space (millimetres): there is nothing to lift; project "
            "them into the image and give an array with --layout azure_kinect_32"
        )
    if source.kind == "hdf5" and _is_sleap_project(source):
        raise Pose3DError(
            f"{path} is a SLEAP project: export its analysis file (File, Export Analysis HDF5, or "
            "sleap-convert --format analysis), and give that"
        )
    raise Pose3DError(
        f"{path}: keypoints in none of the known formats ({', '.join(FORMATS)}); {_seen(source)}; "
        "--input_format names one"
    )


def _is_kinect(sample: object) -> bool:
    """Whether this is what Azure Kinect's body tracking samples write."""
    return (
        isinstance(sample, dict)
        and "frames" in sample
        and {"joint_names", "bone_list"} & sample.keys() != set()
    )


def _is_sleap_project(source: Source) -> bool:
    from tf_pose3d.inference.formats.pandas_hdf5 import hdf5_file

    with hdf5_file(source) as file:
        return {"instances", "points", "metadata"} <= set(file)


def _seen(source: Source) -> str:
    if source.kind == "npz":
        return f"it holds {shown_name(', '.join(map(str, source.archive))) or 'nothing'}"
    sample = source.sample
    if isinstance(sample, dict):
        keys = shown_name(", ".join(list(sample)[:8]))
        return f"its {'first element' if source.is_array else 'object'} has {keys}"
    if source.kind in ("json", "text"):
        return f"it begins with {source.text[:30]!r}"
    return f"it is of the kind {source.kind}"
