"""The examples that a model is given, from any data set, by what its family says that it reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.data.datasets import (
    DATASETS,
    Dataset,
    ImageDataset,
    Log,
    MotionDataset,
    PoseDataset,
    dataset_of_file,
    get_dataset,
    read_records,
)
from tf_pose3d.data.motion_examples import MotionExamples, open_motion
from tf_pose3d.data.motion_views import MotionSpec
from tf_pose3d.data.multiview.batches import ImageBatches, SingleImages, ViewGroupImages
from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.image_spec import ImageSpec, SingleImageSpec, ViewGroupSpec
from tf_pose3d.data.multiview.mpii import read_mpii_images
from tf_pose3d.data.multiview.records import join_records
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import Windows, open_windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.data.multiview.records import MultiViewRecords

__all__ = ["Examples", "Source", "choose_source", "find_dataset", "open_examples", "readable_datasets"]

Examples = Windows | ImageBatches | MotionExamples
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


def readable_datasets(spec: Spec, test: bool = False) -> list[str]:
    """Names of the data sets that examples of a spec can come from.

    Args:
        spec: Of a family.
        test: Only those with a test protocol.
    """
    names = []
    for name in DATASETS:
        record = get_dataset(name)
        if isinstance(spec, MotionSpec):
            fits = isinstance(record, MotionDataset)
        elif isinstance(spec, WindowSpec):
            fits = isinstance(record, PoseDataset) and (record.has_videos or not spec.videos_only)
        else:
            fits = isinstance(record, ImageDataset)
        if fits and (record.has_test or not test):
            names.append(name)
    return names


def find_dataset(
    text: str, spec: Spec, test: bool = False, flag: str = "--dataset"
) -> tuple[Dataset, str | None]:
    """The data set that a text names, and the 3D file where it names one.

    Args:
        text: A name, or the path of a 3D file (`.npz`).
        spec: What the model reads.
        test: It must have a test protocol.
        flag: Names the text in messages.

    Raises:
        Pose3DError: An unknown data set, or one that the model does not read.
    """
    path = text if text.endswith(".npz") else None
    name = text.lower() if path is None else dataset_of_file(path)
    known = readable_datasets(spec, test)
    if name not in known:
        file = "a 3D pose file (.npz), " if "h36m" in known else ""
        names = " or ".join([part for part in (", ".join(known[:-1]), known[-1]) if part])
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
            that are named twice or not there.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    if isinstance(dataset, Dataset):
        record = dataset
    else:
        record, path = find_dataset(dataset or config.DATASET or "h36m", spec, test)
        if path is not None:
            given["path_3d"] = path
    if record.takes("keypoints"):
        if "path_2d" in given and "keypoints" in given:
            raise Pose3DError("--dataset_2d and --keypoints both name 2D poses; give one of them")
        given.setdefault("keypoints", config.KEYPOINTS)
    complete = record.complete({**record.pick(spec.options), **given})
    # Wrong names are said before anything is read.
    record.files(complete)
    return Source(record, complete)


def open_examples(
    source: Source,
    subset: str,
    spec: Spec,
    skeleton: str,
    seed: int = 0,
    log: Log | None = None,
    input_skeleton: str | None = None,
) -> Examples:
    """The examples of a subset.

    Args:
        source: From `choose_source`.
        subset: Names the part of the data set.
        spec: Which examples, a family's `data_spec`.
        skeleton: Joint layout of the 3D poses, and of the 2D poses unless `input_skeleton` names theirs.
        seed: Of every random draw.
        log: Takes a line for the user.
        input_skeleton: Joint layout of the 2D poses.

    Raises:
        Pose3DError: What the reader finds wrong, or data that do not hold what the model reads.
    """
    if isinstance(spec, MotionSpec):
        return open_motion(source.options["path_motion"], subset, spec, log or (lambda line: None))
    if isinstance(spec, WindowSpec):
        return open_windows(source.dataset, subset, source.options, spec, skeleton, seed, log, input_skeleton)
    records = read_records(source.dataset, subset, source.options, log)
    records = records.with_joints(get_skeleton(spec.joints).joints)
    if isinstance(spec, SingleImageSpec):
        return _single_images(records, spec, source.name, seed, log)
    if isinstance(spec, ViewGroupSpec):
        return _view_groups(records, spec, seed, log)
    raise Pose3DError(f"examples of {type(spec).__name__} are not known")


def _single_images(
    records: MultiViewRecords, spec: SingleImageSpec, dataset: str, seed: int, log: Log | None
) -> SingleImages:
    parts = [records]
    rows = np.flatnonzero(np.isin(records.view, spec.cameras))[:: spec.step]
    if spec.mix_mpii:
        mpii = read_mpii_images(spec.root, "train", spec.data_format, log)
        if log is not None:
            log(f"{len(mpii)} images of MPII with {len(rows)} of {dataset}")
        rows = np.concatenate([rows, len(records) + np.arange(len(mpii))])
        parts.append(mpii.with_joints(get_skeleton(spec.joints).joints))
    return SingleImages(join_records(parts), spec.crop, seed, rows)


def _view_groups(
    records: MultiViewRecords, spec: ViewGroupSpec, seed: int, log: Log | None
) -> ViewGroupImages:
    groups = make_groups(records, list(spec.cameras), list(spec.pattern), spec.step, spec.missing_view)
    if groups.skipped and log is not None:
        log(f"{records.source}: {groups.skipped} groups left out, as an image or a pose is missing")
    return ViewGroupImages(records, groups, spec.crop, seed)
