"""EasyMocap's `intri.yml` and `extri.yml`: a suffix per camera, metres, world to camera, z up.

`names`; `K_n`, `dist_n` (or `D_n`), `H_n`, `W_n` (may be missing); `R_n` (Rodrigues vector), `Rot_n`
(matrix), `T_n`. Names are texts, also "1" and "01".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tf_pose3d.data.calibration.assembly import assembled
from tf_pose3d.data.calibration.formats.opencv import storage_of
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, text_of
from tf_pose3d.errors import Pose3DError
from tf_pose3d.lens import rotation_vector_to_matrix
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format: intrinsics or extrinsics."""
    storage = storage_of(source) if source.kind in ("yaml", "xml") else None
    return (
        storage is not None
        and "names" in storage
        and any(key.startswith(("K_", "Rot_", "R_")) for key in storage)
    )


def read(sources: Sequence[CalibrationSource], unit: str | None = None) -> Calibration:
    """The cameras of both files.

    Args:
        sources: `intri.yml` and `extri.yml`, or one file that holds the keys of both.
        unit: What the user says that lengths are in.

    Raises:
        Pose3DError: One of the two is missing, or a camera in one of them.
    """
    where = named(sources)
    storage: dict[str, Parsed] = {}
    names: list[str] = []
    for source in sources:
        held = storage_of(source) or {}
        listed = held.get("names")
        if not isinstance(listed, list):
            raise Pose3DError(f"{source}: names must be a list of the cameras' names")
        names += [
            name for name in (text_of(name, f"{source}: names") for name in listed) if name not in names
        ]
        twice = [key for key in held if key in storage and key != "names" and key[:2] in ("K_", "R_", "T_")]
        if twice:
            raise Pose3DError(f"{where}: {twice[0]} stands in two of the files")
        storage |= held
    for start, other in (("K_", "intri.yml"), ("T_", "extri.yml")):
        if not any(key.startswith(start) for key in storage):
            raise Pose3DError(f"{where}: no {start}{names[0] if names else '...'}: give {other}, too")
    cameras, notes = [], []
    for name in names:
        camera, said = _camera(storage, name, where)
        cameras.append(camera)
        notes += said
    return assembled(where, "easymocap", cameras, notes, "m", asked_unit=unit)


def _camera(storage: Mapping[str, Parsed], name: str, where: str) -> tuple[CalibratedCamera, list[str]]:
    notes = []
    for key in (f"K_{name}", f"T_{name}"):
        if key not in storage:
            raise Pose3DError(f"{where}: camera {name} has no {key}; cameras of both files must be the same")
    turn = storage.get(f"Rot_{name}")
    if turn is None:
        turn = storage.get(f"R_{name}")
    if turn is None:
        raise Pose3DError(f"{where}: camera {name} has no R_{name} and no Rot_{name}")
    rotation = numbers(turn, f"{where}: rotation of {name}", (3, 3), (3,))
    vector = storage.get(f"R_{name}")
    if vector is not None and rotation.shape == (3, 3):
        other = numbers(vector, f"{where}: R_{name}", (3,), (3, 3))
        other = other if other.shape == (3, 3) else rotation_vector_to_matrix(other)
        if np.abs(other - rotation).max() > 1e-3:
            raise Pose3DError(f"{where}: R_{name} and Rot_{name} are different rotations")
    bent = storage.get(f"dist_{name}", storage.get(f"D_{name}"))
    if bent is None:
        notes.append(f"{where}: camera {name} has no dist_{name}, taken as a lens without distortion")
    size = None
    if storage.get(f"W_{name}") is not None and storage.get(f"H_{name}") is not None:
        size = image_size([storage[f"W_{name}"], storage[f"H_{name}"]], f"{where}: W_{name}, H_{name}")
    else:
        notes.append(
            f"{where}: camera {name} has no W_{name}, H_{name}: that images were cropped would not show"
        )
    camera = camera_from_vectors(
        name,
        size,
        numbers(storage[f"K_{name}"], f"{where}: K_{name}", (3, 3)),
        numbers([0.0] * 5 if bent is None else bent, f"{where}: dist_{name}"),
        rotation,
        numbers(storage[f"T_{name}"], f"{where}: T_{name}", (3,)),
    )
    return camera, notes
