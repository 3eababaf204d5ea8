"""Joint angles as clinicians and OpenSim count them, from a rig's rotations.

Axes of every segment are those of the International Society of Biomechanics: x forward, y up, z to the right,
in a person who stands upright with hanging arms. Hip, knee and ankle follow Wu et al., J. Biomech. 35 (2002)
543-548, that is Grood and Suntay's sequence z (flexion), x (adduction), y (rotation); the shoulder follows Wu
et al., J. Biomech. 38 (2005) 981-992, the humerus against the thorax by plane of elevation, elevation and
axial rotation (y, x, y); elbow and trunk are the same sequence z, x, y. The pelvis in the world follows
Baker, Human Movement Science 20 (2001) 787-807: rotation, obliquity, tilt. Segments' frames come from joint
centres alone, not from the landmarks of those papers: where a knee or an elbow is straight, what turns about
the limb is not seen, and neither are forearm rotation, the hand, and, in layouts without feet, the ankle.
"""

from __future__ import annotations

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.rig import Rig

__all__ = ["clinical_angles", "opensim_coordinates"]

# A rig's axes (x left, y up, z forward) to ISB's.
_ISB = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
_MIRROR = np.diag([1.0, 1.0, -1.0])
# An arm of the rest pose's T from one that hangs, on the right.
# Sine of the elevation below which an arm has no plane of elevation.
_HANGING = 0.03
_RAISED = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def clinical_angles(rig: Rig) -> dict[str, np.ndarray]:
    """Angles over time, by name, `(F,)` degrees.

    Hip: flexion, adduction, internal rotation. Knee: flexion, adduction (varus), internal rotation. Ankle,
    where the
    layout has feet: dorsiflexion, 0 where the line from ankle to toes stands square on the shank. Shoulder:
        plane of
    elevation (0 abduction, 90 forward flexion), elevation, internal rotation. Elbow: flexion. Trunk against
    the pelvis: flexion, bending to the right, rotation to the left. Pelvis in the world: tilt forward,
        obliquity (right side up),
    rotation to the left from the first frame's heading.

    Args:
        rig: The motion.
    """
    turns = _relative(rig)
    angles: dict[str, np.ndarray] = {}
    rotation, obliquity, tilt = _yxz(turns["pelvis"])
    heading = np.unwrap(rotation)
    angles["pelvis_tilt"], angles["pelvis_obliquity"] = -tilt, -obliquity
    angles["pelvis_rotation"] = heading - heading[0]
    flexion, bending, turning = _zxy(turns["trunk"])
    angles |= {"trunk_flexion": -flexion, "trunk_bending_right": bending, "trunk_rotation_left": turning}
    for side, name in (("r", "right"), ("l", "left")):
        if f"{side}_hip" in turns:
            flexion, adduction, turning = _zxy(turns[f"{side}_hip"])
            angles |= {
                f"hip_flexion_{name}": flexion,
                f"hip_adduction_{name}": adduction,
                f"hip_rotation_{name}": turning,
            }
        if f"{side}_knee" in turns:
            flexion, adduction, turning = _zxy(turns[f"{side}_knee"])
            angles |= {
                f"knee_flexion_{name}": -flexion,
                f"knee_adduction_{name}": adduction,
                f"knee_rotation_{name}": turning,
            }
        if f"{side}_ankle" in turns:
            angles[f"ankle_dorsiflexion_{name}"] = _zxy(turns[f"{side}_ankle"])[0]
        if f"{side}_shoulder" in turns:
            plane, elevation, turning = _yxy(turns[f"{side}_shoulder"])
            angles |= {
                f"shoulder_plane_{name}": plane,
                f"shoulder_elevation_{name}": elevation,
                f"shoulder_rotation_{name}": turning,
            }
        if f"{side}_elbow" in turns:
            angles[f"elbow_flexion_{name}"] = np.abs(_hinge(turns[f"{side}_elbow"]))
    return {name: np.degrees(values) for name, values in angles.items()}


def opensim_coordinates(rig: Rig) -> dict[str, np.ndarray]:
    """Coordinates of OpenSim's full-body models by their names (Rajagopal et al. 2016), `(F,)`.

    Angles in degrees, the pelvis's place `pelvis_tx, ty, tz` in metres in the axes of the marker files (y
    up).
    """
    turns = _relative(rig)
    coordinates: dict[str, np.ndarray] = {}
    # OpenSim's ground is the file's own frame; only the pelvis's own axes are ISB's.
    tilt, obliquity, rotation = _zxy(rig.rotations[:, 0] @ _ISB.T)
    for name, values in zip(("tilt", "list", "rotation"), (tilt, obliquity, rotation), strict=True):
        coordinates[f"pelvis_{name}"] = np.degrees(np.unwrap(values))
    for number, axis in enumerate("xyz"):
        coordinates[f"pelvis_t{axis}"] = rig.root[:, number]
    for side in "rl":
        if f"{side}_hip" in turns:
            for name, values in zip(
                ("flexion", "adduction", "rotation"), _zxy(turns[f"{side}_hip"]), strict=True
            ):
                coordinates[f"hip_{name}_{side}"] = np.degrees(values)
        if f"{side}_knee" in turns:
            coordinates[f"knee_angle_{side}"] = np.degrees(-_zxy(turns[f"{side}_knee"])[0])
        if f"{side}_ankle" in turns:
            coordinates[f"ankle_angle_{side}"] = np.degrees(_zxy(turns[f"{side}_ankle"])[0])
    extension, bending, turning = _zxy(turns["trunk"])
    for name, values in zip(("extension", "bending", "rotation"), (extension, bending, turning), strict=True):
        coordinates[f"lumbar_{name}"] = np.degrees(values)
    for side in "rl":
        if f"{side}_shoulder" in turns:
            for name, values in zip(("flex", "add", "rot"), _zxy(turns[f"{side}_shoulder"]), strict=True):
                coordinates[f"arm_{name}_{side}"] = np.degrees(values)
        if f"{side}_elbow" in turns:
            coordinates[f"elbow_flex_{side}"] = np.degrees(np.abs(_hinge(turns[f"{side}_elbow"])))
    return coordinates


