import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.tables import action_wise_table, error_table, frame_wise_table

RESULT = {
    "frame_wise": {"mpjpe": 41.234, "nmpjpe": 40.0, "pampjpe": 33.3},
    "action_wise_average": {"mpjpe": 42.5, "nmpjpe": 40.1, "pampjpe": float("nan")},
    "per_action": {
        "Walking": {"mpjpe": 35.0, "nmpjpe": 34.0, "pampjpe": 30.126},
        "SittingDown": {"mpjpe": 50.0, "nmpjpe": 46.2, "pampjpe": 1234.5},
    },
}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_action_wise_table():
    lines = str(action_wise_table(RESULT)).splitlines()
    assert "Action-wise errors in mm" in lines[1]
    assert cells(lines[3]) == ["Action", "MPJPE", "NMPJPE", "PAMPJPE"]
    assert cells(lines[5]) == ["Walking", "35.00", "34.00", "30.13"]
    assert cells(lines[6]) == ["SittingDown", "50.00", "46.20", "1234.50"]
    assert set(lines[7]) == {"+", "-"}
    assert cells(lines[8]) == ["Average", "42.50", "40.10", "nan"]


def test_frame_wise_table():
    lines = str(frame_wise_table(RESULT, title=None)).splitlines()
    assert cells(lines[1]) == ["", "MPJPE", "NMPJPE", "PAMPJPE"]
    assert cells(lines[3]) == ["All frames", "41.23", "40.00", "33.30"]


def test_several_runs_in_one_table():
    table = error_table(
        ["Hip", "Knee", "Average"],
        ["test 1", "test 3"],
        np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 3.0]]),
        corner="Joint",
        decimals=1,
        summary_rows=1,
    )
    lines = str(table).splitlines()
    assert cells(lines[1]) == ["Joint", "test 1", "test 3"]
    assert cells(lines[-2]) == ["Average", "2.0", "3.0"]
    assert set(lines[-3]) == {"+", "-"}


def test_missing_value():
    assert cells(str(error_table(["a"], ["x", "y"], [[None, 1.0]])).splitlines()[3]) == ["a", "-", "1.00"]


@pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0], [2.0, 3.0]], []])
def test_wrong_size(values):
    with pytest.raises(Pose3DError, match="2 rows and 2 columns"):
        error_table(["a", "b"], ["x", "y"], values)
