import numpy as np
import pytest

from tf_pose3d.cli.convert import convert_weights
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.loading import build_model, load_model
from tf_pose3d.models.pose_resnet.config import PoseResNetConfig
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights import convert as convert_module
from tf_pose3d.weights.convert import convert, get_converter
from tf_pose3d.weights.converters import densewarper, pose_resnet

NARROW = {
    "NUM_LAYERS": 50,
    "STAGE_CHANNELS": [2, 3, 4, 5],
    "NUM_DECONV_FILTERS": [4, 5, 6],
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
}


def made_checkpoint(config, source="made.pth.tar"):
    """A checkpoint of random numbers in the release's names and shapes, with all that it holds besides."""
    model = build_model(config)
    rng = np.random.default_rng(0)
    tensors = {}
    for assignment in get_converter(config.ARCH).assignments(model, config):
        shape = tuple(assignment.variable.shape)
        # Kernels are (h, w, in, out) here and (out, in, h, w) there.
        shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
        tensors[assignment.sources[0]] = rng.uniform(0.5, 1, shape).astype("float32")
    for name in [name for name in tensors if name.endswith("running_mean")]:
        tensors[name.replace("running_mean", "num_batches_tracked")] = np.array(3)
    if config.ARCH == "DenseWarper":
        tensors.update({"smooth2dloss.factor": np.array(8.0), "smooth2dloss.alpha": np.array(-10.0)})
        idle = {name: value for name, value in tensors.items() if name.startswith("warp.0.")}
        for number in range(12, 16):
            tensors.update({name.replace(".0.", f".{number}.", 1): value for name, value in idle.items()})
    return Checkpoint(source, tensors, {})


@pytest.fixture
def reading(monkeypatch):
    """Makes converters read a given checkpoint instead of a file."""

    def use(held):
        for module in (pose_resnet, densewarper):
            monkeypatch.setattr(module, "read_pytorch_checkpoint", lambda path: held, raising=False)
        monkeypatch.setattr(densewarper.DenseWarperConverter, "read", lambda self, path: held)

    return use


@pytest.mark.parametrize("values", [{}, {"FINAL_CONV_KERNEL": 3, "DECONV_WITH_BIAS": True, "NUM_LAYERS": 34}])
@pytest.mark.parametrize("prefix", ["", "resnet."])
def test_backbones_of_both_releases_convert_with_their_sizes(reading, values, prefix):
    config = PoseResNetConfig.from_dict({**NARROW, **values})
    held = made_checkpoint(config)
    reading(Checkpoint(held.source, {prefix + name: value for name, value in held.tensors.items()}, {}))
    model = convert("x.pth.tar", "pose2d", image_size=[64, 64], heatmap_size=[16, 16])
    assert model.config == config
    kernel = np.asarray(model.deconvolutions[1].kernel)
    source = held.tensors["deconv_layers.3.weight"]
    assert source.shape == (4, 5, 4, 4) == (kernel.shape[3], kernel.shape[2], 4, 4)
    np.testing.assert_array_equal(kernel[1, 2], source[:, :, 1, 2].T)


def test_joint_layouts_follow_from_the_number_of_heat_maps(reading):
    held = made_checkpoint(PoseResNetConfig.from_dict({**NARROW, "JOINTS": "mpi_inf_3dhp_17"}))
    reading(held)
    model = convert("x.pth.tar", "pose2d")
    assert (model.config.JOINTS, model.config.DATASET) == ("mpi_inf_3dhp_17", "multiview_3dhp")
    assert convert("x.pth.tar", "pose2d", joints="h36m_17").config.JOINTS == "h36m_17"
    held.tensors["final_layer.weight"] = held.tensors["final_layer.weight"][:16]
    with pytest.raises(Pose3DError, match=r"makes 16 heat maps, expected 20 \(union_20\) or 17"):
        convert("x.pth.tar", "pose2d")


def test_the_first_twelve_warpers_are_used_and_it_is_said(reading):
    config = DenseWarperConfig.from_dict(
        {**NARROW, "WARPER_CHANNELS": 3, "WARPER_BLOCKS": 2, "JOINTS": "mpi_inf_3dhp_17"}
    )
    held = made_checkpoint(config)
    reading(held)
    lines = []
    model = convert("x.pth.tar", "densewarper", log=lines.append)
    assert lines == ["of the checkpoint's 16 warpers the first 12 are used, and converted"]
    assert len(model.warpers) == 12
    assert (model.config.WARPER_CHANNELS, model.config.WARPER_BLOCKS) == (3, 2)
    assert model.config.SELECTED_CAMS == [0, 2, 7, 8]
    np.testing.assert_array_equal(
        np.asarray(model.warpers[11].deformations[4].kernel)[0, 2],
        held.tensors["warp.11.deform_conv5.weight"][:, :, 0, 2].T,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [t.pop(n) for n in list(t) if n.startswith("warp.15.")], "holds 15 warpers, expected 16"),
        (lambda t: t.pop("warp.3.offsets2.weight"), "lacks warp.3.offsets2.weight"),
        (lambda t: t.update({"warp.0.extra": np.zeros(2)}), "1 tensors that DenseWarper has no place for"),
        (lambda t: t["warp.2.offsets1.weight"].fill(np.nan), "warp.2.offsets1.weight holds NaN"),
        (lambda t: t.update({"resnet.layer2.9.conv1.weight": np.zeros(2)}), "blocks are no ResNet of"),
        (lambda t: t.pop("resnet.conv1.weight"), "is no checkpoint of DenseWarper"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_named(reading, change, message):
    config = DenseWarperConfig.from_dict({**NARROW, "WARPER_CHANNELS": 2, "WARPER_BLOCKS": 1})
    held = made_checkpoint(config)
    change(held.tensors)
    reading(held)
    with pytest.raises(Pose3DError, match=message):
        convert("x.pth.tar", "densewarper")


def test_a_whole_network_is_no_backbone(reading):
    config = DenseWarperConfig.from_dict({**NARROW, "WARPER_CHANNELS": 2, "WARPER_BLOCKS": 1})
    reading(made_checkpoint(config))
    with pytest.raises(Pose3DError, match="is a checkpoint of DenseWarper, not of PoseResNet"):
        convert("x.pth.tar", "pose2d")


@pytest.mark.parametrize("own_training", [False, True])
def test_the_released_file_converts_from_the_command_line(shared, tmp_path, own_training):
    path = shared / "golden" / "densewarper" / "3dhp_small" / "warper.pth.tar"
    if own_training:
        torch = pytest.importorskip("torch", reason="PyTorch writes the file")
        state = torch.load(path, weights_only=True)
        path = tmp_path / "checkpoint9.pth.tar"
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).state_dict()
        held = {"epoch": 10, "model": "x", "state_dict": state, "perf": 0, "optimizer": optimizer}
        torch.save(held, path)
    lines = []
    out = tmp_path / "small.h5"
    sizes = ["--set", "IMAGE_SIZE=[64, 64]", "--set", "HEATMAP_SIZE=[16, 16]"]
    convert_weights([str(path), "--arch", "densewarper", "--out", str(out), *sizes], lines.append)
    assert "first 12" in lines[0]
    model = load_model(out)
    assert model.config.NUM_LAYERS == 50
    assert (model.config.WARPER_CHANNELS, model.config.WARPER_BLOCKS) == (8, 1)
    assert convert_module.get_converter("densewarper").read(path).tensors.keys() >= {
        "warp.15.offsets1.weight"
    }
