"""What a detector is, and which there are."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["DEFAULT_DETECTOR", "Detector", "Found", "make_detector"]

DEFAULT_DETECTOR = "blazepose"
# Name -> module and class.
_OWN = {"blazepose": ("tf_pose3d.inference.detectors.blazepose", "BlazePose")}
# Where other packages announce theirs.
ENTRY_POINTS = "tf_pose3d_detectors"


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """One person in one frame.

    Attributes:
        keypoints: `(J, 3)` pixels and a confidence from 0 to 1, NaN where a joint was not found.
        id: Who it is, the same in every frame; None: the detector does not know.
        pose_3d: `(J, 3)` metres: the detector's own pose, for comparison; None: it has none.
        sure: Whether what has this id is a person, as far as the detector knows by now. Someone of whom it
            is never sure is left out, unless there is nobody else.
    """

    keypoints: np.ndarray
    id: str | None = None
    pose_3d: np.ndarray | None = None
    sure: bool = True


class Detector(Protocol):
    """Finds people in the frames of one video, in order.

    A detector may also have `pixels = "rgba"`, to be given `(H, W, 4)` instead.

    Attributes:
        layout: Name of the joint layout that it gives.
    """

    layout: str

    def __call__(self, image: np.ndarray, milliseconds: float) -> Sequence[np.ndarray | Found]:
        """Everyone in an `(H, W, 3)` uint8 RGB image: `(J, 3)` pixels and confidence, or `Found`."""


def make_detector(
    name: str | None = None, model: str | os.PathLike[str] | None = None, threads: int | None = None
) -> Detector:
    """The detector of a name, for one video.

    Args:
        name: `"blazepose"`; the name of an entry point in the group `tf_pose3d_detectors`; or
            `"module:callable"`. The last two are called with `model` and give a `Detector`. None: blazepose.
        model: Its model: a file or folder; None: its own.
        threads: Of the processor, for each of blazepose's networks; others take what they like. None: as
            blazepose does by itself.

    Raises:
        Pose3DError: There is no such detector, or it cannot be made.
    """
    name = name or DEFAULT_DETECTOR
    if name == "mediapipe":
        raise Pose3DError(
            "--detector mediapipe is replaced by --detector blazepose, the default: the same networks, run "
            "without the package mediapipe; tf-pose3d-detector gets them"
        )
    folder = None if model is None else Path(model)
    return _factory(name)(folder, threads) if name in _OWN else _factory(name)(folder)


def _factory(name: str) -> Callable[..., Detector]:
    if name in _OWN:
        module, attribute = _OWN[name]
        factory: Any = getattr(importlib.import_module(module), attribute)
        return factory
    entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
    try:
        for entry in entries:
            if entry.name == name:
                return entry.load()
        module, colon, attribute = name.partition(":")
        if colon and module and attribute:
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Pose3DError(f"--detector {name} cannot be loaded: {error}") from None
    known = ", ".join([*_OWN, *sorted({entry.name for entry in entries})])
    raise Pose3DError(f"--detector {name}: expected one of {known}, or module:callable")
