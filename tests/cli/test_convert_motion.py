"""`tools/convert_motion.py`: from lab files to animation, and back."""

from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli.convert_motion import main
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers import read_motion
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.skeleton import make_skeleton


@pytest.fixture
def walk(tmp_path, monkeypatch):
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    poses = sequence.pose_3d.astype(float)
    # From the camera's frame into the laboratory's.
    world = poses[..., [0, 2, 1]] * [1, 1, -1] + np.array([0, 0, 1.5])
    motion = Motion(world, sequence.skeleton, 0, 50.0, world=True, level="file")
    monkeypatch.chdir(tmp_path)
    write_motion("walk.trc", motion)
    return motion


def run(capsys, *flags):
    code = main([str(flag) for flag in flags])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


def test_from_markers_to_animation(walk, capsys):
    code, out, err = run(capsys, "walk.trc", "walk.glb", "--smooth", "rts", "--angles", "angles.csv")
    assert (code, err) == (0, [])
    assert out[0] == "walk.trc: 60 frames at 50 per second, 17 joints"
    assert out[1].startswith("walk.glb: smoothed (Rauch-Tung-Striebel, 4 Hz), bones of constant length")
    assert out[-1] == "wrote angles.csv: no angles of the ankles, as no joint tells how feet are held"
    code, _, err = run(capsys, "walk.trc", "walk.bvh", "--marker_set", "set.xml", "--bvh_names", "cmu")
    assert (code, err) == (0, [])
    assert "Spine1" in Path("walk.bvh").read_text()
    assert Path("set.xml").read_text().startswith("<?xml")
    code, _, _ = run(capsys, "walk.bvh", "again.npz")
    assert code == 0
    read, truth = read_motion("again.npz"), walk.poses
    spread = [held[:, 0] - held[:, 0].mean(axis=0) for held in (read.poses, truth)]
    np.testing.assert_allclose(
        np.linalg.norm(spread[0], axis=1), np.linalg.norm(spread[1], axis=1), atol=0.05
    )


def test_markers_of_several_cameras(walk, capsys):
    """Toes tell the ankles, and a marker that is missing leaves the others."""
    skeleton = make_skeleton("with toes", (*walk.skeleton.joints, "l_big_toe", "r_big_toe"))
    ankles = walk.poses[:, [walk.skeleton.index("l_ankle"), walk.skeleton.index("r_ankle")]]
    toes = ankles + np.array([0.15, 0, -0.06])
    poses = np.concatenate([walk.poses, toes], axis=1)
    poses[20:45, skeleton.index("l_wrist")] = np.nan
    write_motion("lab.trc", Motion(poses, skeleton, 0, 50.0, world=True, level="calibration"))
    code, out, _ = run(capsys, "lab.trc", "lab.mot")
    assert code == 0
    assert out[0] == "lab.trc: 60 frames at 50 per second, 19 joints, 25 that lack joints"
    assert "bones that were not seen as before and after" in out[1]
    assert out[2] == "wrote lab.mot"
    assert "\tankle_angle_r\t" in Path("lab.mot").read_text()
    assert run(capsys, "lab.trc", "again.npz")[0] == 0
    again = read_motion("again.npz")
    np.testing.assert_array_equal(again.known.all(axis=1), np.isfinite(poses).all(axis=(1, 2)))
    assert again.present.all()


def test_pictures(walk, capsys):
    code, out, err = run(capsys, "walk.trc", "walk.html")
    assert (code, err, out[-1]) == (0, [], "wrote walk.html")
    assert "<html" in Path("walk.html").read_text()[:300]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nothing.trc", "x.glb"], "nothing.trc does not exist"),
        (["walk.trc", "x.txt"], "expected a name that ends in .npz"),
        (["walk.trc", "walk.trc"], "output walk.trc is a file that is read"),
        (["walk.trc", "x.glb", "--placement", "camera"], "world axes, which no camera is known for"),
        (["walk.trc", "x.glb", "--smooth", "one_euro"], "is for streams"),
        (["walk.trc", "x.glb", "--angles", "x.txt"], "clinical angles are written as .csv"),
        (["walk.trc", "x.csv", "--angles", "x.csv"], "--angles x.csv is a file that another flag writes"),
        (["walk.trc", "x.glb", "--marker_set", "walk.trc"], "--marker_set walk.trc is a file that is read"),
        (["walk.trc", "x.glb", "--focal_length", "900"], "--focal_length: the file has no keypoints"),
        (["walk.trc", "x.glb", "--unit", "inch"], "is the unit another?"),
    ],
)
def test_bad_flags(walk, capsys, flags, message):
    code, _, err = run(capsys, *flags)
    assert (code, len(err)) == (2, 1)
    assert message in err[0]
