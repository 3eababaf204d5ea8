"""TOML with a table per camera: Pose2Sim's, aniposelib's and our own.

`name`, `size` [w, h], `matrix` 3x3, `distortions` (k1 k2 p1 p2, k3; four of a fisheye lens), `rotation`
(Rodrigues vector, world to camera), `translation`, `fisheye`. Pose2Sim writes metres and four coefficients,
aniposelib the unit of the board that it was calibrated with; ours states `[metadata] unit`. Pose2Sim alone
says of a lens that it is no fisheye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tf_pose3d.data.calibration.assembly import METRES, assembled
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, required, text_of, unused_keys
from tf_pose3d.errors import Pose3DError, shown, shown_name
from tf_pose3d.types import Parsed

__all__ = ["camera_of_table", "camera_tables_of", "matches", "read"]

_KEYS = ("name", "size", "matrix", "distortions", "rotation", "translation", "fisheye")
# Tables beside the cameras, in Pose2Sim's and Caliscope's files.
_OTHERS = ("metadata", "capture_volume", "charuco", "checkerboard", "point_estimates")


def camera_tables_of(content: Parsed) -> dict[str, dict[str, Parsed]]:
    """The tables of a TOML file that hold cameras."""
    if not isinstance(content, Mapping):
        return {}
    return {
        str(key): value
        for key, value in content.items()
        if isinstance(value, dict) and key not in _OTHERS and "matrix" in value
    }


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    return source.kind == "toml" and bool(camera_tables_of(source.content))


def camera_of_table(table: Mapping[str, Parsed], name: str, where: str) -> tuple[CalibratedCamera, list[str]]:
    """A camera with lengths as in the file, and what there is to say.

    Args:
        table: The camera's table.
        name: What to call it.
        where: Names file and camera in messages.

    Raises:
        Pose3DError: Something is missing or no camera's.
    """
    notes = []
    fisheye = table.get("fisheye", False)
    if type(fisheye) is not bool:
        raise Pose3DError(f"{where}: fisheye is {shown(fisheye)}, expected true or false")
    matrix = numbers(required(table, "matrix", where), f"{where}: matrix", (3, 3))
    distortion = numbers(table.get("distortions", []), f"{where}: distortions")
    if not len(distortion):
        notes.append(f"{where}: no distortions, taken as a lens without any")
        distortion = numbers([0.0] * (4 if fisheye else 5), where)
    size = image_size(table["size"], f"{where}: size") if "size" in table else None
    if size is None:
        notes.append(f"{where}: no size: that images were cropped or turned since calibration would not show")
    camera = camera_from_vectors(
        name,
        size,
        matrix,
        distortion,
        numbers(required(table, "rotation", where), f"{where}: rotation", (3,), (3, 3)),
        numbers(required(table, "translation", where), f"{where}: translation", (3,)),
        fisheye,
    )
    return camera, notes


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of the files.

    Args:
        sources: Files of this format.
        unit: What the user says that lengths are in.

    Raises:
        Pose3DError: A table that is no camera.
    """
    cameras, notes = [], []
    stated: set[str] = set()
    pose2sim = False
    for source in sources:
        for key, table in camera_tables_of(source.content).items():
            where = f"{source}: {shown_name(key)}"
            name = text_of(table.get("name", key), f"{where}: name")
            if "rotation" not in table and "translation" not in table:
                notes.append(f"{where}: no rotation and translation: not calibrated, left out")
                continue
            camera, said = camera_of_table(table, name, where)
            cameras.append(camera)
            pose2sim = pose2sim or table.get("fisheye") is False
            notes += said + unused_keys(table, _KEYS, where)
        metadata = source.content.get("metadata")
        if isinstance(metadata, dict) and metadata.get("unit") is not None:
            if metadata["unit"] not in METRES:
                expected = ", ".join(METRES)
                raise Pose3DError(f"{source}: unit is {shown(metadata['unit'])}, expected one of {expected}")
            stated.add(metadata["unit"])
    if len(stated) > 1:
        raise Pose3DError(f"{sources[0]} and others state different units: {', '.join(sorted(stated))}")
    return assembled(
        named(sources),
        "camera_tables",
        cameras,
        notes,
        stated.pop() if stated else None,
        asked_unit=unit,
        usual_unit="m" if pose2sim else None,
    )
