"""The examples of a data set, opened by what a model's family says that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.data.datasets import Log, read_records
from tf_pose3d.data.motion_examples import MotionExamples, open_motion
from tf_pose3d.data.motion_views import MotionSpec
from tf_pose3d.data.multiview.batches import ImageBatches, SingleImages, ViewGroupImages
from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.image_spec import SingleImageSpec, ViewGroupSpec
from tf_pose3d.data.multiview.mpii import read_mpii_images
from tf_pose3d.data.multiview.records import join_records
from tf_pose3d.data.sources import Source, Spec
from tf_pose3d.data.unlabeled import open_semi_supervised
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import Windows, open_windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.data.multiview.records import MultiViewRecords

__all__ = ["Examples", "open_examples"]

Examples = Windows | ImageBatches | MotionExamples


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
    if isinstance(spec, WindowSpec) and spec.unlabeled is not None:
        return open_semi_supervised(
            source.dataset, subset, source.options, spec, skeleton, seed, log, input_skeleton
        )
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
