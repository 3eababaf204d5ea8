"""Motion comes back from every format that is read, and files of others are understood."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.motion_readers import READERS, ReadMotionOptions, read_motion
from tf_pose3d.inference.writers import write_motion


@pytest.fixture(scope="module")
def motion():
    """A walk of one skeleton in the world, 20 frames, two of them without a pose."""
    sequence = synthetic_sequences(["S9"], frames=20, actions=["Walking"], skeleton="h36m_17")[0]
    poses = (sequence.pose_3d - sequence.pose_3d[:, :1]).astype(float)
    poses[8:10] = np.nan
    held = Motion(poses, sequence.skeleton, 0, 50.0, sequence.camera, sequence.pose_2d)
    (staged,) = run_stage([held], MotionSteps(constant_bones=True, level="auto", placement="floor"))
    return staged.motion


@pytest.mark.parametrize("suffix", READERS)
def test_what_was_written_is_read(motion, tmp_path, suffix):
    if suffix == ".c3d":
        pytest.importorskip("ezc3d")
    path = tmp_path / f"walk{suffix}"
    write_motion(path, motion)
    options = ReadMotionOptions(max_gap=0)
    read = read_motion(path, options)
    assert (read.world, read.fps, read.skeleton.name) == (True, pytest.approx(50, rel=1e-5), "h36m_17")
    expected = motion.upright(motion.held() if suffix == ".bvh" else None)
    np.testing.assert_allclose(read.upright(), expected, atol=1e-4)
    assert read.present.sum() == (20 if suffix == ".bvh" else 18)


def test_short_gaps_are_filled_and_longer_ones_stay(motion, tmp_path):
    write_motion(tmp_path / "walk.trc", motion)
    assert read_motion(tmp_path / "walk.trc").present.all()
    assert not read_motion(tmp_path / "walk.trc", ReadMotionOptions(max_gap=1)).present[8:10].any()


def test_poses_in_a_cameras_axes(motion, tmp_path):
    sequence = synthetic_sequences(["S9"], frames=5, actions=["Walking"], skeleton="h36m_17")[0]
    plain = Motion(sequence.pose_3d, sequence.skeleton, 0, 50.0, sequence.camera, sequence.pose_2d)
    write_motion(tmp_path / "x.npz", plain)
    read = read_motion(tmp_path / "x.npz")
    assert not read.world
    assert (read.camera.width, read.keypoints.shape) == (sequence.camera.width, (5, 17, 2))
    (staged,) = run_stage([read], MotionSteps(constant_bones=True, level="auto", placement="world"))
    assert staged.motion.level == "person"


def test_a_motion_file_with_several_clips(tmp_path):
    rng = np.random.default_rng(0)
    body = synthetic_sequences(["S9"], frames=4, actions=["Walking"], skeleton="h36m_17")[0].pose_3d
    body = body[..., [0, 2, 1]] * [1, 1, -1]
    clips = np.concatenate([body, body + rng.normal(0, 0.01, body.shape)]).astype(np.float32)
    np.savez(tmp_path / "m.npz", positions=clips, offsets=[0, 4, 8], names=["one", "two"])
    np.testing.assert_allclose(
        read_motion(tmp_path / "m.npz", ReadMotionOptions(clip="two")).poses, clips[4:]
    )
    with pytest.raises(Pose3DError, match="has no clip '2', expected 0 to 1 or a name such as one"):
        read_motion(tmp_path / "m.npz", ReadMotionOptions(clip="2"))


TRC = """PathFileType\t4\t(X/Y/Z)\tlab.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames
100\t100\t2\t4\tmm\t100\t1\t2
Frame#\tTime\tSub:RHJC\t\t\tRKJC\t\t\tRAJC\t\t\tC7\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3\tX4\tY4\tZ4

1\t0.00\t100\t900\t50\t100\t480\t50\t100\t80\t50\t0\t1400\t0
2\t0.01\t110\t900\t50\t110\t480\t50\t110\t80\t50\t0\t1400\t0
"""


def test_a_laboratorys_joint_centres(tmp_path):
    (tmp_path / "lab.trc").write_text(TRC)
    read = read_motion(tmp_path / "lab.trc")
    assert read.skeleton.joints == ("r_hip", "r_knee", "r_ankle")
    assert read.fps == 100
    # y is up: heights become z.
    np.testing.assert_allclose(read.poses[0, :, 2], [0.9, 0.48, 0.08])
    assert read_motion(tmp_path / "lab.trc", ReadMotionOptions(up="z")).poses[0, 0, 2] == 0.05


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("480\t50", "48x\t50", r"lab\.trc, line 7: '48x' is no number"),
        ("\tmm\t", "\tfeet\t", "line 3: unit 'feet', expected mm, cm, m"),
        ("100\t100\t2", "0\t100\t2", "DataRate 0, expected 1 to 10,000"),
        ("0\t1400\t0\n2", "\n2", "line 7 has 10 columns, expected 14"),
        ("RHJC", "LASI", "none|joints"),
        ("PathFileType", "Path", "is no TRC file"),
        ("\tmm\t", "\tm\t", "thighs would be 420 m long, expected about 0.4"),
    ],
)
def test_damaged_trc(tmp_path, wrong, right, message):
    text = TRC.replace(wrong, right, 1)
    if wrong == "RHJC":
        for name in ("RKJC", "RAJC"):
            text = text.replace(name, "LPSI" + name[1])
    if "10 columns" in message:
        text = TRC.replace("\t80\t50\t0\t1400\t0\n2", "\t80\n2")
    (tmp_path / "lab.trc").write_text(text)
    with pytest.raises(Pose3DError, match=message):
        read_motion(tmp_path / "lab.trc")


def test_files_that_are_none(tmp_path):
    (tmp_path / "x.json").write_text('{"frames": [1]}')
    (tmp_path / "y.json").write_text('{"frames": [{"pose_3d": null}]}')
    (tmp_path / "z.json").write_text("{")
    np.savez(tmp_path / "x.npz", a=1)
    np.savez(tmp_path / "y.npz", pose_3d=np.zeros((3, 5, 3)), fps=30)
    (tmp_path / "x.c3d").write_bytes(b"no c3d")
    for name, message in {
        "x.json": "no list of frames",
        "y.json": "none of the 1 frames has a pose",
        "z.json": "z.json",
        "x.npz": r"no pose_3d .* it holds a",
        "y.npz": "5 joints without names",
        "x.txt": "expected a name that ends in .trc",
        "nothing.bvh": "does not exist",
    }.items():
        with pytest.raises(Pose3DError, match=message):
            read_motion(tmp_path / name)
    pytest.importorskip("ezc3d")
    with pytest.raises(Pose3DError, match="is no C3D file, or damaged"):
        read_motion(tmp_path / "x.c3d")


def test_options():
    for wrong in ({"up": "w"}, {"unit": "feet"}, {"fps": 0.0}, {"max_gap": -1}):
        with pytest.raises(Pose3DError, match="expected"):
            ReadMotionOptions(**wrong)
    assert dataclasses.replace(ReadMotionOptions(), unit="cm").metres == 0.01
