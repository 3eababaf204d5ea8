import dataclasses

import numpy as np

from tf_pose3d.inference.motion import Motion
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.skeleton import get_skeleton


def test_markers(motion, tmp_path):
    write_motion(tmp_path / "poses.trc", motion)
    lines = (tmp_path / "poses.trc").read_text().splitlines()
    assert lines[0].split("\t")[3] == "poses.trc"
    names, values = lines[1].split("\t"), lines[2].split("\t")
    assert dict(zip(names, values, strict=True)) == {
        "DataRate": "50",
        "CameraRate": "50",
        "NumFrames": "5",
        "NumMarkers": "17",
        "Units": "mm",
        "OrigDataRate": "50",
        "OrigDataStartFrame": "1",
        "OrigNumFrames": "5",
    }
    assert [name for name in lines[3].split("\t")[2:] if name] == list(motion.skeleton.joints)
    rows = [line.split("\t") for line in lines[6:]]
    assert [row[0] for row in rows] == list("12345")
    # Millimetres, y up and z towards the camera.
    expected = motion.poses[3] * [1000, -1000, -1000]
    np.testing.assert_allclose(np.array(rows[3][2:], float).reshape(17, 3), expected, atol=1e-3)
    assert set(rows[2][2:]) == {""}
    # OpenSim counts the cells that tabs end.
    assert [lines[6 + row].count("\t") for row in range(5)] == [52, 52, 53, 52, 52]


def test_names_cannot_add_lines_or_cells(motion, tmp_path):
    write_motion(tmp_path / "a\nb\tc\udce9.trc", motion)
    (path,) = tmp_path.iterdir()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\ta b c?.trc"
    assert len(lines) == 6 + 5


def test_the_world_is_written_as_pose2sim_writes_it(tmp_path):
    poses = np.random.default_rng(0).normal(size=(3, 26, 3)).astype(np.float32)
    poses[1, 5] = np.nan
    poses[:, 17] = np.nan
    motion = Motion(poses, get_skeleton("halpe_26"), 19, 60, frame=np.arange(30, 33), world=True)
    write_motion(tmp_path / "poses.trc", motion)
    lines = (tmp_path / "poses.trc").read_text().splitlines()
    assert lines[2] == "60\t60\t3\t26\tm\t60\t30\t3"
    names = [name for name in lines[3].split("\t")[2:] if name]
    assert names[:4] == ["Hip", "RHip", "RKnee", "RAnkle"]
    assert names[-4:] == ["REye", "LEye", "REar", "LEar"]
    rows = [line.split("\t") for line in lines[5:]]
    assert [row[0] for row in rows] == ["30", "31", "32"]
    assert rows[1][1] == f"{31 / 60:.6f}"
    shoulder = 2 + 3 * names.index("LShoulder")
    x, y, z = poses[0, 5]
    np.testing.assert_allclose(np.array(rows[0][shoulder : shoulder + 3], float), [y, z, x], atol=1e-6)
    assert rows[1][shoulder : shoulder + 3] == [""] * 3
    write_motion(tmp_path / "zeros.trc", dataclasses.replace(motion, zeros=True))
    lines = (tmp_path / "zeros.trc").read_text().splitlines()
    assert lines[2].split("\t")[3] == "22"
    head = 2 + 3 * [name for name in lines[3].split("\t")[2:] if name].index("Head")
    assert lines[5].split("\t")[head : head + 3] == ["0.000000"] * 3
