"""Calibrated cameras of anybody's files: one record, a reader per format, writers."""

from __future__ import annotations

from tf_pose3d.data.calibration.evidence import settled
from tf_pose3d.data.calibration.formats import FORMATS
from tf_pose3d.data.calibration.images import fitted_to_images
from tf_pose3d.data.calibration.reading import read_calibration, read_cameras
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, Reading
from tf_pose3d.data.calibration.writing import WRITERS, write_cameras

__all__ = [
    "FORMATS",
    "WRITERS",
    "CalibratedCamera",
    "Calibration",
    "Reading",
    "fitted_to_images",
    "read_calibration",
    "read_cameras",
    "settled",
    "write_cameras",
]
