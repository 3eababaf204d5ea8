"""Image data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tf_pose3d.data.multiview.human36m import read_human36m_views
from tf_pose3d.data.multiview.mpi_inf_3dhp import read_mpi_inf_3dhp_views
from tf_pose3d.data.multiview.records import MultiViewRecords
from tf_pose3d.data.multiview.synthetic import synthetic_records
from tf_pose3d.errors import Pose3DError

__all__ = ["IMAGE_DATASETS", "read_records"]

IMAGE_DATASETS = ("multiview_h36m", "multiview_3dhp", "multiview_synthetic")


def read_records(
    dataset: str,
    subset: str,
    root: str | Path = "data",
    data_format: str = "jpg",
    log: Callable[[str], None] | None = None,
) -> MultiViewRecords:
    """Records of a subset of a data set.

    Args:
        dataset: One of `IMAGE_DATASETS`.
        subset: `train`, or `validation` (also named `val` and `test`).
        root: Folder of the data; the synthetic set has none.
        data_format: `jpg` or `zip`.
        log: Takes a line for the user.

    Raises:
        Pose3DError: Unknown name or subset, or what the reader finds wrong.
    """
    if dataset == "multiview_synthetic":
        return synthetic_records(subset)
    readers = {"multiview_h36m": read_human36m_views, "multiview_3dhp": read_mpi_inf_3dhp_views}
    if dataset not in readers:
        raise Pose3DError(f"unknown image data set {dataset!r}, expected one of {', '.join(IMAGE_DATASETS)}")
    return readers[dataset](root, subset, data_format, log)
