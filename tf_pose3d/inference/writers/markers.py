"""Joints as the markers of a laboratory: the unit and axes that marker files share."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.record import Motion

__all__ = ["marker_names", "marker_positions"]

# Pose2Sim's names of our joints, in the order of its skeleton of 26 joints, for which OpenSim models are
# made.
_POSE2SIM = {
    "pelvis": "Hip",
    "r_hip": "RHip",
    "r_knee": "RKnee",
    "r_ankle": "RAnkle",
    "r_big_toe": "RBigToe",
    "r_small_toe": "RSmallToe",
    "r_heel": "RHeel",
    "l_hip": "LHip",
    "l_knee": "LKnee",
    "l_ankle": "LAnkle",
    "l_big_toe": "LBigToe",
    "l_small_toe": "LSmallToe",
    "l_heel": "LHeel",
    "neck": "Neck",
    "head_top": "Head",
    "nose": "Nose",
    "r_shoulder": "RShoulder",
    "r_elbow": "RElbow",
    "r_wrist": "RWrist",
    "l_shoulder": "LShoulder",
    "l_elbow": "LElbow",
    "l_wrist": "LWrist",
    "r_eye": "REye",
    "l_eye": "LEye",
    "r_ear": "REar",
    "l_ear": "LEar",
}


def marker_positions(motion: Motion) -> np.ndarray:
    """`(F, J, 3)` float64 millimetres, y up and z towards the camera, or the world's x; NaN where there is no
    pose.

    Joints that are found nowhere are 0 where the motion asks for it.
    """
    positions = 1000 * motion.upright()
    if motion.zeros:
        positions[:, ~np.isfinite(positions[..., 0]).any(axis=0)] = 0.0
    return positions


def marker_names(motion: Motion) -> tuple[list[int], list[str]]:
    """The joints that marker files of the world hold, in Pose2Sim's order, and its names for them.

    Joints that Pose2Sim has no name for come last, under ours; with `zeros` only those that it writes itself.
    """
    joints = motion.skeleton.joints
    known = [joint for joint in _POSE2SIM if joint in joints]
    if motion.zeros:
        known = [joint for joint in known if not joint.endswith(("_eye", "_ear"))]
    others = [] if motion.zeros else [joint for joint in joints if joint not in _POSE2SIM]
    order = [joints.index(joint) for joint in (*known, *others)]
    return order, [_POSE2SIM.get(joint, joint) for joint in (*known, *others)]
