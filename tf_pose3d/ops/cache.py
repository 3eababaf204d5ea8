"""Where compiled libraries lie: beside this package where it may be written, else in the user's cache.

A library is code that runs in this process. Files and folders are therefore used only where nobody but the
user, or root, could have written them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tf_pose3d.errors import Pose3DError

# The library of all operations but those that have one of their own.
MAIN_LIBRARY = "operations"
OPTIONAL_LIBRARIES = ("deform_psroi_pooling",)

OPS = Path(__file__).resolve().parent
INCLUDE = OPS / "include"

_log = logging.getLogger("tf_pose3d.ops")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def sources(library: str = MAIN_LIBRARY) -> list[Path]:
    """Sources and headers of a library's operations, without the shared headers in INCLUDE."""
    folders = sorted(folder for folder in OPS.glob("*/src") if _library_of(folder.parent.name) == library)
    return sorted(path for folder in folders for path in folder.iterdir())


def _library_of(operation: str) -> str:
    return operation if operation in OPTIONAL_LIBRARIES else MAIN_LIBRARY


def directories() -> tuple[Path, Path]:
    """The folders to look in, in order: the package's own, then the user's (XDG_CACHE_HOME)."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return OPS / "compiled", user / "tf_pose3d" / "ops"


def library_name(cuda: bool, library: str = MAIN_LIBRARY) -> str:
    """File name of the library for this TensorFlow, C++ ABI, architecture and these sources."""
    import tensorflow as tf

    digest = hashlib.sha256((OPS / "build.py").read_bytes())
    for path in (*sorted(INCLUDE.iterdir()), *sources(library)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    abi = tf.sysconfig.CXX11_ABI_FLAG if hasattr(tf.sysconfig, "CXX11_ABI_FLAG") else 1
    kind = "cuda" if cuda else "cpu"
    return f"{library}-tf{tf.__version__}-abi{abi}-{platform.machine()}-{kind}-{digest.hexdigest()[:16]}.so"


def find(cuda: bool, library: str = MAIN_LIBRARY) -> Path | None:
    """The compiled library, or None where it has not been built or others could have written it."""
    name = library_name(cuda, library)
    for folder in directories():
        path = folder / name
        if os.path.lexists(path):
            reason = distrust(folder) or distrust(path)
            if reason is None:
                return path
            _log.warning("tf_pose3d.ops: not loaded: %s", reason)
    return None


def distrust(path: Path) -> str | None:
    """Why a file or folder may hold what somebody else has written; None where it may not.

    It may where its owner is neither the user nor root, where its group or others may write it, and where it
    is neither a file nor a folder (a link to a file, for one).
    """
    # A user may keep the folder elsewhere and link to it: what counts is the folder linked to.
    status = path.stat() if path.is_dir() else path.lstat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return f"{path} is no plain file: delete it"
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user (number {status.st_uid}): delete it"
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return f"{path} can be written by others (mode {stat.S_IMODE(status.st_mode):o}): chmod go-w {path}"
    return None


def writable_directory() -> Path:
    """The first of the folders that can be written, by the user alone. Raises Pose3DError where none can."""
    reasons = []
    for folder in directories():
        try:
            # Whatever the umask is, not for the group to write.
            folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            folder.mkdir(mode=0o755, exist_ok=True)
            reason = distrust(folder)
            if reason is None:
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError as error:
            reason = f"{folder} ({error.strerror})"
        reasons.append(reason)
    raise Pose3DError(
        f"no folder for compiled operations can be written: {', '.join(reasons)}; set XDG_CACHE_HOME"
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one build; other processes wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder in `folder`, which is held, for one build; what killed builds have left there is removed."""
    for left in folder.iterdir():
        # Builds alone make folders here, one at a time: those that are there are nobody's.
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as path:
        yield Path(path)


def publish(built: Path, target: Path) -> None:
    """Put a finished library where it is looked for, for nobody but its owner to write."""
    built.chmod(stat.S_IMODE(built.stat().st_mode) & ~_WRITABLE_BY_OTHERS)
    built.replace(target)
