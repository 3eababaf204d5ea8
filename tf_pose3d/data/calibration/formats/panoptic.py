"""CMU Panoptic's `calibration_*.json`: `cameras` with K, distCoef, R, t (world to camera), centimetres.

Its world has y pointing down; it is kept as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.record import Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, required, text_of
from tf_pose3d.errors import Pose3DError

__all__ = ["matches", "read"]


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    if source.kind != "json" or not isinstance(source.content, dict):
        return False
    cameras = source.content.get("cameras")
    return isinstance(cameras, list) and any(
        isinstance(camera, dict) and {"K", "R", "t"} <= camera.keys() for camera in cameras
    )


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files.

    Raises:
        Pose3DError: An entry that is no camera.
    """
    where = named(sources)
    cameras = []
    notes = [f"{where}: CMU Panoptic: centimetres, and a world with y pointing down unless it was turned"]
    for source in sources:
        for number, entry in enumerate(source.content["cameras"]):
            place = f"{source}: camera {number}"
            if not isinstance(entry, dict):
                raise Pose3DError(f"{place} is no object with name, K, distCoef, R and t")
            bent = entry.get("distCoef")
            if bent is None:
                notes.append(f"{place}: no distCoef, taken as a lens without distortion")
            size = entry.get("resolution")
            cameras.append(
                camera_from_vectors(
                    text_of(required(entry, "name", place), f"{place}: name"),
                    None if size is None else image_size(size, f"{place}: resolution"),
                    numbers(required(entry, "K", place), f"{place}: K", (3, 3)),
                    numbers([0.0] * 5 if bent is None else bent, f"{place}: distCoef"),
                    numbers(required(entry, "R", place), f"{place}: R", (3, 3)),
                    numbers(required(entry, "t", place), f"{place}: t", (3,)),
                )
            )
    return assembled(where, "panoptic", cameras, notes, "cm", asked_unit=unit)
