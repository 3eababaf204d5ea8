"""Readers of calibration files, one module per format, and their table."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["FORMATS", "format_module"]

# Name -> module with `matches(source)` and `read(sources, unit)`, in the order in which they are asked.
FORMATS = {
    "caliscope": "tf_pose3d.data.calibration.formats.caliscope",
    "freemocap": "tf_pose3d.data.calibration.formats.freemocap",
    "camera_tables": "tf_pose3d.data.calibration.formats.camera_tables",
    "easymocap": "tf_pose3d.data.calibration.formats.easymocap",
    "opencv": "tf_pose3d.data.calibration.formats.opencv",
    "qualisys": "tf_pose3d.data.calibration.formats.qualisys",
    "panoptic": "tf_pose3d.data.calibration.formats.panoptic",
    "human36m": "tf_pose3d.data.calibration.formats.human36m",
    "placed_json": "tf_pose3d.data.calibration.formats.placed_json",
    "opencap": "tf_pose3d.data.calibration.formats.opencap",
}


def format_module(name: str) -> ModuleType:
    """The reader of a format."""
    return importlib.import_module(FORMATS[name])
