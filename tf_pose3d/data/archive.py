"""Reading npz and pickle files without running what they contain.

The community's files hold pickled dicts of arrays; see `tf_pose3d.unpickling` for why they cannot run code.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.unpickling import PlainUnpickler, Refused, plain_data

__all__ = ["load_archive", "load_recordings", "require_keys"]

_SIGNATURES = (
    (b"\x93NUMPY", "a single npy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"7z", "a 7z file"),
    (b"MATLAB", "a MATLAB file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data it points to"),
    (b"<", "a web page or XML"),
    (b"{", "JSON or other text"),
    (b"[", "JSON or other text"),
)


def _unpickle(stream: IO[bytes]) -> Any:
    return plain_data(PlainUnpickler(stream).load())


def _read_member(archive: zipfile.ZipFile, member: str) -> Any:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"npy format version {version}")
        if dtype.hasobject:
            array = _unpickle(stream)
            if not isinstance(array, np.ndarray) or array.shape != shape:
                raise ValueError(f"{member} does not hold the array that its header announces")
            return array.item() if shape == () else array
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_npz(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
        if not members:
            raise Pose3DError(f"{path} is a zip file without npy arrays, expected an npz file")
        return {member.removesuffix(".npy"): _read_member(archive, member) for member in members}


def load_archive(path: str | Path) -> Any:
    """Everything an npz file or a pickle file holds.

    Reads pickles of protocol 2 to 5, by numpy 1 or 2, by Python 2 or 3, alone or inside an npz.

    Args:
        path: The file; its content decides how it is read, not its name.

    Returns:
        For an npz file a dict of its arrays, where a single pickled object stands for itself and not for
        an array of no dimensions. For a pickle file the object it holds.

    Raises:
        Pose3DError: The file is missing, truncated, something else, or names a function to run.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(32)
            if head.startswith(b"PK"):
                return _read_npz(path)
            if head[:1] == b"\x80":
                stream.seek(0)
                return _unpickle(stream)
    except Refused as error:
        raise Pose3DError(f"{path} {error}") from None
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist, expected an npz file") from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    except Pose3DError:
        raise
    except Exception as error:  # damage may surface anywhere in zipfile, zlib, pickle or numpy
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Pose3DError(f"{path} is truncated or damaged ({reason}); copy or make it again") from None
    found = next((what for signature, what in _SIGNATURES if head.lstrip().startswith(signature)), None)
    found = found or ("empty" if not head else "of an unknown kind")
    raise Pose3DError(f"{path} is {found}, expected an npz file")


def require_keys(archive: Any, path: str | Path, *keys: str) -> None:
    """Check that an archive is a dict which holds these keys.

    Args:
        archive: What `load_archive` returned.
        path: The file it came from, for the message.
        keys: What is needed.

    Raises:
        Pose3DError: A key is missing; the message lists those present.
    """
    if not isinstance(archive, Mapping):
        raise Pose3DError(f"{path} holds a {type(archive).__name__}, expected a dict with {', '.join(keys)}")
    missing = [key for key in keys if key not in archive]
    if missing:
        present = ", ".join(map(str, archive)) or "nothing"
        raise Pose3DError(f"{path} has no {', '.join(missing)}; it holds {present}")


def load_recordings(path: str | Path, key: str) -> dict[str, dict[str, Any]]:
    """The dict `subject -> recording -> content` that the community's npz files hold under a key.

    Args:
        path: The file.
        key: Its key, e.g. `"positions_3d"`.

    Raises:
        Pose3DError: As `load_archive` and `require_keys`, or there is something else under the key.
    """
    archive = load_archive(path)
    require_keys(archive, path, key)
    content = archive[key]
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise Pose3DError(f"{path}: {key} must be a dict of subjects, each a dict of recordings")
    return {
        str(subject): {str(name): value for name, value in recordings.items()}
        for subject, recordings in content.items()
    }
