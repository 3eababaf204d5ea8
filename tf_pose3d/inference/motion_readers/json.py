"""JSON files as this package writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.arrays import motion_of_values
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions
from tf_pose3d.json_text import decode_text, parse_json

__all__ = ["read"]


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads `frames` with `pose_3d`, null where there is none.

    Raises:
        Pose3DError: No such file of this package.
    """
    try:
        text = decode_text(path.read_bytes(), path)
    except OSError as error:
        raise Pose3DError(f"{path}: {error.strerror}") from None
    content = parse_json(text, path)
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
        raise Pose3DError(f"{path}: no list of frames with pose_3d, as --output x.json writes it")
    seen = next((frame["pose_3d"] for frame in frames if frame.get("pose_3d") is not None), None)
    if seen is None:
        raise Pose3DError(f"{path}: none of the {len(frames)} frames has a pose")
    values: dict[str, Any] = {name: value for name, value in content.items() if name != "frames"}
    try:
        missing = np.full(np.asarray(seen, np.float64).shape, np.nan)
        values["pose_3d"] = np.array(
            [missing if frame.get("pose_3d") is None else frame["pose_3d"] for frame in frames], np.float64
        )
        if all("pose_2d" in frame for frame in frames):
            values["pose_2d"] = np.array([frame["pose_2d"] for frame in frames], np.float64)
    except (TypeError, ValueError, OverflowError):
        raise Pose3DError(f"{path}: a pose_3d or pose_2d that is no list of joints") from None
    return motion_of_values(values, str(path), options)
