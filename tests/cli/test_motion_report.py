"""`tools/motion_report.py`."""

import json
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli.motion_report import main
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers import read_motion
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.skeleton import get_skeleton, make_skeleton


@pytest.fixture
def files(tmp_path, monkeypatch):
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    world = sequence.pose_3d[..., [0, 2, 1]].astype(float) * [1, 1, -1]
    monkeypatch.chdir(tmp_path)
    rough = world + np.random.default_rng(0).normal(0, 0.01, world.shape)
    for name, poses in (("truth.trc", world), ("rough.trc", rough), ("short.trc", world[:30])):
        write_motion(name, Motion(poses, sequence.skeleton, 0, 50.0, world=True, level="file"))
    write_motion("camera.npz", Motion(sequence.pose_3d, sequence.skeleton, 0, 50.0))


def test_with_and_without_truth(files, capsys):
    assert main(["rough.trc"]) == 0
    alone = capsys.readouterr().out
    assert "jitter_100m_s3" in alone
    assert "mpjpe_mm" not in alone
    assert main(["rough.trc", "truth.trc", "--json", "report.json"]) == 0
    figures = json.loads(Path("report.json").read_text())["figures"]
    assert 15 < figures["mpjpe_mm"] < 30
    assert figures["jitter_100m_s3"] > 5 * figures["jitter_of_truth_100m_s3"]
    assert figures["root_drift_mm"] < 30
    assert main(["camera.npz"]) == 0
    assert "camera axes: feet, floor and path are not measured" in capsys.readouterr().out


def test_a_truth_of_fewer_joints(files, capsys):
    skeleton = make_skeleton("toes", (*get_skeleton("h36m_17").joints, "l_big_toe", "r_big_toe"))
    read = read_motion("rough.trc").poses
    poses = np.concatenate([read, read[:, [6, 3]] + [0.1, 0, 0]], axis=1)
    write_motion("toes.trc", Motion(poses, skeleton, 0, 50.0, world=True, level="file"))
    for pair in (["toes.trc", "truth.trc"], ["rough.trc", "toes.trc"]):
        assert main([*pair, "--json", "report.json"]) == 0
    assert json.loads(Path("report.json").read_text())["figures"]["mpjpe_mm"] < 0.01


def test_frames_that_lack_joints_count_for_nothing(files, capsys):
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    world = sequence.pose_3d[..., [0, 2, 1]].astype(float) * [1, 1, -1]
    world[:20, 3] = np.nan
    write_motion("holes.trc", Motion(world, sequence.skeleton, 0, 50.0, world=True, level="file"))
    assert main(["holes.trc", "truth.trc", "--json", "report.json"]) == 0
    assert "20 frames lack joints, and count for nothing" in capsys.readouterr().out
    assert json.loads(Path("report.json").read_text())["figures"]["mpjpe_mm"] < 0.01
    world[:, 3] = np.nan
    write_motion("half.npz", Motion(world, sequence.skeleton, 0, 50.0, world=True, level="file"))
    assert main(["half.npz"]) == 2
    assert "half.npz: no frame has all of its 17 joints" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nothing.trc"], "nothing.trc does not exist"),
        (["rough.trc", "short.trc"], "short.trc: 30 frames in world axes, expected the 60 of rough.trc"),
        (["rough.trc", "camera.npz"], "60 frames in camera axes, expected the 60 of rough.trc in world"),
    ],
)
def test_files_that_do_not_fit(files, capsys, flags, message):
    assert main(flags) == 2
    assert message in capsys.readouterr().err
