import json

import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.models.family import get_family
from tf_pose3d.weights.convert import get_converter

CASES = [
    "hoif/joints16",
    "hoif/joints17",
    "hgcn/joints16",
    "hgcn/joints17",
    "semgcn/joints16",
    "semgcn/joints17",
    "semgcn/nonlocal16",
    "martinez/joints16",
]


def released(golden, case):
    """The released network's case as (our model, inputs, arrays)."""
    folder = golden / case
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    model = tf_pose3d.convert(folder / "ckpt_best.pth.tar", case.split("/")[0])
    keypoints = arrays["input"].reshape(len(arrays["input"]), -1, 2)
    return model, {"keypoints_2d": keypoints}, arrays


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_outputs_equal_the_release(golden, case):
    model, inputs, arrays = released(golden, case)
    assert_close(model(inputs, training=False)["pose_3d"], arrays["output_0"])
    # A window of one frame is the same as a frame.
    window = {"keypoints_2d": inputs["keypoints_2d"][:, None]}
    assert_close(model(window, training=False)["pose_3d"], arrays["output_0"])
    with folded_weights(model):
        assert_close(model(inputs, training=False)["pose_3d"], arrays["output_0"])


COMPILED = ["hoif/joints16", "semgcn/nonlocal16"]


@pytest.mark.parametrize(
    ("case", "jit_compile"), [(case, False) for case in CASES] + [(case, True) for case in COMPILED]
)
def test_loss_and_gradients_equal_the_release(golden, case, jit_compile):
    model, inputs, arrays = released(golden, case)
    variables = model.trainable_variables

    @tf.function(jit_compile=jit_compile)
    def run():
        with tf.GradientTape() as tape:
            error = model(inputs, training=False)["pose_3d"] - arrays["target_0"]
            loss = tf.reduce_mean(tf.norm(error, axis=-1))
        return loss, tape.gradient(loss, [variable.value for variable in variables])

    loss, gradients = run()
    assert_close(loss, arrays["loss_mpjpe"])
    norms = {id(v): float(tf.norm(g)) for v, g in zip(variables, gradients, strict=True)}
    # Sources of each variable by the names that they have in the checkpoint.
    assignments = get_converter(case.split("/")[0]).assignments(model, model.config)
    ours = {one.sources[0]: norms.get(id(one.variable), 0.0) for one in assignments}
    expected = dict(zip(arrays["grad_names"], arrays["grad_norms"], strict=True))
    for name, norm in expected.items():
        mine = ours[str(name).replace("nonlocal_", "nonlocal")]
        assert mine == pytest.approx(norm, rel=1e-3, abs=1e-5), name
    # What the release gives no gradient, ours does not train.
    trained = {one for one, norm in ours.items() if norm}
    assert trained <= {str(name).replace("nonlocal_", "nonlocal") for name in expected}


FULL_SIZE = {
    "hoif gt (16 joints, hid 64)": ("hoif", {}),
    "hoif cpn (17 joints, hid 64)": ("hoif", {"NUM_KEYPOINTS": 17}),
    "hgcn gt (16, hid 96, 4 layers)": ("hgcn", {}),
    "semgcn (16, hid 128, 4 layers)": ("semgcn", {}),
    "semgcn non-local (16, hid 128, 4 layers)": ("semgcn", {"NON_LOCAL": True}),
    "martinez (16)": ("martinez", {}),
}


@pytest.mark.parametrize("name", FULL_SIZE)
def test_parameters_of_the_published_sizes(golden, name):
    arch, values = FULL_SIZE[name]
    family = get_family(arch)
    model = family.build_model(family.config_class.from_dict(values))
    parameters = [w for w in model.weights if "moving" not in w.path and "seed" not in w.path]
    counts = json.loads((golden / "parameter_counts.json").read_text())
    assert sum(int(np.prod(w.shape)) for w in parameters) == counts[name]
