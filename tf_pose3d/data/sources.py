"""Which data set a run reads, and what its reader is told: chosen and checked before anything is opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.data.datasets import (
    DATASETS,
    Dataset,
    ImageDataset,
    MotionDataset,
    PoseDataset,
    dataset_of_file,
    get_dataset,
)
from tf_pose3d.data.motion_views import MotionSpec
from tf_pose3d.data.multiview.image_spec import ImageSpec
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.config import TrainingConfig

__all__ = ["Source", "Spec", "choose_source", "find_dataset", "named_subset", "readable_datasets"]

Spec = WindowSpec | ImageSpec


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set and what its reader is told.

    Attributes:
        dataset: Its record.
        options: All of its options.
    """

    dataset: Dataset
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The data set's."""
        return self.dataset.name

    def check(self, subset: str) -> None:
        """Refuses, before anything is read, what is no part of the data set.

        Raises:
            Pose3DError: The data set has no such subset, or not the actions that its options name.
        """
        self.dataset.check(subset, self.options)


def named_subset(text: str | None) -> str | None:
    """A subset as flags and configs name it; None where they say that there is none."""
    return None if text in (None, "none", "None", "", "0") else text


def readable_datasets(spec: Spec, test: bool = False, lift: bool = False) -> list[str]:
    """Names of the data sets that examples of a spec can come from.

    Args:
        spec: Of a family.
        test: Only those with a test protocol.
        lift: Also those whose recordings can be lifted, and nothing else.
    """
    names = []
    for name in DATASETS:
        record = get_dataset(name)
        if isinstance(spec, MotionSpec):
            fits = isinstance(record, MotionDataset)
        elif isinstance(spec, WindowSpec):
            fits = isinstance(record, PoseDataset) and (record.has_videos or not spec.videos_only)
            fits = fits and (spec.image_poses or not getattr(record, "image_poses", False))
        else:
            fits = isinstance(record, ImageDataset)
        for_lifting_alone = not getattr(record, "has_poses", True)
        if fits and (lift if for_lifting_alone else record.has_test or not test):
            names.append(name)
    return names


def find_dataset(
    text: str, spec: Spec, test: bool = False, flag: str = "--dataset", lift: bool = False
) -> tuple[Dataset, str | None]:
    """The data set that a text names, and the 3D file where it names one.

    Args:
        text: A name, or the path of a 3D file (`.npz`), a pickle (`.pkl`) or a folder of clips.
        spec: What the model reads.
        test: It must have a test protocol.
        flag: Names the text in messages.
        lift: Recordings are to be lifted, which need no 3D poses.

    Raises:
        Pose3DError: An unknown data set, or one that the model does not read.
    """
    is_path = text.endswith((".npz", ".pkl")) or (text.lower() not in DATASETS and Path(text).is_dir())
    path = text if is_path else None
    name = text.lower() if path is None else dataset_of_file(path)
    known = readable_datasets(spec, test, lift)
    if name not in known:
        file = "a 3D pose file (.npz), " if "h36m" in known else ""
        file += "a pickle (.pkl) or a folder of clips, " if "h36m_sh" in known else ""
        names = " or ".join([part for part in (", ".join(known[:-1]), known[-1]) if part])
        record = get_dataset(name) if name in DATASETS else None
        if not lift and record is not None and not getattr(record, "has_poses", True):
            names += f"; {name} has no 3D poses, inference.py lifts its recordings"
        raise Pose3DError(f"{flag} is {text!r}, expected {file}{names}")
    return get_dataset(name), path


def choose_source(
    dataset: str | Dataset | None,
    config: TrainingConfig,
    spec: Spec,
    options: Mapping[str, Any] | None = None,
    test: bool = False,
) -> Source:
    """The data set that examples come from.

    Args:
        dataset: A name, the path of a 3D file (`.npz`) or a record; None: the config's DATASET, else h36m.
        config: Says whose 2D poses are read where the options do not.
        spec: What the model reads; it tells the reader what the options do not.
        options: What the data set's reader is told; None among the values: not given.
        test: It must have a test protocol.

    Raises:
        Pose3DError: A data set that the model does not read, an option that it does not take, or 2D poses
            that are named twice or not there, or no such file.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    if isinstance(dataset, Dataset):
        record = dataset
    else:
        record, path = find_dataset(dataset or config.DATASET or "h36m", spec, test)
        if path is not None:
            given[record.place_option] = path
    if record.takes("keypoints"):
        if "path_2d" in given and "keypoints" in given:
            raise Pose3DError("--dataset_2d and --keypoints both name 2D poses; give one of them")
        given.setdefault("keypoints", config.KEYPOINTS)
    complete = record.complete({**record.pick(spec.options), **given})
    # Wrong names are said before anything is read.
    files = record.files(complete)
    if record.comes_as_pose_files:
        for file in files:
            if not Path(file).exists():
                raise Pose3DError(f"{file} does not exist, expected an npz file")
    return Source(record, complete)
