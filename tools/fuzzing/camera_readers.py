"""Calibrations of cameras in the files of many tools, and files of motion capture with skeletons."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.numbers import are_held, held_numbers
from fuzzing.reader import Reader

__all__ = ["READERS"]

# One rig in everybody's files; a clone has it.
_RIGS = Path(__file__).resolve().parents[2] / "tests" / "golden" / "calibration" / "rigs.zip"
_TOOLS = {
    "Pose2Sim TOML": "pose2sim",
    "Anipose TOML": "aniposelib",
    "FreeMoCap TOML": "freemocap",
    "Caliscope TOML": "caliscope/camera_array.toml",
    "OpenCV YAML": "opencv_yml",
    "OpenCV XML": "opencv_xml",
    "EasyMocap YAML": "easymocap",
    "Qualisys XML": "qualisys",
    "Panoptic JSON": "panoptic",
    "VoxelPose JSON": "voxelpose",
    "Human3.6M cameras JSON": "h36m",
    "OpenCap pickle": "opencap",
}

_BVH = """HIERARCHY
ROOT Hips
{
	OFFSET 0.0 0.0 0.0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT LeftUpLeg
	{
		OFFSET 10.0 0.0 0.0
		CHANNELS 3 Zrotation Xrotation Yrotation
		End Site
		{
			OFFSET 0.0 -40.0 0.0
		}
	}
	JOINT Spine
	{
		OFFSET 0.0 20.0 0.0
		CHANNELS 3 Zrotation Xrotation Yrotation
		End Site
		{
			OFFSET 0.0 30.0 0.0
		}
	}
}
MOTION
Frames: 3
Frame Time: 0.0333333
0.0 90.0 0.0 0.0 0.0 0.0 5.0 0.0 0.0 0.0 1.0 0.0
0.0 90.5 1.0 0.0 0.0 0.0 6.0 0.0 0.0 0.0 2.0 0.0
0.0 91.0 2.0 0.0 0.0 0.0 7.0 0.0 0.0 0.0 3.0 0.0
"""
_ASF = """:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lfemur
     direction 0.34 -0.94 0
     length 7.16
     axis 0 0 20 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name ltibia
     direction 0.34 -0.94 0
     length 7.49
     axis 0 0 20 XYZ
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root lfemur
    lfemur ltibia
  end
"""
_AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 0 17.5 10 0 0 0
lfemur 1 2 3
ltibia 5
2
root 0 17.5 20 0 0 0
lfemur 2 2 3
ltibia 6
"""


def _rig(place: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(_RIGS) as archive:
            archive.extractall(folder / "rigs")
        held = folder / "rigs" / "exact" / place
        target = folder / held.name
        shutil.copytree(held, target) if held.is_dir() else shutil.copy(held, target)
        shutil.rmtree(folder / "rigs")
        return target

    return make


def _read_calibration(path: Path) -> Any:
    from tf_pose3d.data.calibration import read_calibration

    return read_calibration(path)


def _wrong_calibration(calibration: Any, path: Path) -> str:
    for camera in calibration.cameras:
        for values in (camera.matrix, camera.rotation, camera.translation, camera.distortion):
            if not (np.abs(values) < 1e12).all():
                return f"camera {camera.name} holds numbers that are none of a camera's"
    if len(set(calibration.names)) != len(calibration.names) or not calibration.names:
        return "cameras without names of their own"
    known = held_numbers(path)
    # Qualisys writes pixels in sixty-fourths, and principal points from the whole sensor's corner.
    for camera in calibration.cameras:
        if not are_held(camera.matrix.diagonal(), np.append(known, 1.0), (1.0, 1 / 64)):
            return f"focal lengths of camera {camera.name} that are not in the file"
    return ""


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(text)
        return path

    return make


def _acclaim(folder: Path) -> Path:
    root = folder / "subject"
    root.mkdir()
    (root / "01.asf").write_text(_ASF)
    (root / "01_01.amc").write_text(_AMC)
    return root


def _written(ending: str) -> Callable[[Path], Path]:
    """A motion as `inference.py --output` writes it."""

    def make(folder: Path) -> Path:
        from fuzzing.data_readers import standing_person

        from tf_pose3d.inference.motion import Motion
        from tf_pose3d.inference.writers import write_motion
        from tf_pose3d.skeleton import get_skeleton

        # In a camera's axes: y down, three metres away.
        poses = standing_person()[:, [0, 2, 1]] * [1, -1, 1] + 0.01 * np.arange(5)[:, None, None]
        skeleton = get_skeleton("h36m_17")
        path = folder / f"walk{ending}"
        write_motion(path, Motion(poses=poses, skeleton=skeleton, root=0, fps=25))
        return path

    return make


def _read_motion(path: Path) -> Any:
    from tf_pose3d.inference.motion_readers import read_motion
    from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

    # Filled gaps would be numbers that no file holds.
    return read_motion(path, ReadMotionOptions(max_gap=0))


def _wrong_poses(motion: Any, path: Path) -> str:
    known = motion.poses[np.isfinite(motion.poses)]
    if np.isinf(motion.poses).any() or (np.abs(known) > 1e10).any():
        return "poses that are no metres"
    if not 0 < motion.fps <= 10_000 or not 0 <= motion.root < motion.skeleton.num_joints:
        return "a rate or a root that there is not"
    if len(motion.frame_numbers) != len(motion.poses):
        return "frames without numbers"
    if path.suffix == ".bvh":
        return ""  # It holds angles.
    known, units = held_numbers(path), (1.0, 0.01, 0.001)
    strange = [not are_held(joint, known, units) for joint in motion.poses.swapaxes(0, 1)]
    # Joints that lost their names are made of others: pelvis, spine, neck, head.
    return "positions that are not in the file" if sum(strange) > 4 else ""


def _read_bvh(path: Path) -> Any:
    from tf_pose3d.data.motion_files.bvh import read_bvh

    return read_bvh(path)


def _read_acclaim(path: Path) -> Any:
    from tf_pose3d.data.motion_files.asf_amc import read_amc, read_asf

    return read_amc(path / "01_01.amc", read_asf(path / "01.asf"), 120)


def _wrong_motion(motion: Any, path: Path) -> str:
    if not (np.isfinite(motion.positions).all() and np.isfinite(motion.rotations).all()):
        return "positions or rotations that are not finite"
    return "" if motion.fps is None or 0 < motion.fps < 1e6 else f"{motion.fps} frames per second"


READERS = [
    *(
        Reader(name, _rig(place), _read_calibration, _wrong_calibration)
        for name, place in (_TOOLS.items() if _RIGS.is_file() else ())
    ),
    Reader("BVH", _text("walk.bvh", _BVH), _read_bvh, _wrong_motion),
    *(
        Reader(f"motion {ending}", _written(ending), _read_motion, _wrong_poses)
        for ending in (".trc", ".c3d", ".bvh", ".npz", ".json")
    ),
    Reader("ASF and AMC", _acclaim, _read_acclaim, _wrong_motion),
]
