"""Joint angles of poses that anyone can picture."""

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.angles import clinical_angles, opensim_coordinates
from tf_pose3d.inference.motion.rig import Rig, RigJoint, fit_rig
from tf_pose3d.skeleton import get_skeleton

SKELETON = get_skeleton("h36m_17")
_C, _S = np.cos(np.radians(30)), np.sin(np.radians(30))
_LEAN = np.array([[1, 0, 0], [0, _C, -_S], [0, _S, _C]])  # forward, about the left
_TIP = np.array([[_C, -_S, 0], [_S, _C, 0], [0, 0, 1]])  # to the right, about forward
# Upright, y up, facing +z, arms hanging.
STANDING = {"pelvis": (0, 0, 0), "spine": (0, 0.2, 0), "neck": (0, 0.5, 0), "head": (0, 0.6, 0)}
STANDING["head_top"] = (0, 0.7, 0)
for _side, _sign in (("l", 1), ("r", -1)):
    for _joint, (_x, _y) in {
        "hip": (0.1, 0),
        "knee": (0.1, -0.4),
        "ankle": (0.1, -0.8),
        "shoulder": (0.15, 0.5),
        "elbow": (0.15, 0.25),
        "wrist": (0.15, 0.05),
    }.items():
        STANDING[f"{_side}_{_joint}"] = (_sign * _x, _y, 0)
UPPER = [
    number
    for number, name in enumerate(SKELETON.joints)
    if name in ("neck", "head", "head_top") or name.endswith(("shoulder", "elbow", "wrist"))
]


def pose(**moved):
    return np.array([[{**STANDING, **moved}[joint] for joint in SKELETON.joints]], float)


def bent_above_the_spine(turn):
    held = pose()
    spine = held[0, SKELETON.index("spine")]
    held[0, UPPER] = (held[0, UPPER] - spine) @ turn.T + spine
    return held


CASES = {
    "standing": (pose(), {}),
    "right hip and knee": (
        pose(r_knee=(-0.1, 0, 0.4), r_ankle=(-0.1, -0.4, 0.4)),
        {"hip_flexion_right": 90, "knee_flexion_right": 90},
    ),
    "left leg out": (
        pose(l_knee=(0.1 + 0.4 * _S, -0.4 * _C, 0), l_ankle=(0.1 + 0.8 * _S, -0.8 * _C, 0)),
        {"hip_adduction_left": -30},
    ),
    "right leg in": (
        pose(r_knee=(-0.1 + 0.4 * _S, -0.4 * _C, 0), r_ankle=(-0.1 + 0.8 * _S, -0.8 * _C, 0)),
        {"hip_adduction_right": 30},
    ),
    "right arm forward": (
        pose(r_elbow=(-0.15, 0.5, 0.25), r_wrist=(-0.15, 0.5, 0.45)),
        {"shoulder_plane_right": 90, "shoulder_elevation_right": 90},
    ),
    "left arm to the side": (
        pose(l_elbow=(0.4, 0.5, 0), l_wrist=(0.6, 0.5, 0)),
        {"shoulder_elevation_left": 90},
    ),
    "left elbow": (pose(l_wrist=(0.15, 0.25, 0.2)), {"elbow_flexion_left": 90}),
    "both forearms before the belly": (
        pose(r_wrist=(0.05, 0.25, 0), l_wrist=(-0.05, 0.25, 0)),
        {
            "elbow_flexion_right": 90,
            "elbow_flexion_left": 90,
            "shoulder_rotation_right": 90,
            "shoulder_rotation_left": 90,
        },
    ),
    "bowing": (bent_above_the_spine(_LEAN), {"trunk_flexion": 30}),
    "bending to the right": (bent_above_the_spine(_TIP), {"trunk_bending_right": 30}),
    "leaning forward as a whole": (pose() @ _LEAN.T, {"pelvis_tilt": 30}),
    "tipped to the right as a whole": (pose() @ _TIP.T, {"pelvis_obliquity": -30}),
}


@pytest.mark.parametrize("name", CASES)
def test_angles(name):
    held, expected = CASES[name]
    found = {key: values[0] for key, values in clinical_angles(fit_rig(held, SKELETON, 30)).items()}
    assert len(found) == 26
    wrong = {key: value for key, value in found.items() if abs(value - expected.get(key, 0)) > 0.01}
    # An arm in the plane of a trunk that bends under it turns, too: only what is named is asked for there.
    if name in (
        "bowing",
        "bending to the right",
        "leaning forward as a whole",
        "tipped to the right as a whole",
    ):
        wrong = {key: value for key, value in wrong.items() if not key.startswith("shoulder")}
    assert wrong == {}


def test_opensims_coordinates():
    held = pose(r_knee=(-0.1, 0, 0.4), r_ankle=(-0.1, -0.4, 0.4)) + np.array([1, 0.9, 2])
    found = {key: values[0] for key, values in opensim_coordinates(fit_rig(held, SKELETON, 30)).items()}
    assert (found["hip_flexion_r"], found["knee_angle_r"]) == pytest.approx((90, 90))
    assert [found[f"pelvis_t{axis}"] for axis in "xyz"] == pytest.approx([1, 0.9, 2])
    # OpenSim's models face x: someone who faces z has turned by -90 degrees about y.
    assert found["pelvis_rotation"] == pytest.approx(-90)
    facing_x = held @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T
    assert opensim_coordinates(fit_rig(facing_x, SKELETON, 30))["pelvis_rotation"][0] == pytest.approx(
        0, abs=1e-6
    )


def test_ankles_where_feet_are_seen():
    layout = get_skeleton("mpi_inf_3dhp_28")
    places = {**STANDING, "spine2": (0, 0.28, 0), "spine3": (0, 0.36, 0), "spine4": (0, 0.44, 0)}
    for side, sign in (("l", 1), ("r", -1)):
        places |= {
            f"{side}_clavicle": (sign * 0.05, 0.5, 0),
            f"{side}_hand": (sign * 0.15, -0.03, 0),
            f"{side}_foot": (sign * 0.1, -0.8, 0.15),
            f"{side}_toe": (sign * 0.1, -0.8, 0.2),
        }
    places["l_foot"] = (0.1, -0.8 + 0.15 * _S, 0.15 * _C)
    held = np.array([[places[joint] for joint in layout.joints]], float)
    found = clinical_angles(fit_rig(held, layout, 30))
    assert found["ankle_dorsiflexion_left"][0] == pytest.approx(30, abs=0.1)
    assert found["ankle_dorsiflexion_right"][0] == pytest.approx(0, abs=0.1)


def test_a_rig_without_a_neck():
    lone = Rig((RigJoint("pelvis", -1, np.zeros(3), 0),), np.zeros((1, 3)), np.eye(3)[None, None], 30, 1)
    with pytest.raises(Pose3DError, match="joint angles need a neck"):
        clinical_angles(lone)
