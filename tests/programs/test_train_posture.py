"""tools/train_posture.py, from motion to weights."""

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.config import read_config_file, shipped_configs
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.posture import LAYERS
from tf_pose3d.weight_files.hdf5 import read_weights
from tools.train_posture import main


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "give one of --output, the file to write, --folds and --pitches"),
        (["--output", "x.h5", "--folds", "3"], "give one of"),
        (["--folds", "3", "--pitches", "40"], "give one of"),
        (["--folds", "1"], "expected 2 or more"),
        (["--output", "x.h5", "--steps", "1"], "--steps must be 4 or more"),
    ],
)
def test_flags(flags, said):
    with pytest.raises(Pose3DError, match=said):
        main(["--motion", "missing.npz", *flags])


@pytest.mark.slow
def test_weights_that_the_package_reads(tmp_path, capsys):
    subjects = [*read_config_file(shipped_configs()["general"])["HELD_OUT"], "a", "b", "c"]
    clips = []
    for held in synthetic_sequences(["S9"], frames=90, actions=["Walking"], skeleton="h36m_17")[:1]:
        turn = quaternion_to_matrix(held.camera.orientation).T
        clips += [(held.pose_3d @ turn.T + held.camera.translation).astype(np.float32)] * len(subjects)
    offsets = np.arange(len(subjects) + 1) * 90
    motion = tmp_path / "motion.npz"
    np.savez(motion, positions=np.concatenate(clips), offsets=offsets, subjects=np.array(subjects))
    output = tmp_path / "posture.h5"
    flags = ["--motion", str(motion), "--steps", "8", "--each", "2"]
    assert main([*flags, "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "people held out, lifted: 8 stretches" in said
    layers = read_weights(output, LAYERS)
    assert all(np.isfinite(weight).all() for layer in layers.values() for weight in layer)
    assert main([*flags, "--folds", "3"]) == 0
    assert "people left out (3 folds), exact: 3 stretches" in capsys.readouterr().out
    assert main([*flags, "--pitches", "10", "40"]) == 0
    said = capsys.readouterr().out
    assert "cameras at 10 degrees, exact: 3 stretches" in said
    assert "cameras at 40 degrees, lifted: 3 stretches" in said
