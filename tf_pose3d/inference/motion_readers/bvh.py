"""BVH files of anybody: the seventeen joints of the body by the usual names of bones."""

from __future__ import annotations

from pathlib import Path

from tf_pose3d.data.motion_files.bvh import read_bvh
from tf_pose3d.data.motion_files.seventeen_joints import find_joints, seventeen_joints
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.markers import markers_to_motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions
from tf_pose3d.skeleton import get_skeleton

__all__ = ["read"]


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads joint places by forward kinematics; the unit is told by the length of the thighs.

    Raises:
        Pose3DError: A damaged file, a skeleton of other names, or a unit that cannot be told.
    """
    skeleton = read_bvh(path)
    places = seventeen_joints(skeleton, find_joints(skeleton, str(path)))
    if skeleton.fps is None:
        raise Pose3DError(f"{path} does not tell its rate: give the rate")
    return markers_to_motion(
        places, get_skeleton("h36m_17").joints, skeleton.fps, str(path), options, skeleton.metres
    )
