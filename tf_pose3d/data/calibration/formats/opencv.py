"""OpenCV's FileStorage, YAML or XML: one file a camera, or `stereo_calib`'s two files of a pair.

Names are free there. Known are those that OpenCV's own programs, ROS and people's scripts use; others are
named by the user (`keys`). The file says neither unit nor direction: world to camera, as `solvePnP` gives it,
unless people show otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.assembly import METRES, assembled
from tf_pose3d.data.calibration.opencv_yaml import matrix_of
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, Reading, camera_from_vectors
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.data.calibration.values import image_size, numbers, text_of
from tf_pose3d.data.calibration.xml_text import Element
from tf_pose3d.errors import Pose3DError, shown, shown_name
from tf_pose3d.lens import rotation_vector_to_matrix
from tf_pose3d.types import Parsed

__all__ = ["inverted", "matches", "read", "storage_of"]

# What we call it -> what files call it, compared without case, `_` and `-`.
_NAMES = {
    "matrix": (
        "cameramatrix",
        "intrinsicmatrix",
        "intrinsics",
        "intrinsic",
        "cameraintrinsics",
        "k",
        "m",
        "mtx",
    ),
    "distortion": (
        "distortioncoefficients",
        "distortioncoeffs",
        "distcoeffs",
        "distcoefs",
        "distcoef",
        "distortions",
        "distortion",
        "dist",
        "d",
    ),
    "rotation": ("rvec", "rotationvector", "rotationmatrix", "rotation", "rot", "r"),
    "translation": ("tvec", "translationvector", "translation", "trans", "t"),
    "size": ("imagesize", "imgsize", "size", "resolution"),
    "width": ("imagewidth", "width", "w"),
    "height": ("imageheight", "height", "h"),
    "name": ("cameraname", "name", "camera", "serial", "serialnumber", "id"),
    "fisheye": ("fisheyemodel", "fisheye"),
    "model": ("distortionmodel", "cameramodel", "model"),
    "unit": ("lengthunit", "unit", "units"),
}
_FISHEYE_MODELS = ("fisheye", "equidistant", "kannalabrandt4")
_STEREO = ("M1", "D1", "M2", "D2")


def storage_of(source: CalibrationSource) -> dict[str, Parsed] | None:
    """Keys and values of a FileStorage file, matrices as arrays; None if it is something else."""
    content = source.content
    if isinstance(content, Element):
        if content.name != "opencv_storage":
            return None
        return {
            child.name: _xml_value(child, f"{source}: {shown_name(child.name)}") for child in content.children
        }
    if source.kind != "yaml" or not isinstance(content, dict):
        return None
    return {str(key): matrix_of(value, f"{source}: {shown_name(key)}") for key, value in content.items()}


def _xml_value(element: Element, where: str) -> Parsed:
    if element.children and {child.name for child in element.children} == {"_"}:
        return [_xml_value(child, where) for child in element.children]
    if element.children:
        value = {child.name: _xml_value(child, where) for child in element.children}
        if "data" in value and not isinstance(value["data"], list):
            value["data"] = element.children[-1].text.split()
        return matrix_of(value, where)
    text = element.text.strip()
    if text[:1] == '"' == text[-1:] and len(text) > 1:
        return text[1:-1]
    try:
        values = [float(part) if not part.lstrip("+-").isdecimal() else int(part) for part in text.split()]
    except ValueError:
        return text
    return values[0] if len(values) == 1 else values


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _field(storage: Mapping[str, Parsed], field: str, keys: Mapping[str, str]) -> tuple[str, Parsed]:
    """The key under which a file holds a field, and the value; `("", None)` if it does not."""
    if field in keys:
        return keys[field], storage.get(keys[field])
    found = {_plain(key): key for key in reversed(list(storage))}
    for name in _NAMES[field]:
        if name in found:
            return found[name], storage[found[name]]
    return "", None


def matches(source: CalibrationSource) -> bool:
    """Whether a file is of this format."""
    storage = storage_of(source) if source.kind in ("yaml", "xml") else None
    return storage is not None and (
        _field(storage, "matrix", {})[1] is not None
        or all(key in storage for key in _STEREO)
        or ({"R", "T"} <= storage.keys() and {"R1", "P1"} <= storage.keys())
    )


def inverted(cameras: Sequence[CalibratedCamera]) -> tuple[CalibratedCamera, ...]:
    """Cameras whose rotation and translation were camera to world."""
    return tuple(
        dataclasses.replace(
            camera, rotation=camera.rotation.T, translation=-camera.rotation.T @ camera.translation
        )
        for camera in cameras
    )


def read(
    sources: Sequence[CalibrationSource], unit: str | None = None, keys: Mapping[str, str] | None = None
) -> Calibration:
    """The cameras of the files, called by the key `camera_name`, else by the files' names.

    Args:
        sources: Files of this format.
        unit: What the user says that lengths are in.
        keys: What the files call `matrix`, `distortion`, `rotation`, `translation`, `size`.

    Raises:
        Pose3DError: A file without a camera's matrix or place, or with two that contradict each other.
    """
    held = [(source, storage_of(source) or {}) for source in sources]
    cameras: list[CalibratedCamera] = []
    notes: list[str] = []
    said = [_field(storage, "unit", keys or {})[1] for _, storage in held]
    stated = sorted({value for value in said if isinstance(value, str) and value in METRES})
    if len(stated) > 1:
        raise Pose3DError(f"{named(sources)} state different units of length: {', '.join(stated)}")
    stereo = {key: value for _, storage in held for key, value in storage.items()}
    if all(key in stereo for key in _STEREO):
        cameras, notes = _stereo_pair(stereo, named(sources))
    else:
        for source, storage in held:
            camera, said = _camera(storage, source.path, keys or {})
            cameras.append(camera)
            notes += said
    other = Reading("rotation and translation from camera to world", inverted(cameras))
    return assembled(
        named(sources), "opencv", cameras, notes, stated[0] if stated else None, [other], asked_unit=unit
    )


def _camera(
    storage: Mapping[str, Parsed], path: Path, keys: Mapping[str, str]
) -> tuple[CalibratedCamera, list[str]]:
    notes = []
    where = str(path)
    unknown = [field for field in keys if field not in _NAMES or keys[field] not in storage]
    if unknown:
        raise Pose3DError(
            f"{where} has no {keys[unknown[0]]} for {unknown[0]}; it has {', '.join(list(storage)[:12])}"
        )
    found = {field: _field(storage, field, keys) for field in _NAMES}
    for field in ("matrix", "rotation", "translation"):
        if found[field][1] is None:
            raise Pose3DError(
                f"{where} has no {field}, expected one of {', '.join(_NAMES[field][:4])}; it has "
                f"{', '.join(list(storage)[:12])}"
                + ("" if field == "matrix" else "; extrinsics are needed, too")
            )
    fisheye = _is_fisheye(found, where)
    matrix = numbers(found["matrix"][1], f"{where}: {found['matrix'][0]}", (3, 3))
    if found["distortion"][1] is None:
        notes.append(f"{where}: no distortion, taken as a lens without any")
        distortion = np.zeros(4 if fisheye else 5)
    else:
        distortion = numbers(found["distortion"][1], f"{where}: {found['distortion'][0]}")
    size = _size(found, where)
    if size is None:
        notes.append(f"{where}: no image size: that images were cropped or turned would not show")
    key, name = found["name"]
    camera = camera_from_vectors(
        text_of(name, f"{where}: {key}") if isinstance(name, (str, int)) else path.stem,
        size,
        matrix,
        distortion,
        _rotation(storage, keys, where),
        numbers(found["translation"][1], f"{where}: {found['translation'][0]}", (3,)),
        fisheye,
    )
    return camera, notes


def _rotation(storage: Mapping[str, Parsed], keys: Mapping[str, str], where: str) -> npt.NDArray[np.float64]:
    """The rotation matrix; vector and matrix, where both are there, must be the same."""
    key, value = _field(storage, "rotation", keys)
    turn = numbers(value, f"{where}: {key}", (3,), (3, 3))
    matrix = turn if turn.shape == (3, 3) else rotation_vector_to_matrix(turn)
    if "rotation" in keys:
        return matrix
    for other, held in storage.items():
        if other != key and _plain(other) in _NAMES["rotation"]:
            second = numbers(held, f"{where}: {other}", (3,), (3, 3))
            second = second if second.shape == (3, 3) else rotation_vector_to_matrix(second)
            if np.abs(second - matrix).max() > 1e-3:
                raise Pose3DError(
                    f"{where}: {key} and {other} are different rotations; name one (rotation={key})"
                )
    return matrix


def _is_fisheye(found: Mapping[str, tuple[str, Parsed]], where: str) -> bool:
    key, value = found["fisheye"]
    if value is not None:
        if value not in (0, 1, True, False, "true", "false"):
            raise Pose3DError(f"{where}: {key} is {shown(value)}, expected 0 or 1")
        return value in (1, True, "true")
    model = found["model"][1]
    return isinstance(model, str) and _plain(model) in _FISHEYE_MODELS


def _size(found: Mapping[str, tuple[str, Parsed]], where: str) -> tuple[int, int] | None:
    width, height = found["width"], found["height"]
    if width[1] is not None and height[1] is not None:
        return image_size([width[1], height[1]], f"{where}: {width[0]}, {height[0]}")
    key, value = found["size"]
    return None if value is None else image_size(value, f"{where}: {key}")


def _stereo_pair(storage: Mapping[str, Parsed], where: str) -> tuple[list[CalibratedCamera], list[str]]:
    """OpenCV's `stereo_calib`: the world is the first camera; R and T lead from it to the second."""
    missing = [key for key in ("R", "T") if key not in storage]
    if missing:
        raise Pose3DError(f"{where}: a stereo pair without {missing[0]}: give extrinsics.yml, too")
    cameras = []
    for number, turn, place in (("1", np.eye(3), np.zeros(3)), ("2", storage["R"], storage["T"])):
        cameras.append(
            camera_from_vectors(
                f"cam{number}",
                None,
                numbers(storage[f"M{number}"], f"{where}: M{number}", (3, 3)),
                numbers(storage[f"D{number}"], f"{where}: D{number}"),
                numbers(turn, f"{where}: R", (3, 3), (3,)),
                numbers(place, f"{where}: T", (3,)),
            )
        )
    return cameras, [f"{where}: a stereo pair, called cam1 and cam2; the world is the first camera's frame"]
