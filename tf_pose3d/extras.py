"""The optional libraries: whether they are there, and which command installs them."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util

from tf_pose3d.errors import Pose3DError

__all__ = [
    "install_command",
    "is_lite",
    "require_av",
    "require_extra",
    "require_matplotlib",
    "require_pillow",
]


# The distribution without TensorFlow, see `tools/build_lite.py`.
_LITE = "tf-pose3d-lite"


@functools.cache
def is_lite() -> bool:
    """Whether this is the distribution that comes without TensorFlow and Keras."""
    names = set()
    for name in (_LITE, "tf_pose3d"):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        names.add(name)
    return names == {_LITE}


def install_command(*extras: str) -> str:
    """The command that installs extras of `pyproject.toml`, to be run in the folder of the clone.

    The project is on no package index, so that its name alone would find nothing. Of the distribution
    without TensorFlow it names the packages, as a clone would bring TensorFlow.
    """
    if is_lite():
        packages = []
        for line in importlib.metadata.requires(_LITE) or []:
            package, _, condition = line.partition(";")
            if any(f'extra == "{extra}"' in condition for extra in extras):
                packages.append(package.strip())
        return "pip install " + " ".join(f'"{package}"' for package in dict.fromkeys(packages))
    return f'pip install ".[{",".join(extras)}]"'


def require_extra(module: str, package: str, extra: str, purpose: str) -> None:
    """Checks that an optional library is installed, without importing it.

    Args:
        module: What is imported, e.g. `"PIL"`.
        package: What people call it, e.g. `"Pillow"`.
        extra: The extra of `pyproject.toml` that brings it.
        purpose: What needs it; the message begins with this.

    Raises:
        Pose3DError: It is not installed; the message says how to install it.
    """
    if importlib.util.find_spec(module) is None:
        raise Pose3DError(f"{purpose} needs {package}, which is not installed: {install_command(extra)}")


def require_pillow() -> None:
    """Checks that Pillow can be imported.

    Raises:
        Pose3DError: It is not installed; the message names the extra.
    """
    require_extra("PIL", "Pillow", "render", "drawing pictures")


def require_av() -> None:
    """Checks that PyAV can be imported.

    Raises:
        Pose3DError: It is not installed; the message names the extra.
    """
    require_extra("av", "PyAV", "render", "reading or writing video")


def require_matplotlib() -> None:
    """Checks that matplotlib can be imported.

    Raises:
        Pose3DError: It is not installed; the message names the extra.
    """
    require_extra("matplotlib", "matplotlib", "plots", "plotting poses")
