import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.models.pose_resnet.config import PoseResNetConfig
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights import backbones
from tf_pose3d.weights.backbones import load_backbone, start_from_backbone
from tf_pose3d.weights.converters.pose_resnet import backbone_assignments

NARROW = {
    "NUM_LAYERS": 18,
    "STAGE_CHANNELS": [2, 3, 4, 5],
    "NUM_DECONV_FILTERS": [4, 5, 6],
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
}
WARPER = {
    "WARPER_CHANNELS": 2,
    "WARPER_BLOCKS": 1,
    "DILATIONS": [1],
    "SELECTED_CAMS": [0, 1],
    "PATTERN": [0, 1],
}


def backbone(**values):
    return build_model(PoseResNetConfig.from_dict({**NARROW, **values}))


def taken(model, source):
    """Names of the top layers whose weights equal the source's."""
    names = set()
    for layer, other in zip(model.layers, source.layers, strict=True):
        if all(np.array_equal(a, b) for a, b in zip(layer.weights, other.weights, strict=False)):
            names.add(layer.name)
    return names


def whole(model):
    return {layer.name for layer in model.layers}


def test_a_backbone_goes_into_the_whole_network(tmp_path):
    source = backbone()
    save_model(source, tmp_path / "backbone.h5")
    config = DenseWarperConfig.from_dict({**NARROW, **WARPER, "PRETRAINED": str(tmp_path / "backbone.h5")})
    model, lines = build_model(config), []
    start_from_backbone(model, config, lines.append)
    assert taken(model.backbone, source) == whole(source)
    assert lines == [f"starting from {tmp_path / 'backbone.h5'}: backbone"]


def test_the_backbone_of_a_whole_network_and_other_joints(tmp_path):
    source = build_model(DenseWarperConfig.from_dict({**NARROW, **WARPER}))
    save_model(source, tmp_path / "whole.h5")
    model = backbone(JOINTS="mpi_inf_3dhp_17")
    line = load_backbone(model, tmp_path / "whole.h5", "mpi_inf_3dhp_17")
    assert "without the last layer, for mpi_inf_3dhp_17" in line
    assert taken(model, source.backbone) == whole(model) - {"final"}


@pytest.fixture
def reading(monkeypatch, tmp_path):
    """Makes a PyTorch file of a given checkpoint: its path."""

    def use(held):
        path = tmp_path / held.source
        path.touch()
        monkeypatch.setattr(backbones, "read_pytorch_checkpoint", lambda path: held)
        return path

    return use


def released(prefix, joints=17):
    """A PyTorch checkpoint of a backbone with random weights, and the backbone."""
    layout = {17: "mpi_inf_3dhp_17", 20: "union_20"}[joints]
    source = backbone(JOINTS=layout)
    tensors = {}
    for assignment in backbone_assignments(source, prefix):
        value = np.asarray(assignment.variable)
        # (h, w, in, out) is (out, in, h, w) there.
        tensors[assignment.sources[0]] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    return Checkpoint("coco.pth.tar", tensors, {}), source


@pytest.mark.parametrize("torchvision", [False, True])
def test_of_a_coco_or_imagenet_network_the_residual_part_is_taken(reading, torchvision):
    held, source = released("")
    if torchvision:
        kept = {n: v for n, v in held.tensors.items() if not n.startswith(("deconv", "final"))}
        held = Checkpoint(held.source, {**kept, "fc.weight": np.zeros((10, 5))}, {})
    model = backbone()
    path = reading(held)
    assert load_backbone(model, path, "union_20") == f"starting from {path}: residual network"
    names = taken(model, source)
    assert {"stem", "stage_1_0", "stage_4_1"} <= names
    assert not {"deconvolution_1", "deconvolution_2", "final"} & names


@pytest.mark.parametrize(("joints", "last"), [(20, True), (17, False)])
def test_of_the_release_everything_is_taken_that_fits(reading, joints, last):
    held, source = released("resnet.", joints)
    model = backbone()
    load_backbone(model, reading(held), "union_20")
    assert taken(model, source) == whole(model) - (set() if last else {"final"})


def test_what_does_not_fit_is_named_and_nothing_is_set(tmp_path, reading):
    save_model(backbone(STAGE_CHANNELS=[2, 3, 4, 6]), tmp_path / "wide.h5")
    model = backbone()
    before = model.get_weights()
    with pytest.raises(Pose3DError, match="stage_4_0 has other shapes"):
        load_backbone(model, tmp_path / "wide.h5", "union_20")
    held, _ = released("")
    del held.tensors["layer3.1.bn1.running_var"]
    path = reading(held)
    with pytest.raises(Pose3DError, match=r"coco.pth.tar lacks layer3.1.bn1.running_var"):
        load_backbone(model, path, "union_20")
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    with pytest.raises(Pose3DError, match="does not exist"):
        load_backbone(model, tmp_path / "absent.h5", "union_20")


def test_another_family_is_refused(tmp_path):
    from tf_pose3d.models.semgcn.family import SemGCNConfig

    save_model(build_model(SemGCNConfig(HID_DIM=4, NUM_LAYERS=1)), tmp_path / "other.h5")
    with pytest.raises(Pose3DError, match="holds SemGCN, expected PoseResNet or DenseWarper"):
        load_backbone(backbone(), tmp_path / "other.h5", "union_20")
