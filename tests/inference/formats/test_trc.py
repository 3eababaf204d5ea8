"""Sports2D's markers in pixels."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

NAMES = {
    "Hip": "pelvis",
    "RHip": "r_hip",
    "RKnee": "r_knee",
    "RAnkle": "r_ankle",
    "LHip": "l_hip",
    "LKnee": "l_knee",
    "LAnkle": "l_ankle",
    "Neck": "neck",
    "Head": "head_top",
    "Nose": "nose",
    "RShoulder": "r_shoulder",
    "RElbow": "r_elbow",
    "RWrist": "r_wrist",
    "LShoulder": "l_shoulder",
    "LElbow": "l_elbow",
    "LWrist": "l_wrist",
}


def write(path, values, first=0):
    """As Sports2D's `make_trc_with_trc_data` writes its files."""
    count = len(NAMES)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tclip_Sports2D_px_person00.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"30.0\t30.0\t{len(values)}\t{count}\tm\t30.0\t{first}\t{len(values)}",
        "Frame#\tTime\t" + "\t\t\t".join(NAMES) + "\t\t",
        "\t\t" + "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, count + 1)),
    ]
    for number, pose in enumerate(values):
        cells = ["" if np.isnan(value) else f"{value:.4f}" for value in pose.ravel()]
        lines.append("\t".join([str(first + number), f"{(first + number) / 30:.4f}", *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("first", [0, 1, 40])
def test_pixels_by_name(tmp_path, first):
    from tf_pose3d.skeleton import make_skeleton

    skeleton = make_skeleton("sports2d", tuple(NAMES.values()))
    points = made_up.person(skeleton)
    values = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2)
    values[2, 5] = np.nan
    video = made_up.read(write(tmp_path / "clip_px_person00.trc", values, first))
    assert (video.format, video.fps) == ("trc", 30)
    start = 0 if first == 1 else first
    got = made_up.dense(video)[start:]
    order = [video.skeleton.index(joint) for joint in NAMES.values()]
    assert np.isnan(got[2, order[5]]).all()
    got[2, order[5]] = 1
    points[2, 5] = 1
    np.testing.assert_allclose(got[:, order, :2], points, atol=1e-3)


def test_metres_are_refused(tmp_path):
    values = np.random.default_rng(0).uniform(0, 2, (4, len(NAMES), 3))
    values[..., 2] = 0
    with pytest.raises(Pose3DError, match=r"metres, no pixels; take Sports2D's _px file"):
        made_up.read(write(tmp_path / "clip_m_person00.trc", values))
