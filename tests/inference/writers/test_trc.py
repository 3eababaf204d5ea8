import numpy as np

from tf_pose3d.inference.writers import write_motion


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


def test_names_cannot_add_lines_or_cells(motion, tmp_path):
    write_motion(tmp_path / "a\nb\tc\udce9.trc", motion)
    (path,) = tmp_path.iterdir()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\ta b c?.trc"
    assert len(lines) == 6 + 5
