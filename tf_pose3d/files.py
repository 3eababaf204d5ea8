"""Files are written whole or not at all, and what cannot be written or found is said in one line."""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = [
    "require_checkpoints",
    "require_writable_folder",
    "resolve_weights",
    "run_checkpoints",
    "staged",
    "staged_folder",
    "write_json",
    "write_whole",
]

# A checkpoint of a run: the epochs that are complete, and the step.
_CHECKPOINT = re.compile(r"cp_([0-9]{4,9})(?:_step_([0-9]{1,15}))?\.h5")


@contextlib.contextmanager
def staged(path: str | os.PathLike) -> Iterator[Path]:
    """Path of a temporary file in the same folder, which replaces `path` when the block ends well.

    The temporary name keeps the extension of `path`, for writers that choose a format by it. When the block
    raises, `KeyboardInterrupt` included, the temporary file is removed and `path` stays as it was.

    Args:
        path: The file to write. A symbolic link is followed.

    Raises:
        Pose3DError: the folder is missing or not writable, the disk is full, `path` is a folder.
    """
    path = Path(path)
    final = Path(os.path.realpath(path))
    with _explained(path, within=final.parent):
        if final.is_dir():
            raise Pose3DError(f"{path} is a folder, expected the name of a file to write")
        if final.exists() and not os.access(final, os.W_OK):
            raise Pose3DError(f"cannot write {path}: it is read-only")
        # A full name may be as long as the file system allows, hence only a part of it.
        temporary = final.with_name(f".{final.stem[:64]}.{secrets.token_hex(6)}.tmp{final.suffix}")
        try:
            # Whether the folder can be written shows here, before the block does its work.
            temporary.touch(exist_ok=False)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            if final.exists():
                os.chmod(temporary, final.stat().st_mode & 0o7777)
            os.replace(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Path of a temporary folder beside `path`, which takes its place when the block ends well.

    When the block raises, the temporary folder is removed and `path` stays as it was.

    Args:
        path: The folder to write; one that is there is replaced.

    Raises:
        Pose3DError: Its own folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    final = Path(os.path.realpath(path))
    with _explained(path, within=final.parent):
        temporary = final.with_name(f".{final.name[:64]}.{secrets.token_hex(6)}.tmp")
        old = final.with_name(f".{final.name[:64]}.{secrets.token_hex(6)}.old")
        try:
            temporary.mkdir()
            yield temporary
            if final.exists():
                os.replace(final, old)
            os.replace(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def write_whole(path: str | os.PathLike, mode: str = "wb", encoding: str | None = None) -> Iterator[IO[Any]]:
    """An open file whose content becomes `path` when the block ends well (see `staged`).

    Devices and pipes (`/dev/stdout`) cannot be replaced and are written directly.

    Args:
        path: The file to write.
        mode: `"wb"` or `"w"`; text is UTF-8 unless `encoding` says otherwise.
        encoding: Of text.

    Raises:
        Pose3DError: as `staged`.
    """
    path = Path(path)
    if mode not in ("wb", "w"):
        raise ValueError(f'mode is {mode!r}, expected "wb" or "w"')
    if mode == "w" and encoding is None:
        encoding = "utf-8"
    if path.exists() and not path.is_file() and not path.is_dir():
        with _explained(path), path.open(mode, encoding=encoding) as file:
            yield file
        return
    with staged(path) as temporary, temporary.open(mode, encoding=encoding) as file:
        yield file


def write_json(path: str | os.PathLike, obj: Parsed) -> None:
    """Writes `obj` as JSON, whole or not at all, keys in their order.

    numpy numbers and arrays become numbers and lists, paths become strings. JSON has no NaN and no infinity:
    both are written as null.

    Raises:
        Pose3DError: as `staged`.
        TypeError: `obj` holds something that JSON has no form for.
    """
    text = json.dumps(_plain(obj), indent=1, allow_nan=False, ensure_ascii=False)
    with write_whole(path, "w") as file:
        file.write(text + "\n")


def require_writable_folder(path: str | os.PathLike) -> Path:
    """The folder, made where it is missing, after a trial file could be written into it.

    Raises:
        Pose3DError: it cannot be made or written to.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise Pose3DError(f"{path} is a file, expected a folder to write into")
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{secrets.token_hex(6)}.tmp"
        try:
            probe.write_bytes(b"0")
        finally:
            probe.unlink(missing_ok=True)
    return path


def run_checkpoints(folder: str | os.PathLike) -> list[Path]:
    """The checkpoints in a folder, the latest step first."""
    found = []
    for path in Path(folder).glob("cp_*.h5"):
        match = _CHECKPOINT.fullmatch(path.name)
        if match:
            found.append((int(match[1]), int(match[2] or 0), path))
    return [path for _, _, path in sorted(found, reverse=True)]


def require_checkpoints(folder: str | os.PathLike) -> list[Path]:
    """`run_checkpoints` of a run that is to go on.

    Raises:
        Pose3DError: There is none.
    """
    found = run_checkpoints(folder)
    if not found:
        raise Pose3DError(f"{folder}: no checkpoint (cp_*.h5) to continue from; start without it")
    return found


def resolve_weights(path: str | os.PathLike) -> Path:
    """The weight file that a `--weights` value means, by the rule of the Uplift and Upsample release.

    A bare name of `shipped_weights` is that file of the package. A name with an extension is that file. A
    name without one is a prefix: the first of the `.h5` files that begin with it, in alphabetical order
    (`logs/x/best_weights` finds `logs/x/best_weights_0040.h5`), else a file of that name, or the prefix or
    folder of a TensorFlow 1 checkpoint.

    Raises:
        Pose3DError: there is no such file; the message lists the `.h5` files of the folder and the names of
            weights that ship.
    """
    text = os.fspath(path)
    folder, name = os.path.split(text)
    shipped = shipped_weights()
    if text in shipped:
        return shipped[text]
    if os.path.splitext(name)[1]:
        if os.path.isfile(text):
            return Path(text)
        sought = f"{text} does not exist"
    else:
        found = [file for file in _h5_files(folder) if file.startswith(name)]
        if found:
            return Path(folder, found[0])
        # A TensorFlow 1 checkpoint is named by the prefix of its files, or by their folder.
        if (
            os.path.isfile(text)
            or os.path.isfile(f"{text}.index")
            or glob.glob(f"{glob.escape(text)}/*.index")
        ):
            return Path(text)
        sought = f"no weight file {text}*.h5"
        if name and os.path.isdir(text):
            folder = text
    present = _h5_files(folder)
    if not os.path.isdir(folder or "."):
        listing = f"there is no folder {folder}"
    elif present:
        shown = ", ".join(present[:10]) + (f" and {len(present) - 10} more" if len(present) > 10 else "")
        listing = f"{folder or 'this folder'} holds {shown}"
    else:
        listing = f"{folder or 'this folder'} holds no .h5 file"
    names = f"; weights that ship: {', '.join(shipped)}" if shipped and not folder else ""
    raise Pose3DError(f"{sought}; {listing}{names}")


def shipped_weights() -> dict[str, Path]:
    """Name -> file of the weights that come with the package."""
    folder = Path(__file__).parent / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.h5"))}


def _h5_files(folder: str) -> list[str]:
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    return sorted(name for name in names if name.endswith(".h5") and not name.startswith("."))


@contextlib.contextmanager
def _explained(path: Path, within: Path | None = None) -> Iterator[None]:
    """Turns an `OSError` of the block into one line that names `path`.

    Errors that name a file outside the folder `within` belong to something else and pass unchanged.
    """
    try:
        yield
    except OSError as error:
        if within and error.filename is not None and Path(os.fsdecode(error.filename)).parent != within:
            raise
        if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
            reason = f"there is no folder {path.parent}"
        else:
            reason = error.strerror or str(error)
        raise Pose3DError(f"cannot write {path}: {reason}") from error


def _plain(obj: Parsed) -> Parsed:
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if isinstance(obj, (list, tuple)):
        return [_plain(value) for value in obj]
    if isinstance(obj, (np.ndarray, np.generic)):
        return _plain(obj.tolist())
    if isinstance(obj, float):
        return obj if math.isfinite(obj) else None
    if isinstance(obj, os.PathLike):
        return os.fspath(obj)
    return obj
