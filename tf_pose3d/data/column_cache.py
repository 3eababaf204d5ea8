"""Arrays kept beside the file that they were made from, so that slow formats are read once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.zip_files import ZIP_DAMAGE

__all__ = ["cache_path", "cached_columns"]

_STAMP = "made_from"
_BLOCK = 1 << 22

Columns = dict[str, np.ndarray]


def cache_path(path: str | Path) -> Path:
    """Where the columns of a file are kept: `h36m_test.pkl` -> `h36m_test.columns.npz`."""
    return Path(path).with_suffix(".columns.npz")


def cached_columns(
    path: str | Path, make: Callable[[Path], Columns], version: int, log: Callable[[str], None] | None = None
) -> Columns:
    """The columns of a file, from the cache beside it where that was made from this very file.

    The cache is used when the file's size, modification time and SHA-256 are those that it was made from;
    else it is made anew. A folder that cannot be written to costs time, nothing else.

    Args:
        path: The file.
        make: Reads the file into arrays of numbers and strings.
        version: Of what `make` gives; caches of another version are made anew.
        log: Takes a line for the user where the cache is made, or cannot be.

    Raises:
        Pose3DError: The file cannot be read; and what `make` raises.
    """
    path, log = Path(path), log or (lambda line: None)
    stamp = _stamp(path, version)
    held = _read(cache_path(path), stamp)
    if held is not None:
        return held
    columns = make(path)
    kept: dict[str, Any] = {**columns, _STAMP: np.array(json.dumps(stamp))}
    try:
        with write_whole(cache_path(path)) as file:
            np.savez(file, **kept)
        log(f"{path}: kept for the next run in {cache_path(path)}")
    except Pose3DError as error:
        log(f"{path}: will be read anew next time ({error})")
    return columns


def _stamp(path: Path, version: int) -> dict[str, int | str]:
    digest = hashlib.sha256()
    try:
        facts = path.stat()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    return {
        "size": facts.st_size,
        "modified_ns": facts.st_mtime_ns,
        "sha256": digest.hexdigest(),
        "version": version,
    }


def _read(path: Path, stamp: dict[str, int | str]) -> Columns | None:
    """The cache's columns; None where there is none, or none of this file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if _STAMP not in file or json.loads(str(file[_STAMP])) != stamp:
                return None
            return {name: file[name] for name in file.files if name != _STAMP}
    except (*ZIP_DAMAGE, OSError, TypeError, SyntaxError, RecursionError):
        # A cache that is damaged is made anew, like one that is missing.
        return None