def _relative(rig: Rig) -> dict[str, np.ndarray]:
    """Rotations in ISB's axes: the pelvis's in the world, others' in the segment before, mirrored left."""
    names = rig.names
    _, world = rig.globals()
    isb = {name: _ISB @ world[:, number] @ _ISB.T for number, name in enumerate(names)}
    found = {"pelvis": isb[names[0]]}
    chest = _chest(rig)
    if chest is None:
        raise Pose3DError("joint angles need a neck, from which the trunk is known")
    found["trunk"] = found["pelvis"].transpose(0, 2, 1) @ isb[names[chest]]
    for side in "rl":
        for joint, before in (("hip", names[0]), ("knee", f"{side}_hip"), ("ankle", f"{side}_knee")):
            name = f"{side}_{joint}"
            if name in isb and before in isb and (joint != "ankle" or _has_toes(rig, name)):
                found[name] = _mirrored(isb[before].transpose(0, 2, 1) @ isb[name], side)
        name = f"{side}_shoulder"
        if name in isb:
            found[name] = _mirrored(isb[names[chest]].transpose(0, 2, 1) @ isb[name], side) @ _RAISED
            if f"{side}_elbow" in isb:
                found[f"{side}_elbow"] = _mirrored(isb[name].transpose(0, 2, 1) @ isb[f"{side}_elbow"], side)
    return found


def _chest(rig: Rig) -> int | None:
    """The joint that carries the neck, or the neck's own base where that hangs on the pelvis."""
    for number, joint in enumerate(rig.joints):
        if joint.name in ("neck", "mpii_thorax") and number:
            return joint.parent
    return None


def _has_toes(rig: Rig, ankle: str) -> bool:
    """Whether the foot's direction was seen: what hangs on the ankle, or ends it, is a joint of the pose."""
    number = rig.names.index(ankle)
    joint = rig.joints[number]
    return joint.end_joint is not None or any(parent == number for parent in rig.parents)


def _mirrored(rotations: np.ndarray, side: str) -> np.ndarray:
    return _MIRROR @ rotations @ _MIRROR if side == "l" else rotations


def _zxy(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radians about z, x, y of `R = Rz Rx Ry`."""
    x = np.arcsin(np.clip(rotations[:, 2, 1], -1, 1))
    z = np.arctan2(-rotations[:, 0, 1], rotations[:, 1, 1])
    return z, x, np.arctan2(-rotations[:, 2, 0], rotations[:, 2, 2])


def _yxz(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radians about y, x, z of `R = Ry Rx Rz`."""
    x = np.arcsin(np.clip(-rotations[:, 1, 2], -1, 1))
    y = np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2])
    return y, x, np.arctan2(rotations[:, 1, 0], rotations[:, 1, 1])


def _yxy(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radians of plane, elevation, axial turn of a right humerus: `Ry(plane) Rx(-elevation) Ry(axial)`."""
    bone = -rotations[:, :, 1]
    elevation = np.arccos(np.clip(-bone[:, 1], -1, 1))
    # An arm that hangs has no plane: then all of its turn is axial.
    plane = np.where(np.sin(elevation) > _HANGING, np.arctan2(bone[:, 0], bone[:, 2]), 0.0)
    c, s = np.cos(plane), np.sin(plane)
    ce, se = np.cos(elevation), np.sin(elevation)
    # Rx(elevation) Ry(-plane) R, of which the first row alone is needed.
    first = c[:, None] * rotations[:, 0] - s[:, None] * rotations[:, 2]
    third = s[:, None] * rotations[:, 0] + c[:, None] * rotations[:, 2]
    last = se[:, None] * rotations[:, 1] + ce[:, None] * third
    return plane, elevation, np.arctan2(first[:, 2], last[:, 2])


def _hinge(rotations: np.ndarray) -> np.ndarray:
    """Radians of an elbow of the rest pose's T, whose arm points along z: how far the forearm is from it."""
    return np.arccos(np.clip(rotations[:, 2, 2], -1, 1))
