"""TRC files: which line is which frame."""

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion_readers import read_motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

NAMES = ("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle")
HEIGHTS = (1.0, 0.55, 0.1) * 2


def write(path, numbers):
    head = ["PathFileType\t4\t(X/Y/Z)\twalk.trc", "DataRate\tUnits", "30\tm"]
    head += ["Frame#\tTime\t" + "\t\t\t".join(NAMES), "\t\tX1\tY1\tZ1"]
    lines = []
    for number in numbers:
        cells = [f"{row / 100 + float(number) / 1000:.5f}\t{y}\t0.1" for row, y in enumerate(HEIGHTS)]
        lines.append("\t".join([str(number), "0.0", *cells]))
    path.write_text("\n".join(head + lines) + "\n")
    return path


def test_rows_are_the_frames_of_the_first_column(tmp_path):
    path = write(tmp_path / "walk.trc", [5, 6, 9, 30])
    motion = read_motion(path, ReadMotionOptions(max_gap=0))
    there = np.isfinite(motion.poses[:, 0, 0])
    assert np.flatnonzero(there).tolist() == [0, 1, 4, 25]
    assert len(motion.poses) == 26
    # Two frames are bridged, twenty are not.
    bridged = np.isfinite(read_motion(path, ReadMotionOptions(max_gap=2)).poses[:, 0, 0])
    assert np.flatnonzero(bridged).tolist() == [0, 1, 2, 3, 4, 25]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1, 2, 2], "line 8: frame 2 follows frame 2, expected a later one"),
        ([7, 3], "line 7: frame 3 follows frame 7"),
        ([1, 1.5], "line 7: Frame# '1.5' is no whole number"),
        ([1, 2, 10**8], "line 8: frame 100000000 of a file that has 2 frames since frame 1"),
    ],
)
def test_frames_out_of_order_are_refused(tmp_path, numbers, message):
    with pytest.raises(Pose3DError, match=message):
        read_motion(write(tmp_path / "walk.trc", numbers))
