"""Colours and proportions that all pictures share."""

from __future__ import annotations

import numpy as np

from tf_pose3d.skeleton import Skeleton

__all__ = [
    "CARD",
    "FAINT",
    "FLOOR",
    "INK",
    "LEFT",
    "MIDDLE",
    "MUTED",
    "PALETTE",
    "PAPER",
    "RIGHT",
    "SHADOW",
    "Colour",
    "bone_colours",
    "faintness",
    "joint_colours",
    "mix",
]

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
CARD: Colour = (244, 245, 247)
FLOOR: Colour = (228, 231, 236)
FAINT: Colour = (208, 212, 220)
SHADOW: Colour = (196, 201, 210)
MUTED: Colour = (107, 114, 128)
INK: Colour = (31, 41, 55)
# Blue and orange stay apart for colour-blind eyes.
LEFT: Colour = (37, 99, 235)
RIGHT: Colour = (234, 88, 12)
MIDDLE: Colour = (55, 65, 81)
PALETTE = (PAPER, CARD, FLOOR, FAINT, SHADOW, MUTED, INK, LEFT, RIGHT, MIDDLE)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """`colour` with a `share` (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def faintness(unsure: np.ndarray) -> np.ndarray:
    """`(..., J)` shares of paper in the colour of joints, 0 to 0.8, by the radius in metres that holds them.

    Up to 20 cm, which the ends of limbs have in good light, a joint is drawn in full; at 50 cm it is a guess.
    """
    return np.clip((np.nan_to_num(unsure) - 0.2) / 0.375, 0, 0.8)


def joint_colours(skeleton: Skeleton) -> list[Colour]:
    """A colour for each joint by its side of the body."""
    return [
        LEFT if joint in skeleton.left else RIGHT if joint in skeleton.right else MIDDLE
        for joint in range(skeleton.num_joints)
    ]


def bone_colours(skeleton: Skeleton) -> list[Colour]:
    """A colour for each of `skeleton.bones`: its outer joint's."""
    colours = joint_colours(skeleton)
    return [colours[child] for _, child in skeleton.bones]
