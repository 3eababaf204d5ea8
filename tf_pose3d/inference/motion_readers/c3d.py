"""C3D marker files, by ezc3d, the extra `c3d`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.markers import markers_to_motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

__all__ = ["read"]

_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads points by their labels; occluded ones are missing.

    Raises:
        Pose3DError: ezc3d is not installed or cannot read the file, or no point has a known label.
    """
    require_extra("ezc3d", "ezc3d", "c3d", f"{path}: reading .c3d")
    import ezc3d

    try:
        file = ezc3d.c3d(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise Pose3DError(f"{path} is no C3D file that ezc3d can read: {error}") from None
    parameters = file["parameters"]["POINT"]
    points = np.asarray(file["data"]["points"], np.float64)[:3].transpose(2, 1, 0)
    names = [str(name) for name in parameters.get("LABELS", {"value": []})["value"]][: points.shape[1]]
    if len(names) < points.shape[1]:
        names += [f"*{number}" for number in range(len(names), points.shape[1])]
    unit = next(iter(parameters.get("UNITS", {"value": []})["value"]), "").strip().lower()
    rate = float(next(iter(parameters.get("RATE", {"value": []})["value"]), 0.0))
    if options.fps is None and not 1 <= rate <= 10_000:
        raise Pose3DError(f"{path}: a rate of {rate:g} per second, expected 1 to 10,000: give the rate")
    points[(points == 0).all(axis=2)] = np.nan
    return markers_to_motion(points, names, rate, str(path), options, _UNITS.get(unit), usual_up="z")
