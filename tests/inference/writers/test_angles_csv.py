import csv

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers.angles_csv import check_angle_file, write_angles


def test_a_line_a_frame_with_gaps_left_empty(motion, tmp_path):
    write_angles(tmp_path / "angles.csv", motion)
    with (tmp_path / "angles.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == list("01234")
    assert rows[3]["seconds"] == "0.0600"
    assert rows[2]["knee_flexion_left"] == ""
    assert 0 <= float(rows[1]["elbow_flexion_right"]) < 120


def test_refused_before_the_work():
    with pytest.raises(Pose3DError, match=r"angles\.txt: clinical angles are written as \.csv"):
        check_angle_file("angles.txt")
    with pytest.raises(Pose3DError, match="1 frame or more, these are 0"):
        check_angle_file("angles.csv", 0)
