"""OpenCap's `cameraIntrinsicsExtrinsics.pickle`, one per camera, millimetres, read without running it.

`distortion` (5), `intrinsicMat`, `imageSize` [[h], [w]], `rotation`, `translation`: world (the board, which
stood upright) to camera, though OpenCap calls it the other way. The world is kept as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.record import Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, required
from tf_pose3d.errors import Pose3DError

__all__ = ["matches", "read"]

# OpenCap calls every camera's file so, in a folder Cam0, Cam1, ...
_COMMON = ("cameraintrinsicsextrinsics", "cameraintrinsics", "calibration")


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "pickle" and isinstance(source.content, dict) and "intrinsicMat" in source.content


def _name(path: Path) -> str:
    stem = path.stem
    return path.absolute().parent.name if stem.lower() in _COMMON else stem


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras, called by their files or, as OpenCap lays them out, by the folders.

    Raises:
        Pose3DError: A file without extrinsics, or that is no camera.
    """
    where = named(sources)
    notes = [f"{where}: OpenCap's world is its board's, which stands upright: z is not up"]
    cameras = []
    for source in sources:
        held, place = source.content, str(source)
        if "rotation" not in held or "translation" not in held:
            raise Pose3DError(f"{place} holds intrinsics only: give cameraIntrinsicsExtrinsics.pickle")
        size = held.get("imageSize")
        height_width = None if size is None else numbers(size, f"{place}: imageSize", (2,))
        cameras.append(
            camera_from_vectors(
                _name(source.path),
                None if height_width is None else image_size(height_width[::-1], f"{place}: imageSize"),
                numbers(required(held, "intrinsicMat", place), f"{place}: intrinsicMat", (3, 3)),
                numbers(held.get("distortion", [0.0] * 5), f"{place}: distortion"),
                numbers(held["rotation"], f"{place}: rotation", (3, 3), (3,)),
                numbers(held["translation"], f"{place}: translation", (3,)),
            )
        )
    return assembled(where, "opencap", cameras, notes, "mm", asked_unit=unit)
