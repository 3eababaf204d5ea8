"""Checkpoints of the original releases, given where `.h5` files are expected."""

import json
import shutil

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference, train
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.models.loading import load_model
from tf_pose3d.weight_files.hdf5 import convert_held_weights, drop_weights, kind_of_weights, read_config
from tf_pose3d.weights.convert import convert
from tf_pose3d.weights.opening import converted_weights, find_foreign_weights

PROGRAMS = {"train": train, "eval": eval_program, "inference": inference}
SAID = ["--set", "INPUT_SKELETON=coco_17", "--set", "CAUSAL=false"]
# Golden checkpoint -> ARCH.
CHECKPOINTS = {
    "videopose3d/strided/model.bin": "VideoPose3D",
    "rie/stage2/stage_2_best_model.bin": "RIE",
    "hgcn/joints17/ckpt_best.pth.tar": "HGCN",
    "semgcn/nonlocal16/ckpt_best.pth.tar": "SemGCN",
    "hoif/joints16/ckpt_best.pth.tar": "HOIFNet",
    "martinez/joints16/ckpt_best.pth.tar": "Martinez",
    "strided/frames27/no_refine.pth": "StridedTransformer",
    "lcn/knn3/checkpoints/best": "LCN",
    "lcn/knn3/checkpoints/best/model-7": "LCN",
    "lcn/knn3/checkpoints/best/model-7.index": "LCN",
}


@pytest.fixture
def pretrained(golden, tmp_path):
    """VideoPose3D's small golden checkpoint, under the name that the release's has."""
    path = tmp_path / "pretrained.bin"
    shutil.copy(golden / "videopose3d/dilated/pretrained_h36m_cpn.bin", path)
    return path


@pytest.fixture
def clip(tmp_path):
    """`(12, 17, 3)` keypoints in a file, and the array."""
    points = np.random.default_rng(0).uniform(300, 700, (12, 17, 3)).astype(np.float32)
    points[..., 2] = 1
    path = tmp_path / "clip.npz"
    np.savez(path, keypoints=points, layout="coco_17", width=1000, height=1002, fps=50)
    return path, points


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_content_tells_the_family(name, golden):
    path = resolve_weights(golden / name)
    assert kind_of_weights(path) == ("tensorflow1" if "lcn" in name else "pytorch")
    assert find_foreign_weights(path).converter.arch == CHECKPOINTS[name]


