"""Reading npz and pickle files without running what they contain.

The community's files hold pickled dicts of arrays; see `tf_pose3d.unpickling` for why they cannot run code.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import tokenize
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed
from tf_pose3d.unpickling import DAMAGE, PlainUnpickler, Refused, check_texts, plain_data, reason_of
from tf_pose3d.zip_files import ZIP_DAMAGE, check_growth

__all__ = ["load_archive", "load_recordings", "read_npy", "recordings_of", "require_keys"]

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


# What damage raises in zipfile and its decompressors, in numpy's headers, and in pickle.
_DAMAGE = (*DAMAGE, *ZIP_DAMAGE, SyntaxError, tokenize.TokenError)


def _unpickle(stream: IO[bytes], size: int) -> Parsed:
    return plain_data(PlainUnpickler(stream).load(), size)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"npy format version {version}")
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype


def _read_array(
    open_stream: Callable[[], contextlib.AbstractContextManager[IO[bytes]]], size: int, what: str
) -> Parsed:
    """An npy file or member of `size` bytes; a single pickled object stands for itself."""
    with open_stream() as stream:
        shape, dtype = _header(stream)
        if dtype.hasobject:
            # A zip's members can be sought, by unpacking them again; a pickle's pass over its opcodes needs
            # bytes.
            content = io.BytesIO(stream.read())
            array = _unpickle(content, size)
            if not isinstance(array, np.ndarray) or array.shape != shape:
                raise ValueError(f"{what} does not hold the array that its header announces")
            return array.item() if shape == () else array
    announced = math.prod(shape) * dtype.itemsize
    if announced > size or (dtype.itemsize == 0 and math.prod(shape) > 1_000_000):
        raise ValueError(f"{what} announces an array of shape {shape}, more than its {size} bytes")
    with open_stream() as stream:
        return check_texts(np.lib.format.read_array(stream, allow_pickle=False))


def _read_npz(stream: IO[bytes], path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(stream) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if not members:
            raise Pose3DError(f"{path} is a zip file without npy arrays, expected an npz file")
        held = {}
        for info in members:
            check_growth(info)
            opened = functools.partial(archive.open, info)
            held[info.filename.removesuffix(".npy")] = _read_array(opened, info.file_size, info.filename)
        return held


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise Pose3DError(f"{path} {error}") from None
    except Pose3DError:
        raise
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist, expected an npz file") from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:  # damage surfaces in zipfile, zlib, pickle or numpy
        raise Pose3DError(
            f"{path} is truncated or damaged ({reason_of(error)}); copy or make it again"
        ) from None


def load_archive(path: str | Path, stream: IO[bytes] | None = None) -> Parsed:
    """Everything an npz file or a pickle file holds.

    Reads pickles of protocol 2 to 5, by numpy 1 or 2, by Python 2 or 3, alone or inside an npz. Memory stays
    in
    proportion to the file: see `tf_pose3d.unpickling`.

    Args:
        path: The file; its content decides how it is read, not its name.
        stream: Its content, seekable, where it is open already (of a pipe).

    Returns:
        For an npz file a dict of its arrays, where a single pickled object stands for itself and not for
        an array of no dimensions. For a pickle file the object it holds.

    Raises:
        Pose3DError: The file is missing, truncated, something else, or names a function to run.
    """
    path = Path(path)
    with _explained(path), contextlib.ExitStack() as stack:
        file = stream if stream is not None else stack.enter_context(path.open("rb"))
        head = file.read(32)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if head.startswith(b"PK"):
            return _read_npz(file, path)
        if head[:1] == b"\x80":
            return _unpickle(file, size)
    found = next((what for signature, what in _SIGNATURES if head.lstrip().startswith(signature)), None)
    found = found or ("empty" if not head else "of an unknown kind")
    raise Pose3DError(f"{path} is {found}, expected an npz file")


def read_npy(stream: IO[bytes], path: str | Path) -> Parsed:
    """The array of an open `.npy` file; one of objects (arrays of different lengths) without running
    anything.

    Args:
        stream: Seekable, at its first byte.
        path: Names the file in messages.

    Raises:
        Pose3DError: It is truncated or damaged.
    """
    with _explained(Path(path)):
        size = stream.seek(0, os.SEEK_END)

        def opened() -> contextlib.AbstractContextManager[IO[bytes]]:
            stream.seek(0)
            return contextlib.nullcontext(stream)

        return _read_array(opened, size, "it")


def require_keys(archive: Parsed, path: str | Path, *keys: str) -> None:
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
        present = ", ".join(str(key)[:40] for key in list(archive)[:20]) or "nothing"
        raise Pose3DError(f"{path} has no {', '.join(missing)}; it holds {present}")


def load_recordings(path: str | Path, key: str) -> dict[str, dict[str, Any]]:
    """The dict `subject -> recording -> content` that the community's npz files hold under a key.

    Args:
        path: The file.
        key: Its key, e.g. `"positions_3d"`.

    Raises:
        Pose3DError: As `load_archive` and `require_keys`, or there is something else under the key.
    """
    return recordings_of(load_archive(path), path, key)


def recordings_of(archive: Parsed, path: str | Path, key: str) -> dict[str, dict[str, Any]]:
    """`load_recordings` of an archive that is read already."""
    require_keys(archive, path, key)
    content = archive[key]
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise Pose3DError(f"{path}: {key} must be a dict of subjects, each a dict of recordings")
    return {
        str(subject): {str(name): value for name, value in recordings.items()}
        for subject, recordings in content.items()
    }
