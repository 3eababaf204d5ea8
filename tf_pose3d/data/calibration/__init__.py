"""Calibrated cameras of anybody's files: one record, a reader per format, writers."""

from __future__ import annotations

from tf_pose3d.data.calibration.formats import FORMATS
from tf_pose3d.data.calibration.reading import read_calibration, read_cameras
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, Reading

__all__ = ["FORMATS", "CalibratedCamera", "Calibration", "Reading", "read_calibration", "read_cameras"]
