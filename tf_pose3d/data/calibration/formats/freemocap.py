"""FreeMoCap's TOML: aniposelib's tables with each camera's place in the world beside, in millimetres.

`world_position` is -R^T t and `world_orientation` R^T (camera to world); they repeat `rotation` and
`translation`, and a file in which they contradict each other is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.formats.camera_tables import camera_of_table, camera_tables_of
from tf_pose3d.data.calibration.record import Calibration
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import numbers, text_of
from tf_pose3d.errors import Pose3DError, shown_name

__all__ = ["matches", "read"]


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "toml" and any(
        "world_position" in table for table in camera_tables_of(source.content).values()
    )


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files; see `camera_tables.read`.

    Raises:
        Pose3DError: A table that is no camera, or whose two places in the world differ.
    """
    cameras, notes = [], []
    for source in sources:
        for key, table in camera_tables_of(source.content).items():
            where = f"{source}: {shown_name(key)}"
            camera, said = camera_of_table(table, text_of(table.get("name", key), f"{where}: name"), where)
            cameras.append(camera)
            notes += said
            if "world_position" in table:
                place = numbers(table["world_position"], f"{where}: world_position", (3,))
                distance = float(np.linalg.norm(place - camera.centre))
                if distance > 1e-3 * (1 + float(np.linalg.norm(place))):
                    raise Pose3DError(
                        f"{where}: world_position is {distance:.4g} from where rotation and translation put "
                        "the camera; calibrate again or remove world_position"
                    )
    return assembled(named(sources), "freemocap", cameras, notes, "mm", asked_unit=unit)
