import csv

import pytest

from tf_pose3d.inference.writers import write_motion


def test_a_line_per_frame(motion, tmp_path):
    write_motion(tmp_path / "poses.csv", motion)
    with open(tmp_path / "poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == list("01234")
    assert float(rows[4]["seconds"]) == 0.08
    knee = motion.skeleton.index("l_knee")
    assert float(rows[1]["l_knee_y"]) == pytest.approx(motion.poses[1, knee, 1], abs=1e-5)
    assert rows[2]["head_z"] == ""
