"""Checkpoints of HOIF-Net, HGCN, SemGCN and Martinez's network: sizes read off them, misfits said."""

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli.convert import main
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import load_model

SIZES = {
    "hoif/joints16": {"NUM_KEYPOINTS": 16, "HID_DIM": 8},
    "hoif/joints17": {"NUM_KEYPOINTS": 17, "HID_DIM": 8},
    "hgcn/joints16": {"NUM_KEYPOINTS": 16, "NUM_LAYERS": 2},
    "hgcn/joints17": {"NUM_KEYPOINTS": 17},
    "semgcn/joints16": {"NUM_KEYPOINTS": 16, "NON_LOCAL": False},
    "semgcn/joints17": {"NUM_KEYPOINTS": 17, "NON_LOCAL": False},
    "semgcn/nonlocal16": {"NUM_KEYPOINTS": 16, "NON_LOCAL": True},
    "martinez/joints16": {"NUM_KEYPOINTS": 16},
}


def checkpoint(golden, case):
    return golden / case / "ckpt_best.pth.tar"


@pytest.mark.parametrize("case", SIZES)
def test_sizes_are_read_off_and_the_file_needs_no_config(golden, tmp_path, case):
    arch = case.split("/")[0]
    model = tf_pose3d.convert(checkpoint(golden, case), arch, out=tmp_path / "x.h5", batch_size=32)
    for key, value in SIZES[case].items():
        assert getattr(model.config, key) == value, key
    assert model.config.BATCH_SIZE == 32
    with np.load(golden / case / "forward.npz") as arrays:
        inputs = {"keypoints_2d": arrays["input"].reshape(len(arrays["input"]), -1, 2)}
    again = load_model(tmp_path / "x.h5")
    np.testing.assert_array_equal(
        again(inputs, training=False)["pose_3d"], model(inputs, training=False)["pose_3d"]
    )


@pytest.mark.parametrize(
    ("case", "arch", "values", "words"),
    [
        ("hoif/joints16", "hoif", {"num_keypoints": 17}, ("NUM_KEYPOINTS", "16", "17")),
        ("semgcn/joints17", "semgcn", {"NUM_KEYPOINTS": 16}, ("NUM_KEYPOINTS", "16", "17")),
        ("hoif/joints16", "hoif", {"hid_dim": 64}, ("HID_DIM", "8", "64")),
        ("hgcn/joints16", "hgcn", {"num_layers": 7}, ("NUM_LAYERS", "7")),
        ("semgcn/joints16", "semgcn", {"non_local": True}, ("NON_LOCAL",)),
        ("martinez/joints16", "martinez", {"hid_dim": 7}, ("HID_DIM", "7")),
        ("hoif/joints16", "hgcn", {}, ("checkpoint of HOIFNet", "--arch HOIFNet")),
        ("hgcn/joints16", "hoif", {}, ("checkpoint of HGCN", "--arch HGCN")),
        ("semgcn/joints16", "martinez", {}, ("checkpoint of SemGCN", "--arch SemGCN")),
        ("martinez/joints16", "semgcn", {}, ("checkpoint of Martinez", "--arch Martinez")),
    ],
)
def test_checkpoints_that_do_not_fit(golden, tmp_path, case, arch, values, words):
    with pytest.raises(Pose3DError) as error:
        tf_pose3d.convert(checkpoint(golden, case), arch, out=tmp_path / "x.h5", **values)
    for word in words:
        assert word in str(error.value), str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "x.h5").exists()


def test_the_program_says_it_in_one_line(golden, tmp_path, capsys):
    path = checkpoint(golden, "hoif/joints16")
    out = tmp_path / "x.h5"
    assert main([str(path), "--arch", "semgcn", "--out", str(out)]) != 0
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "use --arch HOIFNet" in lines[0]
    assert main([str(path), "--arch", "hoif", "--out", str(out)]) == 0
    assert out.exists()
