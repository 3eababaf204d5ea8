"""TRC marker files, as OpenSim reads them."""

from __future__ import annotations

import numpy as np

from tf_pose3d.skeleton import Skeleton

__all__ = ["trc_text"]


def trc_text(poses: np.ndarray, skeleton: Skeleton, fps: float, name: str) -> str:
    """The content of a `.trc` file: joints as markers, millimetres, y up and z towards the camera.

    Args:
        poses: `(F, J, 3)` metres, camera frame (y down, z away); frames of NaN have no values.
        skeleton: Names the joints.
        fps: Frames per second.
        name: Of the file, which the format repeats inside.
    """
    joints = skeleton.joints
    rate = f"{fps:g}"
    facts = [rate, rate, str(len(poses)), str(len(joints)), "mm", rate, "1", str(len(poses))]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "\t".join(facts),
        "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t",
        "\t\t" + "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(joints) + 1)),
        "",
    ]
    for number, pose in enumerate(poses * np.array([1000.0, -1000.0, -1000.0])):
        values = ["" if np.isnan(value) else f"{value:.3f}" for value in pose.reshape(-1)]
        lines.append("\t".join([str(number + 1), f"{number / fps:.6f}", *values]))
    return "\n".join(lines) + "\n"
