import json

import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.layers.normed_linear import folded_weights
from tf_pose3d.models.family import get_family
from tf_pose3d.training.losses import mean_joint_distance
from tf_pose3d.weights.convert import get_converter

SMALL_CASES = ["videopose3d/strided", "videopose3d/dilated", "rie/stage1", "rie/stage2"]
LARGE_CASES = ["ehfusion/one_stage_released", "ehfusion/three_stage_1", "ehfusion/three_stage_2"]
CASES = SMALL_CASES + LARGE_CASES


@pytest.fixture
def released(request, golden, shared):
    """(our model, inputs, arrays) of a case; the larger checkpoints lie beside the repository."""
    case = request.param
    folder = (golden if case in SMALL_CASES else shared / "golden") / case
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    checkpoint = folder / json.loads((folder / "expected.json").read_text())["checkpoint"]
    model = tf_pose3d.convert(checkpoint, case.split("/")[0])
    names = {"input": "keypoints_2d", "intrinsics": "intrinsics"}
    inputs = {ours: arrays[name] for name, ours in names.items() if name in arrays}
    return model, inputs, arrays


def predictions(outputs):
    """Our outputs in the release's order and shape."""
    if "pose_3d_sequence" in outputs:
        return [outputs["pose_3d_sequence"]]
    names = [name for name in ("pose_3d_unfused", "pose_3d") if name in outputs]
    return [outputs[name][:, None] for name in names]


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.mark.parametrize("released", CASES, indirect=True)
def test_outputs_equal_the_release(released):
    model, inputs, arrays = released
    plain = predictions(model(inputs, training=False))
    with folded_weights(model):
        folded = predictions(model(inputs, training=False))
    for index, (one, other) in enumerate(zip(plain, folded, strict=True)):
        assert_close(one, arrays[f"output_{index}"])
        assert_close(other, arrays[f"output_{index}"])


@pytest.mark.parametrize("released", CASES, indirect=True)
def test_loss_and_gradients_equal_the_release(released):
    model, inputs, arrays = released
    variables = model.trainable_variables

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            outputs = predictions(model(inputs, training=False))
            losses = [
                mean_joint_distance(one, arrays[f"target_{index}"]) for index, one in enumerate(outputs)
            ]
            loss = sum(losses)
        return loss, tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")

    loss, gradients = run()
    assert_close(loss, arrays["loss_mpjpe"])
    norms = {id(v): float(tf.norm(g)) for v, g in zip(variables, gradients, strict=True)}
    expected = {
        str(name): float(norm) for name, norm in zip(arrays["grad_names"], arrays["grad_norms"], strict=True)
    }
    seen = set()
    for one in get_converter(model.config.ARCH).assignments(model, model.config):
        if id(one.variable) not in norms:
            continue
        # A weight of ours may be several of theirs side by side.
        theirs = np.linalg.norm([expected.get(name, 0.0) for name in one.sources])
        assert norms[id(one.variable)] == pytest.approx(theirs, rel=1e-3, abs=1e-5), one.sources
        seen.update(one.sources)
    assert seen >= expected.keys()


FULL_SIZE = {
    "videopose3d 243 frames, 1024 channels": ("videopose3d", {"FILTER_WIDTHS": [3] * 5}),
    "rie stage 3 243 frames (256 ch, 256 latent)": ("rie", {"STAGE": 3}),
    "ehfusion one-stage 243 frames (256 ch, 256 latent)": ("ehfusion", {}),
    "ehfusion three-stage, stage 3 (256 ch, 256 latent)": (
        "ehfusion",
        {"STRATEGY": "three_stage", "STAGE": 3},
    ),
    "ehfusion one-stage 243 frames (256 ch, 512 latent)": ("ehfusion", {"LATENT_FEATURES": 512}),
    "ehfusion three-stage, stage 3 (256 ch, 512 latent)": (
        "ehfusion",
        {"STRATEGY": "three_stage", "STAGE": 3, "LATENT_FEATURES": 512},
    ),
}


@pytest.mark.parametrize("name", FULL_SIZE)
def test_parameters_of_the_published_sizes(golden, name):
    arch, values = FULL_SIZE[name]
    family = get_family(arch)
    model = family.build_model(family.config_class.from_dict(values))
    counts = json.loads((golden / "parameter_counts.json").read_text())
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == counts[name]
