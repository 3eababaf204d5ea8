"""What a user knows about a motion file besides what it says."""

from __future__ import annotations

import dataclasses

from tf_pose3d.errors import Pose3DError

__all__ = ["ReadMotionOptions"]

_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}


@dataclasses.dataclass(frozen=True)
class ReadMotionOptions:
    """Facts about a file.

    Attributes:
        up: The axis that points up, `x`, `y` or `z`; None: the one along which trunks point.
        unit: `m`, `cm`, `mm` or `inch`; None: as the file says, else by the length of the thighs.
        fps: Frames per second; None: as the file says.
        max_gap: Longest run of frames without a joint that is filled, between the frames before and after.
        clip: Which clip of a motion file with several, by number from 0, or by name.

    Raises:
        Pose3DError: A value that is none of these.
    """

    up: str | None = None
    unit: str | None = None
    fps: float | None = None
    max_gap: int = 10
    clip: str = "0"

    def __post_init__(self) -> None:
        if self.up is not None and self.up not in ("x", "y", "z"):
            raise Pose3DError(f"the axis up is {self.up!r}, expected x, y or z")
        if self.unit is not None and self.unit not in _UNITS:
            raise Pose3DError(f"the unit is {self.unit!r}, expected {', '.join(_UNITS)}")
        if self.fps is not None and not 1 <= self.fps <= 10_000:
            raise Pose3DError(f"{self.fps:g} frames per second, expected 1 to 10,000")
        if self.max_gap < 0:
            raise Pose3DError(f"a longest gap of {self.max_gap} frames, expected 0 or more")

    @property
    def metres(self) -> float | None:
        """Metres of the unit, where one is given."""
        return None if self.unit is None else _UNITS[self.unit]
