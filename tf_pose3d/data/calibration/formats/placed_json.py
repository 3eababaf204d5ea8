"""JSON of R (world to camera) and T (the camera's place), millimetres: VoxelPose's and DenseWarper's.

VoxelPose (Shelf, Campus): an object of cameras "0", "1", ... with `R`, `T`, `fx fy cx cy`, `k` (k1 k2 k3),
`p` (p1 p2).
DenseWarper: a list of such without `k` and `p`, one an image, with `box` where the person is. Neither holds
an image size; `name`, `width` and `height` are read where they are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, required, text_of, unused_keys
from tf_pose3d.errors import Pose3DError, shown, shown_name
from tf_pose3d.types import Parsed

__all__ = ["boxes_of", "entries_of", "matches", "read"]

_NEEDED = ("R", "T", "fx", "fy", "cx", "cy")
_KEYS = (*_NEEDED, "k", "p", "box", "name", "width", "height")


def entries_of(content: Parsed) -> dict[str, Parsed]:
    """Name -> entry of a file of this kind."""
    if isinstance(content, list):
        return {str(number): entry for number, entry in enumerate(content)}
    return {str(key): entry for key, entry in content.items()} if isinstance(content, dict) else {}


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "json" and any(
        isinstance(entry, dict) and "R" in entry and "T" in entry and "fx" in entry
        for entry in entries_of(source.content).values()
    )


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files.

    Raises:
        Pose3DError: An entry that is no camera.
    """
    where = named(sources)
    cameras, notes = [], []
    for source in sources:
        for key, entry in entries_of(source.content).items():
            camera, said = _camera(entry, key, f"{source}: camera {shown_name(key)}")
            cameras.append(camera)
            notes += said
    if not any(camera.size for camera in cameras):
        notes.append(f"{where}: no image sizes: that images were cropped or turned would not show")
    return assembled(where, "placed_json", cameras, notes, "mm", asked_unit=unit)


def boxes_of(path: str | Path) -> list[npt.NDArray[np.float32] | None]:
    """Each camera's `box` (left, top, right, bottom, pixels), or None; of files of other kinds nothing.

    Raises:
        Pose3DError: A box that is none.
    """
    if Path(path).is_dir():
        return []
    source = CalibrationSource(path)
    if not matches(source):
        return []
    boxes: list[npt.NDArray[np.float32] | None] = []
    for key, entry in entries_of(source.content).items():
        if not isinstance(entry, Mapping) or entry.get("box") is None:
            boxes.append(None)
            continue
        where = f"{source}: camera {shown_name(key)}: box"
        left, top, right, bottom = numbers(entry["box"], where, (4,))
        if right <= left or bottom <= top:
            raise Pose3DError(
                f"{where} must be left, top, right, bottom in pixels, got {shown(entry['box'])}"
            )
        boxes.append(np.array([left, top, right, bottom], np.float32))
    return boxes


def _camera(entry: Parsed, key: str, where: str) -> tuple[CalibratedCamera, list[str]]:
    if not isinstance(entry, Mapping):
        raise Pose3DError(f"{where} is no object with {', '.join(_NEEDED)}")
    fx, fy, cx, cy = (
        float(numbers(required(entry, name, where), f"{where}: {name}", (1,))[0]) for name in _NEEDED[2:]
    )
    k1, k2, k3 = numbers(entry.get("k", [0.0] * 3), f"{where}: k", (3,))
    p1, p2 = numbers(entry.get("p", [0.0] * 2), f"{where}: p", (2,))
    rotation = numbers(required(entry, "R", where), f"{where}: R", (3, 3))
    place = numbers(required(entry, "T", where), f"{where}: T", (3,))
    size = None
    if entry.get("width") is not None and entry.get("height") is not None:
        size = image_size([entry["width"], entry["height"]], f"{where}: width, height")
    camera = camera_from_vectors(
        text_of(entry.get("name", key), f"{where}: name"),
        size,
        [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        [k1, k2, p1, p2, k3],
        rotation,
        -rotation @ place,
    )
    return camera, unused_keys(entry, _KEYS, where)
