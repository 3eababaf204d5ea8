"""Whether the libraries of the extra `render` are there."""

from __future__ import annotations

import importlib.util

from tf_pose3d.errors import Pose3DError

__all__ = ["require_av", "require_pillow"]


def _require(module: str, package: str, purpose: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise Pose3DError(
            f"{purpose} needs {package}, which is not installed: pip install 'tf_pose3d[render]'"
        )


def require_pillow() -> None:
    """Checks that Pillow can be imported.

    Raises:
        Pose3DError: It is not installed; the message names the extra.
    """
    _require("PIL", "Pillow", "drawing pictures")


def require_av() -> None:
    """Checks that PyAV can be imported.

    Raises:
        Pose3DError: It is not installed; the message names the extra.
    """
    _require("av", "PyAV", "reading or writing video")
