import sys

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers import check_motion_file, write_motion


def test_markers(motion, tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    write_motion(tmp_path / "poses.c3d", motion)
    held = ezc3d.c3d(str(tmp_path / "poses.c3d"))
    points = held["parameters"]["POINT"]
    assert points["LABELS"]["value"] == list(motion.skeleton.joints)
    assert (points["UNITS"]["value"], points["RATE"]["value"].tolist()) == (["mm"], [50])
    # Millimetres, y up and z towards the camera; NaN where there is no pose.
    np.testing.assert_allclose(
        held["data"]["points"][:3].transpose(2, 1, 0), motion.poses * [1000, -1000, -1000], atol=1e-3
    )


def test_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(Pose3DError, match=r'pip install "\.\[c3d\]"'):
        check_motion_file("poses.c3d")


@pytest.mark.parametrize("frames", [0, 65536])
def test_refused_before_the_work_where_it_cannot_hold_the_frames(frames):
    pytest.importorskip("ezc3d")
    with pytest.raises(Pose3DError, match=f"1 to 65535 frames, these are {frames}"):
        check_motion_file("poses.c3d", frames)
