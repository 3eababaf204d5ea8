"""Make `data_3d_h36m.npz` and the exact `data_2d_h36m_gt.npz` from Human3.6M as it is downloaded.

Two sources are read: the archive `h36m.zip` of Martinez et al.'s 3D baseline (HDF5 files), and the data
set's own *D3 Positions*, converted to MATLAB files. Both hold millimetres in the world frame.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import image_coordinates, project
from tf_pose3d.data.checks import check_finite
from tf_pose3d.data.human36m import ACTIONS, CAMERAS, SUBJECTS, action_of, canonical_name
from tf_pose3d.data.matlab import load_matlab
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, write_whole
from tf_pose3d.hdf5_values import hdf5_values, opened_hdf5
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import get_skeleton, joint_indices
from tf_pose3d.types import Parsed
from tf_pose3d.unpickling import reason_of
from tf_pose3d.zip_files import ZIP_DAMAGE, read_member

__all__ = ["FILE_2D", "FILE_3D", "exact_keypoints", "prepare", "read_archive", "read_source"]

FILE_3D, FILE_2D = "data_3d_h36m.npz", "data_2d_h36m_gt.npz"

# Two takes of each of 15 actions.
_RECORDINGS = 30
_JOINTS = 32
# S11's first take of Directions is damaged and left out by everybody.
_BROKEN = ("S11", "Directions")
_IN_ARCHIVE = re.compile(r"(?:^|/)(S\d+)/MyPoses/3D_positions/([^/]+)\.h5$")
_IN_SOURCE = "MyPoseFeatures/D3_Positions"

Recordings = dict[str, dict[str, np.ndarray]]


def read_archive(path: str | Path, show_progress: bool = False) -> Recordings:
    """World poses of all subjects from `h36m.zip`.

    Args:
        path: A zip file with `S1/MyPoses/3D_positions/Directions 1.h5` and so on, in any folder; each
            holds `3D_positions (96, F)`, millimetres.
        show_progress: Show a progress bar.

    Returns:
        subject -> recording -> `(F, 32, 3)` float32, metres, world frame.

    Raises:
        Pose3DError: Not such a file, a subject that is missing or has not 30 recordings, or a recording
            that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members: dict[str, dict[str, str]] = {}
            for name in archive.namelist():
                match = _IN_ARCHIVE.search(name)
                if match:
                    members.setdefault(match[1], {})[match[2]] = name
            _check_complete(members, path, "SUBJECT/MyPoses/3D_positions/*.h5")
            return _convert(
                members,
                path,
                lambda name, where: _read_hdf5(read_member(archive, name), where),
                "reading",
                show_progress,
            )
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist, expected h36m.zip") from None
    except Pose3DError:
        raise
    except ZIP_DAMAGE as error:
        raise Pose3DError(
            f"{path} is no zip file or is damaged ({reason_of(error)}), expected h36m.zip"
        ) from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None


