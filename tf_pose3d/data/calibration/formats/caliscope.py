"""Caliscope's `camera_array.toml`: tables under `cameras`, metres, world to camera.

`rotation` is a Rodrigues vector, in older files a matrix; `cam_id` was `port`; older sessions keep the same
tables as `[cam_0]` in `config.toml`. Cameras that are not calibrated have no rotation. `rotation_count` says
how Caliscope turns a video while it looks for joints; it turns them back, so pixels are those of the video as
it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.formats.camera_tables import camera_of_table, camera_tables_of
from tf_pose3d.data.calibration.record import Calibration
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import text_of
from tf_pose3d.errors import shown, shown_name
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]


def _tables(content: Parsed) -> dict[str, dict[str, Parsed]]:
    if not isinstance(content, Mapping):
        return {}
    held = content.get("cameras")
    if isinstance(held, dict):
        tables = {str(key): value for key, value in held.items() if isinstance(value, dict)}
        return tables if any("size" in table or "matrix" in table for table in tables.values()) else {}
    return {key: table for key, table in camera_tables_of(content).items() if "port" in table}


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "toml" and bool(_tables(source.content))


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files, called `cam_0` and so on by their numbers.

    Args:
        sources: Files of this format.
        unit: What the user says that lengths are in.

    Raises:
        Pose3DError: A table that is no camera, or no camera that is calibrated.
    """
    cameras, notes = [], []
    for source in sources:
        for key, table in _tables(source.content).items():
            where = f"{source}: camera {shown_name(key)}"
            number = table.get("cam_id", table.get("port", key.removeprefix("cam_")))
            name = f"cam_{text_of(number, f'{where}: cam_id')}"
            if table.get("ignore") is True:
                notes.append(f"{where}: ignore = true, left out")
                continue
            if table.get("rotation") is None or table.get("translation") is None or "matrix" not in table:
                notes.append(f"{where}: not calibrated, left out")
                continue
            camera, said = camera_of_table(table, name, where)
            cameras.append(camera)
            notes += said
            if table.get("rotation_count", 0) not in (0, None):
                notes.append(
                    f"{where}: rotation_count is {shown(table['rotation_count'])}: keypoints must be in "
                    "pixels of the video as recorded, not of the turned picture"
                )
    return assembled(named(sources), "caliscope", cameras, notes, "m", asked_unit=unit)