@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("train", ["--dataset", "x.npz", "--out_dir", "out"]),
        ("eval", ["--dataset", "x.npz"]),
        ("inference", ["--input", "x.npz", "--output", "o.npz"]),
    ],
)
def test_what_the_file_does_not_tell_is_listed(program, flags, pretrained, capfd):
    assert PROGRAMS[program].main(["--weights", str(pretrained), *flags]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    for part in (
        f"{pretrained} is a PyTorch checkpoint of VideoPose3D, which does not tell INPUT_SKELETON: ",
        "coco_17 for pretrained_h36m_detectron_coco.bin; CAUSAL: true where",
        "Say it, e.g. --set INPUT_SKELETON=h36m_17 --set CAUSAL=false",
        f"python tools/convert_weights.py {pretrained} --arch videopose3d --set INPUT_SKELETON=h36m_17 "
        "--set CAUSAL=false --out models/pretrained.h5",
    ):
        assert part in error, error


def test_lifting_equals_that_of_converted_weights(pretrained, clip, tmp_path, capfd):
    path, points = clip
    output = tmp_path / "o.npz"
    held = sorted(tmp_path.iterdir())
    flags = ["--weights", str(pretrained), *SAID, "--input", str(path), "--output", str(output)]
    assert inference.main(flags) == 0
    said = capfd.readouterr().err
    assert said.count("converted for this run; to keep the result: python tools/convert_weights.py") == 1
    # Nothing else is written.
    assert sorted(tmp_path.iterdir()) == sorted([*held, output])
    model = convert(pretrained, "videopose3d", tmp_path / "m.h5", input_skeleton="coco_17")
    lifter = tf_pose3d.load(tmp_path / "m.h5")
    expected = lifter(points, 1000, 1002, 50, "coco_17")
    np.testing.assert_array_equal(np.load(output)["pose_3d"], expected)
    # From Python, a config says it.
    again = tf_pose3d.load(pretrained, model.config)
    np.testing.assert_array_equal(again(points, 1000, 1002, 50, "coco_17"), expected)
    network = tf_pose3d.load_model(pretrained, model.config)
    assert network.config == model.config
    for expected_weight, weight in zip(model.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected_weight)
    with pytest.raises(
        Pose3DError, match=r"does not tell INPUT_SKELETON: .* in a config, or convert it once"
    ):
        tf_pose3d.load_model(pretrained)
    # Then it is a PyTorch checkpoint again.
    with pytest.raises(Pose3DError, match="not an HDF5 file but a PyTorch checkpoint: convert it by python"):
        load_model(pretrained)
    with pytest.raises(Pose3DError, match=r"e\.g\. INPUT_SKELETON=h36m_17, CAUSAL=false in a config, or"):
        tf_pose3d.load(pretrained)


@pytest.mark.parametrize("name", ["semgcn/nonlocal16/ckpt_best.pth.tar", "lcn/knn3/checkpoints/best"])
def test_a_model_of_what_tells_everything_but_what_a_config_says(name, golden, tmp_path):
    path = golden / name
    foreign = find_foreign_weights(resolve_weights(path))
    examples = {choice.keys[0]: choice.example for choice in foreign.converter.choices(foreign.held)}
    said = {key: json.loads(example) for key, example in examples.items()}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ARCH": foreign.converter.arch, **said}))
    expected = convert(path, foreign.converter.arch, **said)
    found = tf_pose3d.load_model(path, config)
    for one, other in zip(expected.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shipped_config_says_everything(golden, capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    checkpoint = str(golden / "videopose3d/strided/model.bin")
    # Of another network: refused by the value that differs.
    flags = ["--weights", checkpoint, "--config", "videopose3d_243", "--dataset", "x.npz"]
    assert eval_program.main(flags) == 2
    assert "model.bin has CHANNELS 16, not 1024" in capfd.readouterr().err


def test_lcn_s_tensorflow_checkpoint(golden, clip, tmp_path, capfd):
    folder = str(golden / "lcn/knn3/checkpoints/best")
    flags = ["--weights", folder, "--input", str(clip[0]), "--output", str(tmp_path / "o.npz")]
    assert inference.main(flags) == 2
    assert (
        "which does not tell KNN or MASK or MASK_SOURCE: which joints are connected" in capfd.readouterr().err
    )
    assert inference.main([*flags, "--knn", "3"]) == 0
    assert "a TensorFlow 1 checkpoint of LCN, converted for this run" in capfd.readouterr().err
    assert np.isfinite(np.load(tmp_path / "o.npz")["pose_3d"]).all()


def test_weights_to_start_from_may_be_of_an_earlier_stage(golden, tmp_path, capfd):
    """RIE's `-p stage_1_best_model.bin`; the run's own settings are others than the checkpoint's."""
    checkpoint = golden / "rie/stage1/stage_1_best_model.bin"
    config = convert(checkpoint, "rie").config
    sizes = [
        f"--set={name}={json.dumps(config.to_dict()[name])}"
        for name in ("CHANNELS", "FILTER_WIDTHS", "LATENT_FEATURES")
    ]
    flags = [
        "--arch",
        "rie",
        "--stage",
        "2",
        "--pretrain",
        str(checkpoint),
        "--out_dir",
        str(tmp_path),
        *sizes,
    ]
    flags += ["--dataset", "synthetic", "--train_subset", "S1", "--val_subset", "none", "--epochs", "0"]
    assert train.main(flags) == 0, capfd.readouterr().err
    assert capfd.readouterr().err.count("a PyTorch checkpoint of RIE, converted for this run") == 1
    assert json.loads((tmp_path / "config_complete.json").read_text())["STAGE"] == 2


@pytest.mark.parametrize(("name", "keys"), [("strided/frames27/no_refine.pth", ("NUM_HEADS", "STRIDES"))])
def test_what_no_tensor_tells_is_said(name, keys, golden):
    said = []
    foreign = find_foreign_weights(golden / name)
    foreign.convert({}, said.append)
    # Nothing is built, and nothing said of it, before it is wanted.
    assert not said
    convert_held_weights()
    drop_weights(golden / name)
    for key in keys:
        assert any(f"its tensors do not tell {key}" in line for line in said)
    said.clear()
    foreign.convert({"NUM_HEADS": 8, "STRIDES": [3, 3, 3]}, said.append)
    convert_held_weights()
    convert_held_weights()
    drop_weights(golden / name)
    assert len(said) == 1


def test_a_prefix_goes_before_a_checkpoint_s_folder(golden, tmp_path):
    """`checkpoints/best` of an LCN experiment may be both."""
    shutil.copytree(golden / "lcn/knn3/checkpoints/best", tmp_path / "best")
    convert(golden / "hoif/joints16/ckpt_best.pth.tar", "hoif", tmp_path / "best_weights_0001.h5")
    with converted_weights(tmp_path / "best", log=lambda line: pytest.fail(line)):
        assert load_model(tmp_path / "best").config.ARCH == "HOIFNet"


def test_a_wrong_family_is_told(golden, pretrained, capfd):
    flags = ["--weights", str(pretrained), "--arch", "hoif", "--dataset", "x.npz"]
    assert eval_program.main(flags) == 2
    assert "is a checkpoint of VideoPose3D, not of HOIFNet: use --arch VideoPose3D" in capfd.readouterr().err
    with pytest.raises(
        Pose3DError, match="is a TensorFlow 1 checkpoint, expected a PyTorch checkpoint of HGCN"
    ):
        find_foreign_weights(golden / "lcn/knn3/checkpoints/best", "hgcn")


def test_damaged_and_other_files(pretrained, tmp_path):
    pretrained.write_bytes(pretrained.read_bytes()[:5000])
    with pytest.raises(Pose3DError, match=r"pretrained\.bin"):
        find_foreign_weights(pretrained)
    other = tmp_path / "other.bin"
    other.write_bytes(b"nothing of the kind")
    assert find_foreign_weights(other) is None
    with pytest.raises(Pose3DError, match=r"is not an HDF5 file$"):
        read_config(other)
    assert find_foreign_weights(tmp_path / "missing.bin") is None


def test_another_file_of_the_name_is_not_taken_for_it(golden, pretrained):
    config = convert(pretrained, "videopose3d").config
    with converted_weights(pretrained, config, log=lambda line: None):
        assert read_config(pretrained)["ARCH"] == "VideoPose3D"
        shutil.copy(golden / "hoif/joints16/ckpt_best.pth.tar", pretrained)
        with pytest.raises(Pose3DError, match="a PyTorch checkpoint"):
            read_config(pretrained)


def test_evaluation_from_python(pretrained):
    keys = {"INPUT_SKELETON": "h36m_17", "CAUSAL": False}
    numbers = tf_pose3d.evaluate(pretrained, "synthetic", "S9", **keys)
    assert numbers["all"]
    with pytest.raises(Pose3DError, match="does not tell CAUSAL: "):
        tf_pose3d.evaluate(pretrained, "synthetic", "S9", INPUT_SKELETON="h36m_17")