def read_source(folder: str | Path, show_progress: bool = False) -> Recordings:
    """World poses of all subjects from the data set's files, converted to MATLAB's format.

    Args:
        folder: Holds `S1/MyPoseFeatures/D3_Positions/Directions 1.cdf.mat` and so on; each holds a cell
            `data` with `(F, 96)`, millimetres.
        show_progress: Show a progress bar.

    Returns:
        subject -> recording -> `(F, 32, 3)` float32, metres, world frame.

    Raises:
        Pose3DError: No such folder, a subject that is missing or has not 30 recordings, a recording that
            cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Pose3DError(f"{folder} is not a folder, expected Human3.6M's with S1/{_IN_SOURCE} and so on")
    members: dict[str, dict[str, Path]] = {}
    for subject in SUBJECTS:
        for file in sorted((folder / subject / _IN_SOURCE).glob("*.cdf.mat")):
            members.setdefault(subject, {})[file.name.removesuffix(".cdf.mat")] = file
    _check_complete(members, folder, f"SUBJECT/{_IN_SOURCE}/*.cdf.mat")
    return _convert(members, folder, _read_matlab, "reading", show_progress)


def _check_complete(members: Mapping[str, Mapping[str, Any]], path: str | Path, pattern: str) -> None:
    missing = [subject for subject in SUBJECTS if subject not in members]
    if missing:
        raise Pose3DError(f"{path} has no recordings of {', '.join(missing)}, expected {pattern} for each")
    for subject in SUBJECTS:
        names = {canonical_name(name) for name in members[subject]}
        if len(names) == _RECORDINGS:
            continue
        takes = Counter(action_of(name) for name in names)
        odd = [
            f"{takes[action]} of {action}"
            for action in dict.fromkeys([*ACTIONS, *takes])
            if takes[action] != 2
        ]
        raise Pose3DError(
            f"{path} has {len(names)} recordings of {subject}, expected {_RECORDINGS} ({pattern}), two of "
            f"each action; there are {', '.join(odd)}"
        )


def _convert(
    members: Mapping[str, Mapping[str, Any]],
    path: str | Path,
    read: Callable[[Any, str], np.ndarray],
    label: str,
    show_progress: bool,
) -> Recordings:
    recordings: Recordings = {}
    with Progress(_RECORDINGS * len(SUBJECTS), label) as progress:
        for subject in SUBJECTS:
            recordings[subject] = {}
            for name, member in members[subject].items():
                if show_progress:
                    progress.update(f"{subject}, {name}")
                if (subject, name) == _BROKEN:
                    continue
                millimetres = read(member, f"{path}: {subject}, {name}")
                check_finite(millimetres, path, f"{subject}, {name}")
                metres = (millimetres / 1000).astype(np.float32)
                recordings[subject][canonical_name(name)] = metres
    return recordings


def _read_hdf5(content: bytes, where: str) -> np.ndarray:
    """`(F, 32, 3)` millimetres."""
    with opened_hdf5(io.BytesIO(content), where) as file:
        values = hdf5_values(file, "3D_positions", where)
    _check_shape(values, (3 * _JOINTS, None), where)
    return values.reshape(_JOINTS, 3, -1).transpose(2, 0, 1).astype(np.float64)


def _read_matlab(path: Path, where: str) -> np.ndarray:
    """`(F, 32, 3)` millimetres."""
    where = f"{where} ({path})"
    cell = load_matlab(path, where).get("data")
    if not isinstance(cell, np.ndarray) or cell.dtype != object or cell.size != 1:
        raise Pose3DError(f"{where} has no cell named data with one array in it")
    values = cell.reshape(-1)[0]
    _check_shape(values, (None, 3 * _JOINTS), where)
    return np.asarray(values, np.float64).reshape(-1, _JOINTS, 3)


def _check_shape(values: Parsed, expected: tuple[int | None, int | None], where: str) -> None:
    fits = isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind in "fiu" and values.size
    if not fits or any(want not in (None, got) for want, got in zip(expected, values.shape, strict=True)):
        wanted = ", ".join("frames" if size is None else str(size) for size in expected)
        held = getattr(values, "shape", type(values).__name__)
        raise Pose3DError(f"{where} holds {held}, expected numbers ({wanted})")


def exact_keypoints(world: np.ndarray, subject: str) -> list[np.ndarray]:
    """Human3.6M's 17 joints in each of a subject's cameras, with lens distortion.

    Args:
        world: `(F, 32, 3)` metres, world frame.
        subject: Whose cameras.

    Returns:
        One `(F, 17, 2)` float32 per camera, pixels, as VideoPose3D projects.
    """
    joints = world[:, joint_indices("h36m_32", "h36m_17")]
    videos = []
    for camera in CAMERAS[subject]:
        seen = camera.from_world(joints)
        screen = project(seen, camera.intrinsics())
        videos.append(image_coordinates(screen, camera.width, camera.height).astype(np.float32))
    return videos


def prepare(recordings: Recordings, folder: str | Path, overwrite: bool = False) -> tuple[Path, Path]:
    """Writes both files, both whole or neither.

    Args:
        recordings: From `read_archive` or `read_source`.
        folder: Where to; it is made where it is missing.
        overwrite: Replace files that are there.

    Returns:
        Paths of the 3D and the 2D file.

    Raises:
        Pose3DError: A file is there already, or cannot be written.
    """
    path_3d, path_2d = (Path(folder) / name for name in (FILE_3D, FILE_2D))
    for path in (path_3d, path_2d):
        if path.exists() and not overwrite:
            raise Pose3DError(f"{path} exists already; move it away or say --overwrite")
    require_writable_folder(folder)
    skeleton = get_skeleton("h36m_17")
    metadata = {
        "layout_name": "h36m",
        "num_joints": skeleton.num_joints,
        "keypoints_symmetry": [list(skeleton.left), list(skeleton.right)],
    }
    keypoints = {
        subject: {name: exact_keypoints(world, subject) for name, world in by_name.items()}
        for subject, by_name in recordings.items()
    }
    with write_whole(path_3d) as file_3d, write_whole(path_2d) as file_2d:
        np.savez_compressed(file_3d, positions_3d=_boxed(recordings))
        np.savez_compressed(file_2d, positions_2d=_boxed(keypoints), metadata=_boxed(metadata))
    return path_3d, path_2d


def _boxed(value: Parsed) -> np.ndarray:
    """An array of no dimensions that holds the value itself, as these files have it."""
    box = np.empty((), object)
    box[()] = value
    return box
