"""Clips of poses of the image in folders of small pickles, as MotionBERT's preparation writes them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.checks import coordinate_array
from tf_pose3d.data.datasets import Log, Option, PoseDataset, require_one_layout
from tf_pose3d.data.human36m import FPS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["DATASET", "read_clip_folder"]

_INPUT, _LABEL = "data_input", "data_label"
# The files hold normalised coordinates: those of an image of two by two units, moved to its middle.
_CAMERA = Camera(id="normalised", width=2, height=2)


def read_clip_folder(folder: str | Path, subset: str) -> list[Sequence]:
    """Every clip of `FOLDER/SUBSET/*.pkl`, or of the folders in FOLDER that hold such.

    Each file holds `data_label (F, 17, 3)`, the pose in the normalised image, and `data_input (F, 17, 3)`,
    normalised keypoints and confidence, or None: then x and y of the pose, with confidence 1.

    Returns:
        A sequence a file, with `pose_2d`, and `pose_image` per frame.

    Raises:
        Pose3DError: No such files, or one that holds something else.
    """
    files = sorted(_clips(Path(folder), subset))
    skeleton = get_skeleton("h36m_17")
    sequences = []
    for file in files:
        clip = load_archive(file)
        label = _array(clip, _LABEL, file)
        if label is None:
            raise Pose3DError(f"{file} has no {_LABEL}, the pose in the normalised image")
        keypoints = _array(clip, _INPUT, file)
        if keypoints is None:
            keypoints = np.concatenate([label[..., :2], np.ones_like(label[..., :1])], axis=2)
        elif keypoints.shape != label.shape:
            raise Pose3DError(f"{file}: {_INPUT} has shape {keypoints.shape}, {_LABEL} {label.shape}")
        keypoints = keypoints.copy()
        keypoints[..., :2] += 1
        sequences.append(
            Sequence(
                subject=file.parent.parent.name,
                action="",
                name=file.stem,
                skeleton=skeleton,
                fps=FPS,
                camera=_CAMERA,
                pose_2d=keypoints,
                per_frame={"pose_image": label},
            )
        )
    return sequences


def _clips(folder: Path, subset: str) -> Iterator[Path]:
    """The files of a subset, at least one, in no order."""
    split = {"trainval": "train", "val": "test"}.get(subset, subset)
    for pattern in (f"{split}/*.pkl", f"*/{split}/*.pkl"):
        files = folder.glob(pattern)
        first = next(files, None)
        if first is not None:
            return itertools.chain([first], files)
    raise Pose3DError(f"{folder} holds no {split}/*.pkl and no folder that does, expected sliced clips")


def _check(subset: str, options: Mapping[str, Any]) -> None:
    _clips(Path(options["path_clips"]), subset)


def _array(clip: Parsed, name: str, file: Path) -> np.ndarray | None:
    if not isinstance(clip, dict):
        raise Pose3DError(f"{file} holds a {type(clip).__name__}, expected a dict with {_INPUT} and {_LABEL}")
    if clip.get(name) is None:
        return None
    values = coordinate_array(clip[name])
    if values is None:
        raise Pose3DError(f"{file}: {name} holds something else than finite numbers (frames, 17, 3)")
    if values.ndim != 3 or values.shape[1:] != (17, 3):
        raise Pose3DError(f"{file}: {name} has shape {values.shape}, expected (frames, 17, 3), all finite")
    return values


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    require_one_layout("clips", skeleton, input_skeleton)
    if skeleton != "h36m_17":
        raise Pose3DError(f"data set clips has the joints of h36m_17, the model those of {skeleton}")
    return read_clip_folder(options["path_clips"], subset)


DATASET = PoseDataset(
    name="clips",
    description="folders of clips sliced by MotionBERT's preparation: poses of the image, for training",
    splits=("train", "trainval"),
    frame_rate=FPS,
    options=(
        Option(
            "path_clips",
            "folder of sliced clips",
            Path("./data/motion3d/MB3D_f243s81"),
            metavar="DIR",
            is_place=True,
        ),
    ),
    check=_check,
    read=_read,
    has_test=False,
    image_poses=True,
)
