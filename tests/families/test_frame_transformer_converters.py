import dataclasses

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli.convert import convert_weights, main
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.strided.refinement import RefinedStridedTransformer
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.converters import converter as converter_module


@pytest.fixture
def network(golden):
    return golden / "strided/frames27/no_refine.pth"


@pytest.fixture
def refinement(golden):
    return golden / "strided/refine/refine.pth"


@pytest.fixture
def poseformer(golden_file):
    return golden_file("poseformer/frames9/detected81f.bin")


@pytest.fixture
def damaged(monkeypatch):
    """Lets checkpoints be read with some tensors changed; None takes one away."""

    def change(changes):
        def read(path):
            held = read_pytorch_checkpoint(path)
            tensors = {**held.tensors, **changes}
            kept = {name: value for name, value in tensors.items() if value is not None}
            return dataclasses.replace(held, tensors=kept)

        monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", read)

    return change


def test_sizes_are_read_off_the_checkpoint(network, poseformer):
    config = tf_pose3d.convert(network, "strided", num_heads=4, epochs=3).config
    assert (config.FRAMES, config.CHANNELS, config.HIDDEN, config.LAYERS) == (27, 32, 64, 2)
    assert (config.SKELETON, config.REFINE, config.NUM_HEADS, config.EPOCHS) == ("h36m_17", False, 4, 3)
    config = tf_pose3d.convert(poseformer, "poseformer", num_heads=4).config
    assert (config.FRAMES, config.JOINT_DIM, config.LAYERS, config.MLP_RATIO) == (9, 8, 2, 2.0)
    assert (config.SKELETON, config.QKV_BIAS) == ("h36m_17", True)


def test_two_files_make_one_refined_model(network, refinement, tmp_path):
    lines = []
    out = tmp_path / "refined.h5"
    convert_weights([str(network), str(refinement), "--arch", "strided", "--out", str(out)], lines.append)
    assert lines[-1].startswith(f"wrote {out}: StridedTransformer")
    model = tf_pose3d.load_model(out)
    assert isinstance(model, RefinedStridedTransformer)
    expand = read_pytorch_checkpoint(refinement).tensors["post_refine.0.weight"]
    np.testing.assert_array_equal(np.asarray(model.refinement.expand.kernel), expand.T)
    encoder = read_pytorch_checkpoint(network).tensors["encoder.0.weight"]
    np.testing.assert_array_equal(np.asarray(model.lifter.encoder.kernel), encoder[:, :, 0].T)


def test_files_that_do_not_fit_are_named(network, refinement, poseformer, golden):
    with pytest.raises(Pose3DError, match=r"refine.pth holds the refine module alone; give the network's"):
        tf_pose3d.convert(refinement, "strided")
    with pytest.raises(Pose3DError, match=r"both hold Transformer.*give files of different parts"):
        tf_pose3d.convert([network, network], "strided")
    with pytest.raises(Pose3DError, match="is a checkpoint of PoseFormer, not of StridedTransformer"):
        tf_pose3d.convert(poseformer, "strided")
    with pytest.raises(Pose3DError, match="is a checkpoint of StridedTransformer, not of PoseFormer"):
        tf_pose3d.convert(network, "poseformer")
    with pytest.raises(Pose3DError, match="has FRAMES 27, not 351; leave FRAMES out"):
        tf_pose3d.convert(network, "strided", frames=351)
    with pytest.raises(Pose3DError, match="has CHANNELS 32, not 256"):
        tf_pose3d.convert(network, "strided", channel=256)
    with pytest.raises(Pose3DError, match="they must end in one frame"):
        tf_pose3d.convert(network, "strided", stride_num=[3, 3, 1])
    with pytest.raises(Pose3DError, match="has JOINT_DIM 8, not 32"):
        tf_pose3d.convert(poseformer, "poseformer", embed_dim_ratio=32)


def test_the_program_says_it_in_one_line(network, capfd):
    assert main([str(network), "--arch", "poseformer", "--out", "x.h5"]) == 2
    err = capfd.readouterr().err.strip().splitlines()
    assert len(err) == 1
    assert "is a checkpoint of StridedTransformer, not of PoseFormer: use --arch" in err[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"encoder.0.weight": np.zeros((32, 36, 1))},
            "36 inputs, expected two for each joint: 30, 32, 34, 40",
        ),
        ({"encoder.0.weight": None}, "lacks encoder.0.weight"),
        ({"fcn.1.bias": np.full(51, np.nan)}, "fcn.1.bias holds NaN or infinity"),
        ({"fcn.1.bias": np.zeros(45)}, r"fcn.1.bias has shape \(45,\), the model's weight needs \(51,\)"),
        ({"fcn.7.bias": np.zeros(45)}, "has no place for: fcn.7.bias"),
        (
            {"Transformer_reduce.model.layers.3.feed_forward.w_1.weight": np.zeros((64, 32, 1))},
            "has 4 strided blocks, expected 3",
        ),
        (
            {"Transformer_reduce.model.pos_embedding_1": np.zeros((1, 31, 32))},
            "no strides are published for 31",
        ),
    ],
)
def test_damaged_checkpoints_of_strided(network, damaged, changes, words):
    damaged(changes)
    with pytest.raises(Pose3DError, match=words):
        tf_pose3d.convert(network, "strided")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"Spatial_pos_embed": np.zeros((1, 16, 8))},
            "16 joints of width 8 and frames of width 136, expected",
        ),
        ({"Spatial_blocks.0.mlp.fc1.weight": None}, "lacks Spatial_blocks.0.mlp.fc1.weight"),
        ({"blocks.2.mlp.fc1.weight": np.zeros(1)}, "2 spatial and 3 temporal blocks, expected equal"),
        ({"blocks.1.attn.qkv.weight": np.zeros((407, 136))}, "blocks.1.attn.qkv.weight has shape"),
        ({"weighted_mean.weight": None}, "lacks weighted_mean.weight"),
    ],
)
def test_damaged_checkpoints_of_poseformer(poseformer, damaged, changes, words):
    damaged(changes)
    with pytest.raises(Pose3DError, match=words):
        tf_pose3d.convert(poseformer, "poseformer", num_heads=4)
