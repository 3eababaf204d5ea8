"""Qualisys's `.qca.txt` and Theia3D's calibration: the same XML with different meanings.

Qualisys: lengths of the sensor in 1/64 pixel; `x y z` the camera's place, rows `rij` its axes (x right, y up,
z back); the principal point counts from the sensor's corner, the image begins at `fov_video`. Theia3D (by its
manual; no file of its own was to be had): pixels, and `R p + t` from world to camera. Both in millimetres.
Coefficients are dimensionless as QTM writes them; Pose2Sim divides them by 64, for which files are around:
that reading is an alternative, for keypoints to choose.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, Reading, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import text_of
from tf_pose3d.data.calibration.xml_text import Element
from tf_pose3d.errors import Pose3DError

__all__ = ["matches", "read"]

_SUBPIXELS = 64
# No image is that wide; a sensor of 1/64 pixels is.
_WIDEST_IMAGE = 20_000
_LARGEST = 1e12
_AXES = np.diag([1.0, -1.0, -1.0])


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    if source.kind != "xml" or not isinstance(source.content, Element):
        return False
    return any(
        camera.child("transform") is not None and camera.child("intrinsic") is not None
        for camera in source.content.every("camera")
    )


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files, called by their serial.

    Args:
        sources: Files of this format.
        unit: What the user says that lengths are in.

    Raises:
        Pose3DError: A camera without its numbers, or files of both meanings.
    """
    where = named(sources)
    cameras, notes, kinds, turns = [], [], set(), {}
    for source in sources:
        for number, element in enumerate(source.content.every("camera")):
            name = text_of(element.attributes.get("serial", ""), f"{source}: serial of camera {number}")
            if element.attributes.get("active", "1") == "0":
                notes.append(f'{source}: camera {name}: active="0", left out')
                continue
            camera, subpixels = _camera(element, name, f"{source}: camera {name}")
            cameras.append(camera)
            kinds.add(subpixels)
            turned = element.attributes.get("viewrotation", "0")
            if turned not in ("0", "0.0"):
                turns[name] = turned
    if len(kinds) > 1:
        raise Pose3DError(f"{where}: some cameras are in pixels (Theia3D), some in 1/64 pixels (Qualisys)")
    theia = kinds == {False}
    others = []
    if theia:
        notes.append(
            f"{where}: read as Theia3D's by its manual (pixels, world to camera), which no real file was "
            "to be had to try"
        )
        others.append(Reading("camera places and axes as Qualisys writes them", _as_qualisys(cameras)))
    elif any(camera.distortion.any() for camera in cameras):
        scaled = tuple(
            dataclasses.replace(camera, distortion=camera.distortion / _SUBPIXELS) for camera in cameras
        )
        others.append(Reading("distortion in 1/64, as Pose2Sim takes it", scaled))
    if turns and not theia:
        listed = ", ".join(f"{name} by {turn}" for name, turn in turns.items())
        notes.append(
            f"{where}: viewrotation turns the view of {listed} degrees; keypoints are taken in pixels of the "
            "unturned sensor"
        )
        for quarter, words in ((1, "clockwise"), (3, "counter-clockwise"), (2, "upside down")):
            others.append(
                Reading(
                    f"images of {', '.join(turns)} turned {words}",
                    tuple(c.turned(quarter) if c.name in turns else c for c in cameras),
                )
            )
    return assembled(where, "theia3d" if theia else "qualisys", cameras, notes, "mm", others, asked_unit=unit)


def _attributes(element: Element | None, kind: str, where: str) -> Callable[..., float]:
    if element is None:
        raise Pose3DError(f"{where} has no <{kind}>")

    def number(name: str, default: float | None = None) -> float:
        text = element.attributes.get(name)
        if text is None and default is not None:
            return default
        if text is None:
            raise Pose3DError(f"{where}: <{kind}> has no {name}")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) < _LARGEST:
            raise Pose3DError(f"{where}: {name} is {text[:40]!r}, expected a finite number")
        return value

    return number


def _camera(element: Element, name: str, where: str) -> tuple[CalibratedCamera, bool]:
    """The camera with lengths in millimetres, and whether the sensor is measured in 1/64 pixels."""
    lens = _attributes(element.child("intrinsic"), "intrinsic", where)
    place = _attributes(element.child("transform"), "transform", where)
    sensor = lens("sensorMaxU", lens("sensorDimU", 0.0)), lens("sensorMaxV", lens("sensorDimV", 0.0))
    view = element.child("fov_video") or element.child("fov_video_max")
    left = top = 0.0
    size: tuple[int, int] | None = None
    if view is not None:
        edge = _attributes(view, view.name, where)
        left, top = edge("left"), edge("top")
        size = round(edge("right") - left + 1), round(edge("bottom") - top + 1)
    # A view that is a part of the sensor is smaller than it, never by that much.
    subpixels = sensor[0] > (8 * size[0] if size else _WIDEST_IMAGE)
    scale = _SUBPIXELS if subpixels else 1
    if size is None and sensor[0] > 0:
        # The last coordinate or the number of pixels: sensors have even numbers.
        full = [
            round((limit - lens(f"sensorMin{axis}", 0.0)) / scale)
            for limit, axis in zip(sensor, "UV", strict=True)
        ]
        size = full[0] + full[0] % 2, full[1] + full[1] % 2
    rotation = np.array([[place(f"r{i}{j}") for j in (1, 2, 3)] for i in (1, 2, 3)])
    position = np.array([place(axis) for axis in "xyz"])
    if subpixels:
        rotation = _AXES @ rotation
        position = -rotation @ position
    camera = camera_from_vectors(
        name,
        size,
        [
            [lens("focalLengthU") / scale, lens("skew", 0.0) / scale, lens("centerPointU") / scale - left],
            [0.0, lens("focalLengthV") / scale, lens("centerPointV") / scale - top],
            [0.0, 0.0, 1.0],
        ],
        [
            lens("radialDistortion1", 0.0),
            lens("radialDistortion2", 0.0),
            # QTM's own spelling; the manual of Theia3D has a third one.
            lens("tangentalDistortion1", lens("tangentialDistortion1", lens("tengentialDistortion1", 0.0))),
            lens("tangentalDistortion2", lens("tangentialDistortion2", lens("tengentialDistortion2", 0.0))),
            lens("radialDistortion3", 0.0),
        ],
        rotation,
        position,
    )
    return camera, subpixels


def _as_qualisys(cameras: Sequence[CalibratedCamera]) -> tuple[CalibratedCamera, ...]:
    """Cameras read as R p + t whose numbers are places and axes."""
    return tuple(
        dataclasses.replace(
            camera,
            rotation=_AXES @ camera.rotation,
            translation=-(_AXES @ camera.rotation) @ camera.translation,
        )
        for camera in cameras
    )
