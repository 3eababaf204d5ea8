"""Human3.6M's cameras as VideoPose3D writes them, in JSON: per subject a list of cameras, millimetres.

`orientation` is a unit quaternion w x y z from camera to world, `translation` the camera's place. The lens is
taken as OpenCV's (k1 k2 p1 p2 k3), as in the data set's own code; VideoPose3D's projection has other
tangential terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, required, text_of
from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]


def _groups(content: Parsed) -> dict[str, list[Parsed]]:
    """Subject -> its cameras."""
    if isinstance(content, list):
        content = {"": content}
    if not isinstance(content, Mapping):
        return {}
    return {
        str(key): value
        for key, value in content.items()
        if isinstance(value, list) and any(isinstance(c, Mapping) and "orientation" in c for c in value)
    }


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "json" and bool(_groups(source.content))


def read(
    sources: Sequence[CalibrationSource], unit: str | None = None, group: str | None = None
) -> Calibration:
    """The cameras of one subject.

    Args:
        sources: Files of this format.
        unit: What the user says that lengths are in.
        group: Which subject, where the files hold several.

    Raises:
        Pose3DError: Several subjects and none chosen, or an entry that is no camera.
    """
    where = named(sources)
    groups = {key: (source, held) for source in sources for key, held in _groups(source.content).items()}
    if group is None and len(groups) == 1:
        group = next(iter(groups))
    if group not in groups:
        raise Pose3DError(
            f"{where} holds cameras of {', '.join(groups)}: choose one (--camera_group {next(iter(groups))})"
        )
    source, held = groups[group]
    cameras = [_camera(entry, f"{source}: {group} camera {number}") for number, entry in enumerate(held)]
    return assembled(where, "human36m", cameras, [], "mm", asked_unit=unit)


def _camera(entry: Parsed, where: str) -> CalibratedCamera:
    if not isinstance(entry, Mapping):
        raise Pose3DError(f"{where} is no object with orientation and translation")
    quaternion = numbers(required(entry, "orientation", where), f"{where}: orientation", (4,))
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1) > 1e-3:
        raise Pose3DError(f"{where}: orientation is no unit quaternion: its length is {length:.4g}")
    rotation = quaternion_to_matrix(quaternion / length).T
    place = numbers(required(entry, "translation", where), f"{where}: translation", (3,))
    fx, fy = numbers(required(entry, "focal_length", where), f"{where}: focal_length", (2,))
    cx, cy = numbers(required(entry, "center", where), f"{where}: center", (2,))
    k1, k2, k3 = numbers(entry.get("radial_distortion", [0.0] * 3), f"{where}: radial_distortion", (3,))
    p1, p2 = numbers(entry.get("tangential_distortion", [0.0] * 2), f"{where}: tangential_distortion", (2,))
    size = None
    if entry.get("res_w") is not None and entry.get("res_h") is not None:
        size = image_size([entry["res_w"], entry["res_h"]], f"{where}: res_w, res_h")
    return camera_from_vectors(
        text_of(required(entry, "id", where), f"{where}: id"),
        size,
        [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        [k1, k2, p1, p2, k3],
        rotation,
        -rotation @ place,
    )
