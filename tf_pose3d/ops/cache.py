"""Where compiled libraries lie: beside this package where it may be written, else in the user's cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tf_pose3d.errors import Pose3DError

SOURCES = Path(__file__).resolve().parent / "src"


def directories() -> tuple[Path, Path]:
    """The folders to look in, in order: the package's own, then the user's (XDG_CACHE_HOME)."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(__file__).resolve().parent / "compiled", user / "tf_pose3d" / "ops"


def library_name(cuda: bool) -> str:
    """File name of the library for this TensorFlow, C++ ABI, architecture and these sources."""
    import tensorflow as tf

    digest = hashlib.sha256(Path(__file__).with_name("build.py").read_bytes())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    abi = tf.sysconfig.CXX11_ABI_FLAG if hasattr(tf.sysconfig, "CXX11_ABI_FLAG") else 1
    kind = "cuda" if cuda else "cpu"
    return f"deform-tf{tf.__version__}-abi{abi}-{platform.machine()}-{kind}-{digest.hexdigest()[:16]}.so"


def find(cuda: bool) -> Path | None:
    """The compiled library, or None where it has not been built."""
    name = library_name(cuda)
    return next((folder / name for folder in directories() if (folder / name).is_file()), None)


def writable_directory() -> Path:
    """The first of the folders that can be written. Raises Pose3DError where neither can."""
    reasons = []
    for folder in directories():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            reasons.append(f"{folder} ({error.strerror})")
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
