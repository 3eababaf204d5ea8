"""Writers of calibrations: our own TOML, Pose2Sim's, and OpenCV's, one file a camera."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, write_whole

__all__ = ["WRITERS", "write_cameras"]

# Name -> what it writes.
WRITERS = {
    "tf_pose3d": "TOML with a table per camera and the unit; Pose2Sim and aniposelib read it, too",
    "pose2sim": "Pose2Sim's TOML",
    "opencv": "a folder with a FileStorage file per camera, YAML",
    "opencv_xml": "the same in XML",
}


def write_cameras(
    path: str | os.PathLike[str],
    cameras: Sequence[CalibratedCamera],
    file_format: str | None = None,
    notes: Iterable[str] = (),
) -> None:
    """Writes cameras, whole or not at all; lengths in metres, numbers with all their digits.

    Args:
        path: The file; of OpenCV's formats the folder.
        cameras: What to write.
        file_format: A name of `WRITERS`; None: ours for a name that ends in `.toml`, else OpenCV's.
        notes: What to say on top of our own file, a line each, e.g. how good the calibration is.

    Raises:
        Pose3DError: It cannot be written, an unknown format, no camera, or names that cannot be file names.
    """
    path = Path(path)
    if file_format is None:
        if path.suffix.lower() not in ("", ".toml"):
            raise Pose3DError(
                f"{path}: cameras are written as .toml, or into a folder (OpenCV's YAML), not {path.suffix}"
            )
        file_format = "tf_pose3d" if path.suffix else "opencv"
    if file_format not in WRITERS:
        raise Pose3DError(f"unknown format {file_format!r}, expected one of {', '.join(WRITERS)}")
    if not cameras:
        raise Pose3DError(f"{path}: there is no camera to write")
    if file_format in ("tf_pose3d", "pose2sim"):
        with write_whole(path, "w") as file:
            file.write(_toml(cameras, file_format == "tf_pose3d", notes))
        return
    folder = require_writable_folder(path)
    for camera in cameras:
        if not re.fullmatch(r"[\w.-]{1,100}", camera.name) or camera.name.startswith("."):
            raise Pose3DError(
                f"camera {camera.name!r}: its name can be no file name; OpenCV's files are named so"
            )
    for camera in cameras:
        if file_format == "opencv":
            with write_whole(folder / f"{camera.name}.yml", "w") as file:
                file.write(_yaml(camera))
        else:
            with write_whole(folder / f"{camera.name}.xml", "w") as file:
                file.write(_xml(camera))


def _list(values: npt.ArrayLike) -> str:
    return "[" + ", ".join(repr(float(value)) for value in np.ravel(values)) + "]"


def _matrix(values: npt.NDArray[np.float64]) -> str:
    return "[" + ", ".join(_list(row) for row in values) + "]"


def _distortion(camera: CalibratedCamera) -> npt.NDArray[np.float64]:
    """Four coefficients where the fifth is 0: what every reader takes."""
    if not camera.fisheye and len(camera.distortion) == 5 and camera.distortion[4] == 0:
        return camera.distortion[:4]
    return camera.distortion


def _toml(cameras: Sequence[CalibratedCamera], ours: bool, notes: Iterable[str]) -> str:
    lines = [f"# {' '.join(note.split())}" for note in notes] if ours else []
    for camera in cameras:
        key = camera.name if re.fullmatch(r"[A-Za-z0-9_-]+", camera.name) else json.dumps(camera.name)
        lines += [f"[{key}]", f"name = {json.dumps(camera.name)}"]
        if camera.size is not None:
            lines.append(f"size = [{float(camera.size[0])}, {float(camera.size[1])}]")
        lines += [
            f"matrix = {_matrix(camera.matrix)}",
            f"distortions = {_list(camera.distortion if ours else _distortion(camera))}",
            f"rotation = {_list(camera.rotation_vector)}",
            f"translation = {_list(camera.translation)}",
            f"fisheye = {'true' if camera.fisheye else 'false'}",
            "",
        ]
    lines += ["[metadata]", "adjusted = false", "error = 0.0"]
    if ours:
        lines += ['unit = "m"', 'writer = "tf_pose3d"']
    return "\n".join(lines) + "\n"


def _fields(camera: CalibratedCamera) -> list[tuple[str, npt.NDArray[np.float64]]]:
    return [
        ("camera_matrix", camera.matrix),
        ("distortion_coefficients", _distortion(camera)[None]),
        ("rvec", camera.rotation_vector[:, None]),
        ("R", camera.rotation),
        ("T", camera.translation[:, None]),
    ]


def _scalars(camera: CalibratedCamera) -> list[tuple[str, str]]:
    size = [] if camera.size is None else [("image_width", camera.size[0]), ("image_height", camera.size[1])]
    return [
        ("camera_name", f'"{camera.name}"'),
        ("length_unit", '"m"'),
        *((key, str(value)) for key, value in size),
        ("fisheye_model", str(int(camera.fisheye))),
    ]


def _yaml(camera: CalibratedCamera) -> str:
    lines = ["%YAML:1.0", "---", *(f"{key}: {value}" for key, value in _scalars(camera))]
    for key, matrix in _fields(camera):
        rows, cols = matrix.shape
        lines += [f"{key}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {cols}", "   dt: d"]
        lines.append(f"   data: [ {', '.join(repr(float(value)) for value in matrix.ravel())} ]")
    return "\n".join(lines) + "\n"


def _xml(camera: CalibratedCamera) -> str:
    lines = ['<?xml version="1.0"?>', "<opencv_storage>"]
    lines += [f"<{key}>{value}</{key}>" for key, value in _scalars(camera)]
    for key, matrix in _fields(camera):
        rows, cols = matrix.shape
        numbers = " ".join(repr(float(value)) for value in matrix.ravel())
        lines.append(
            f'<{key} type_id="opencv-matrix"><rows>{rows}</rows><cols>{cols}</cols><dt>d</dt>'
            f"<data>{numbers}</data></{key}>"
        )
    return "\n".join([*lines, "</opencv_storage>"]) + "\n"
