"""What the people of the synthetic data set do: stances, arm poses, and one activity for each action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ACTIVITIES", "ARMS", "STANCES", "Activity", "ArmPose", "Stance"]


@dataclass(frozen=True)
class Stance:
    """How the lower body is held. Lengths are fractions of the leg, angles radians."""

    height: float  # of the hips above the ankles
    back: float = 0.0  # of the pelvis behind the middle of the feet
    width: float = 0.13  # of each foot from the middle
    lean: float = 0.0  # of the pelvis, forward
    bend: float = 0.0  # of the spine over the pelvis, forward


STANCES: Mapping[str, Stance] = {
    "stand": Stance(1.0),
    "wide": Stance(0.98, width=0.28),
    "bow": Stance(0.97, back=0.09, lean=0.35, bend=0.35),
    "crouch": Stance(0.62, back=0.17, width=0.17, lean=0.4, bend=0.35),
    "half_crouch": Stance(0.84, back=0.1, width=0.16, lean=0.25, bend=0.2),
    "sit": Stance(0.5, back=0.46, width=0.15, lean=-0.05, bend=0.1),
    "sit_forward": Stance(0.5, back=0.46, width=0.17, lean=0.25, bend=0.3),
    "sit_low": Stance(0.33, back=0.5, width=0.2, lean=0.0, bend=0.25),
}


@dataclass(frozen=True)
class ArmPose:
    """An arm pose: wrist from shoulder in arm lengths, and where the elbow points; forward, outward, up."""

    wrist: tuple[float, float, float]
    elbow: tuple[float, float, float]
    swing: float = 0.0  # share of the swing that walking gives this arm
    wave: float = 0.0  # sideways oscillation in arm lengths


ARMS: Mapping[str, ArmPose] = {
    "hang": ArmPose((0.06, 0.12, -0.95), (-1.0, 0.4, 0.0), swing=1.0),
    "bag": ArmPose((0.3, 0.12, -0.72), (-1.0, 0.3, -0.2), swing=0.3),
    "leash": ArmPose((0.6, 0.1, -0.5), (-0.6, 0.4, -0.8), swing=0.1),
    "front": ArmPose((0.9, -0.05, 0.05), (0.0, 0.5, -1.0)),
    "shake": ArmPose((0.68, -0.08, -0.3), (-0.4, 0.4, -1.0)),
    "table": ArmPose((0.68, -0.1, -0.4), (-0.4, 0.7, -0.8)),
    "floor": ArmPose((0.4, -0.05, -0.85), (-0.6, 0.8, 0.2)),
    "shelf": ArmPose((0.55, 0.1, 0.72), (0.2, 1.0, -0.4)),
    "side": ArmPose((0.25, 0.9, 0.1), (-0.5, 0.0, -1.0)),
    "slope": ArmPose((0.35, 0.6, -0.55), (-0.8, 0.2, -0.6)),
    "up": ArmPose((0.12, 0.3, 0.9), (0.1, 1.0, -0.2)),
    "wave": ArmPose((0.25, 0.42, 0.5), (0.0, 0.8, -0.9), wave=0.16),
    "ear": ArmPose((0.22, -0.1, 0.38), (0.5, 0.7, -0.9)),
    "mouth": ArmPose((0.36, -0.22, 0.27), (0.3, 0.9, -0.9)),
    "lens": ArmPose((0.5, -0.2, 0.28), (0.2, 0.9, -0.9)),
    "talk": ArmPose((0.55, 0.05, -0.25), (-0.5, 0.6, -0.8), wave=0.06),
    "open": ArmPose((0.5, 0.4, -0.3), (-0.6, 0.5, -0.8), wave=0.05),
    "fold": ArmPose((0.38, -0.36, -0.42), (-0.4, 0.9, -0.5)),
    "hip": ArmPose((-0.02, 0.12, -0.72), (-0.6, 1.0, 0.0)),
    "lap": ArmPose((0.5, -0.08, -0.68), (-0.7, 0.7, -0.2)),
}


@dataclass(frozen=True)
class Activity:
    """What a person does in one recording.

    Attributes:
        stances: Drawn one per key; ignored when walking.
        arms: (left, right) arm poses, drawn one pair per key, at times mirrored.
        turn: Largest change of heading between keys, radians.
        walking: Walks along an ellipse instead of standing.
        speed: Of the walk in metres per second.
        hold: Mean time between keys in seconds.
    """

    arms: tuple[tuple[str, str], ...]
    stances: tuple[str, ...] = ("stand",)
    turn: float = 0.6
    walking: bool = False
    speed: float = 1.0
    hold: float = 1.6


ACTIVITIES: Mapping[str, Activity] = {
    "Directions": Activity(
        (
            ("hang", "front"),
            ("hang", "side"),
            ("side", "hang"),
            ("hang", "shelf"),
            ("slope", "front"),
            ("hang", "hang"),
        ),
        turn=0.9,
    ),
    "Discussion": Activity(
        (
            ("talk", "talk"),
            ("open", "open"),
            ("hang", "talk"),
            ("fold", "fold"),
            ("open", "hip"),
            ("hang", "open"),
        ),
        stances=("stand", "stand", "wide"),
    ),
    "Eating": Activity(
        (("lap", "table"), ("lap", "mouth"), ("table", "mouth"), ("table", "table"), ("lap", "mouth")),
        stances=("sit", "sit_forward", "sit"),
        hold=1.1,
    ),
    "Greeting": Activity(
        (("hang", "wave"), ("hang", "shake"), ("hang", "hang"), ("wave", "wave"), ("open", "open")),
        stances=("stand", "stand", "stand", "bow"),
        turn=1.0,
    ),
    "Phoning": Activity(
        (("hang", "ear"), ("talk", "ear"), ("hip", "ear"), ("fold", "ear")), turn=1.0, hold=2.0
    ),
    "Photo": Activity(
        (("lens", "lens"), ("lens", "lens"), ("hang", "lens"), ("hang", "bag")),
        stances=("stand", "half_crouch", "crouch", "stand"),
        turn=0.8,
    ),
    "Posing": Activity(
        (("hip", "hip"), ("up", "up"), ("side", "side"), ("fold", "fold"), ("hip", "up"), ("slope", "shelf")),
        stances=("stand", "wide", "half_crouch", "stand"),
        turn=0.8,
    ),
    "Purchases": Activity(
        (("bag", "floor"), ("floor", "floor"), ("bag", "shelf"), ("bag", "table"), ("bag", "bag")),
        stances=("bow", "crouch", "stand", "stand", "stand"),
        turn=1.1,
    ),
    "Sitting": Activity(
        (("lap", "lap"), ("lap", "talk"), ("fold", "fold"), ("table", "table"), ("open", "lap")),
        stances=("sit", "sit", "sit_forward"),
        hold=1.8,
    ),
    "SittingDown": Activity(
        (("hang", "hang"), ("lap", "lap"), ("table", "table"), ("lap", "open")),
        stances=("sit_low", "stand", "sit", "stand", "half_crouch"),
        hold=1.7,
    ),
    "Smoking": Activity(
        (("hang", "mouth"), ("hang", "slope"), ("fold", "mouth"), ("hip", "talk"), ("hip", "mouth")),
        hold=1.5,
    ),
    "Waiting": Activity(
        (
            ("hang", "hang"),
            ("fold", "fold"),
            ("hip", "hip"),
            ("hang", "hip"),
            ("hang", "ear"),
            ("hip", "table"),
        ),
        stances=("stand", "wide", "stand"),
        turn=1.2,
        hold=2.0,
    ),
    "WalkDog": Activity((("hang", "leash"), ("hang", "shake"), ("bag", "leash")), walking=True, speed=0.9),
    "Walking": Activity((("hang", "hang"),), walking=True, speed=1.1),
    "WalkTogether": Activity(
        (("hang", "hang"), ("hang", "talk"), ("hang", "open"), ("hang", "hang")), walking=True, speed=0.95
    ),
}
