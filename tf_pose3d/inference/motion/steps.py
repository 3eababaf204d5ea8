"""Which steps a motion takes between lifting and writing, and which it takes for what kind of file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.levelling import angles_up
from tf_pose3d.inference.motion.smoothing import parse_smoothing
from tf_pose3d.inference.trajectory import PLACEMENTS

__all__ = ["KEPT", "LIFTED", "MOTION_PLACEMENTS", "MotionSteps"]

MOTION_PLACEMENTS = (*PLACEMENTS, "world")
# Of motion that is in a world already: where it is.
KEPT = "kept"
# As the lifter has it: where its network of the root's path says, else round the root.
LIFTED = "lifted"
# Endings of files that hold numbers, for programs: they are as the lifter gave them unless a flag asks.
_PLAIN = (".npz", ".npy", ".json", ".csv")
# Endings of files that hold joint rotations.
_ROTATIONS = (".bvh", ".glb", ".usda", ".fbx", ".mot")
# Metres: people between these exist.
_STATURE = (0.4, 2.6)


@dataclasses.dataclass(frozen=True)
class MotionSteps:
    """What the stage does.

    Attributes:
        smooth: `"butterworth:HZ"` or `"rts:HZ"`; None: nothing.
        constant_bones: Fit one skeleton.
        level: Turn poses to a world with z up: `"auto"` by the camera's orientation, else by `pitch` and
            `roll`, else by how the person stands; `"off"`: leave them in the camera's axes.
        pitch, roll: Degrees of the camera, see `tf_pose3d.inference.motion.levelling`; None: not known.
        placement: `"root"`, `"camera"`, `"floor"` (see `tf_pose3d.inference.trajectory`) or `"world"`: on the
            path that the person walks, seen by a camera that stands still, feet at rest where they rest.
        stature: Metres of the person, to whom the poses are scaled; None: the lifter's size.
        focal_known: The camera's focal length is not a supposed one.
        follow_path: Nobody asked for a placement: people whom a network of the root's path has placed are put
            on that path where poses are level.
        rotations: The motion becomes joint rotations: each joint has a place in each frame with a pose, and
            layouts of the world without a pelvis get one.

    Raises:
        Pose3DError: Steps that contradict each other.
    """

    smooth: str | None = None
    constant_bones: bool = False
    level: str = "off"
    pitch: float | None = None
    roll: float | None = None
    placement: str = "root"
    stature: float | None = None
    focal_known: bool = False
    rotations: bool = False
    # Not compared: it changes nothing where no network has placed anybody.
    follow_path: bool = dataclasses.field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.smooth is not None:
            parse_smoothing(self.smooth)
        if self.level not in ("auto", "off"):
            raise Pose3DError(f"level is {self.level!r}, expected auto or off")
        if self.placement not in (*MOTION_PLACEMENTS, KEPT, LIFTED):
            raise Pose3DError(
                f"placement is {self.placement!r}, expected {', '.join(MOTION_PLACEMENTS[:-1])} or world"
            )
        angles = self.pitch is not None or self.roll is not None
        if angles:
            angles_up(self.pitch or 0.0, self.roll or 0.0)
        if angles and self.level == "off":
            raise Pose3DError("a camera's pitch or roll turns poses level, which level off forbids")
        if self.placement == "world" and self.level == "off":
            raise Pose3DError("placement world needs to know which way is up, which level off forbids")
        if self.placement == "camera" and self.level != "off":
            raise Pose3DError(
                "placement camera leaves poses in the camera's space, which is not level; world is its "
                "level twin"
            )
        if self.stature is not None and not _STATURE[0] <= self.stature <= _STATURE[1]:
            raise Pose3DError(
                f"a stature of {self.stature:g} metres, expected {_STATURE[0]:g} to {_STATURE[1]:g}"
            )

    @classmethod
    def for_file(
        cls,
        path: str | Path,
        *,
        raw: bool = False,
        smooth: str | None = None,
        constant_bones: bool = False,
        level: str | None = None,
        pitch: float | None = None,
        roll: float | None = None,
        placement: str | None = None,
        stature: float | None = None,
        focal_known: bool = False,
    ) -> MotionSteps:
        """The steps for a file: those that are asked for, and by its ending those that it has anyway.

        Args:
            path: The file; its ending alone counts. Pictures count as files for animation.
            raw: No steps but those asked for.
            smooth, constant_bones, level, pitch, roll, placement, stature, focal_known: As the attributes;
                None: not asked for.

        Raises:
            Pose3DError: Steps that contradict each other, or `raw`.
        """
        if raw and (level == "auto" or pitch is not None or roll is not None or placement == "world"):
            raise Pose3DError(
                "raw poses are not turned level: leave out raw, or level, pitch, roll and world"
            )
        plain = raw or _ending(path) in _PLAIN
        asked = pitch is not None or roll is not None or placement == "world"
        if level is None:
            level = "auto" if asked or (not plain and placement != "camera") else "off"
        follow_path = placement is None
        if placement is None:
            placement = "floor" if not plain else LIFTED if level == "off" else "root"
        return cls(
            smooth,
            constant_bones or not plain,
            level,
            pitch,
            roll,
            placement,
            stature,
            focal_known,
            rotations=_ending(path) in _ROTATIONS,
            follow_path=follow_path,
        )

    @classmethod
    def for_measured(
        cls,
        path: str | Path,
        *,
        raw: bool = False,
        smooth: str | None = None,
        constant_bones: bool = False,
        placement: str | None = None,
    ) -> MotionSteps:
        """The steps for a file of poses that several cameras measured: level already, of true size, in place.

        Files for animation are of one skeleton, on the floor, feet at rest locked; all others, marker files
        and pictures among them, hold what was measured.

        Args:
            path: The file; its ending alone counts.
            raw: No steps but those asked for.
            smooth, constant_bones, placement: As the attributes; None: not asked for.

        Raises:
            Pose3DError: Steps that mean nothing.
        """
        animation = not raw and _ending(path) in _ROTATIONS
        if placement is None:
            placement = "world" if animation else KEPT
        return cls(
            smooth,
            constant_bones or animation,
            "off" if placement == "camera" else "auto",
            placement=placement,
            rotations=_ending(path) in _ROTATIONS,
        )


def _ending(path: str | Path) -> str:
    return Path(path).suffix.lower()
