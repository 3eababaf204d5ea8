import dataclasses
import json

import numpy as np

from tf_pose3d.inference.writers import write_motion


def test_frames_and_facts(motion, tmp_path):
    write_motion(tmp_path / "poses.json", motion)
    held = json.loads((tmp_path / "poses.json").read_text())
    assert held["joints"] == list(motion.skeleton.joints)
    assert (held["unit"], held["fps"], held["width"], held["root"]) == ("metre", 50, 1000, 0)
    assert [frame["frame"] for frame in held["frames"]] == [0, 1, 2, 3, 4]
    assert held["frames"][2]["pose_3d"] is None
    np.testing.assert_allclose(held["frames"][3]["pose_3d"], motion.poses[3], atol=1e-5)
    np.testing.assert_allclose(held["frames"][2]["pose_2d"], motion.keypoints[2], atol=1e-3)


def test_frames_keep_their_numbers(motion, tmp_path):
    """A clip that was cut out of something longer."""
    numbers = 9000 + np.arange(motion.num_frames)
    cut = dataclasses.replace(motion, frame=numbers)
    write_motion(tmp_path / "cut.json", cut)
    held = json.loads((tmp_path / "cut.json").read_text())
    assert [frame["frame"] for frame in held["frames"]] == numbers.tolist()
    write_motion(tmp_path / "cut.npz", cut)
    np.testing.assert_array_equal(np.load(tmp_path / "cut.npz")["frame"], numbers)
    write_motion(tmp_path / "whole.npz", motion)
    np.testing.assert_array_equal(np.load(tmp_path / "whole.npz")["frame"], np.arange(motion.num_frames))
