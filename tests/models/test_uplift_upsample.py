"""Uplift and Upsample against the release: forward, loss, gradients, evaluation, weights."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.data import human36m
from tf_pose3d.data.windows import Windows, pack_visible
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, load_config
from tf_pose3d.weight_files.hdf5 import read_config, read_layout

CASES = ("h36m_351_small", "h36m_81_small", "no_stride_bn")
FAMILY = get_family("uplift")
REPOSITORY = Path(__file__).resolve().parents[2]


def load_case(folder, **changes):
    """(model with the case's weights, its config, the case's forward.npz)."""
    config = FAMILY.config_class.load(folder / "config.json").replace(**changes)
    model = tf_pose3d.load_model(folder / "weights.h5", config=config)
    return model, config, np.load(folder / "forward.npz")


def inputs_of(case):
    inputs = {"keypoints_2d": tf.constant(case["keypoints_2d"])}
    if "stride_mask" in case:
        inputs["stride_mask"] = tf.constant(case["stride_mask"])
    return inputs


def close(got, expected):
    expected = np.asarray(expected)
    np.testing.assert_array_less(np.abs(got - expected), 1e-4 * np.maximum(1, np.abs(expected)) + 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_forward_is_the_releases(golden, name):
    model, _, case = load_case(golden / "uplift" / name)
    outputs = model(inputs_of(case), training=False)
    close(outputs["pose_3d"], case["pred_central"])
    close(outputs["pose_3d_sequence"], case["pred_sequence"])


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradients_are_the_releases(golden, name):
    model, config, case = load_case(golden / "uplift" / name, DROP_PATH_RATE=0.0)
    loss = FAMILY.loss(config)
    variables = [variable for layer in model.layers for variable in layer.trainable_weights]
    with tf.GradientTape() as tape:
        # The case was made with batch normalisation in inference mode.
        outputs = model(inputs_of(case), training=not config.OUTPUT_BN)
        value = loss(outputs, {"pose_3d": tf.constant(case["keypoints_3d"])})
    close(value, case["loss"])
    gradients = tape.gradient(value, [variable.value for variable in variables])
    norms = np.array([np.linalg.norm(gradient) for gradient in gradients])
    assert len(norms) == len(case["grad_norms"])
    np.testing.assert_allclose(norms, case["grad_norms"], rtol=1e-4, atol=1e-6)
    by_name = dict(zip(case["grad_names"], gradients, strict=True))
    whole = [key for key in case if key.startswith("grad/")]
    assert whole
    for key in whole:
        close(by_name[key.removeprefix("grad/")], case[key])


@pytest.mark.parametrize("name", CASES[:2])
def test_packed_frames_change_nothing(golden, name):
    model, config, case = load_case(golden / "uplift" / name, DROP_PATH_RATE=0.0)
    plain = inputs_of(case)
    packed = {**plain, **pack_visible(plain["stride_mask"])}
    target = {"pose_3d": tf.constant(case["keypoints_3d"])}
    variables = [variable.value for variable in model.trainable_variables]
    results = []
    for inputs in (plain, packed):
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = FAMILY.loss(config)(outputs, target)
        results.append((outputs["pose_3d"], tape.gradient(loss, variables)))
    close(results[1][0], results[0][0])
    for expected, got in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_what_masked_frames_hold_does_not_matter(golden):
    model, _, case = load_case(golden / "uplift" / "h36m_351_small")
    inputs = inputs_of(case)
    expected = model(inputs)["pose_3d"]
    hidden = ~case["stride_mask"][..., None, None]
    changed = np.where(hidden, np.float32(np.nan), case["keypoints_2d"])
    np.testing.assert_array_equal(model({**inputs, "keypoints_2d": changed})["pose_3d"], expected)


@pytest.mark.parametrize("name", CASES[:2])
@pytest.mark.parametrize("source", ["gt", "cpn_ft_h36m_dbb"])
def test_evaluation_tables_are_the_releases(golden, shared, name, source):
    folder = golden / "uplift" / name
    model, config, _ = load_case(folder)
    expected = json.loads((folder / "expected.json").read_text())["evaluation_mm"]
    data = shared / "golden" / "data"
    sequences = human36m.read_human36m(
        data / "data_3d_h36m.npz", data / f"data_2d_h36m_{source}.npz", human36m.split_subjects("test")
    )
    windows = Windows(
        sequences,
        FAMILY.data_spec(config, "test"),
        subjects=human36m.SUBJECTS,
        actions=human36m.ACTIONS,
    )
    config = config.replace(BATCH_SIZE=64)
    compared = 0
    interpolated = config.replace(MASK_STRIDE=20, EVAL_DISABLE_LEARNED_UPSAMPLING=True)
    for setting, suffix in ((config, ""), (interpolated, "/no_learned_upsampling")):
        for result in get_protocol(FAMILY).evaluate(model, setting, windows):
            reference = expected.get(f"{source}/{result.label}{suffix}")
            if reference is None:
                continue
            compared += 1
            for part, tables in reference.items():
                for table in ("frame_wise", "action_wise_average"):
                    compare(result.results[part][table], tables[table])
                for action, errors in tables["per_action"].items():
                    compare(result.results[part]["per_action"][action], errors)
    assert compared == (4 if source == "gt" else 3)


def compare(got, expected):
    for metric, value in expected.items():
        # 0.01 mm, or 1e-5 of errors beyond a metre, which random weights give.
        assert abs(got[metric] - value) < (0.01 if value < 1000 else 1e-5 * value), metric


def test_full_size_has_the_releases_parameters():
    config = FAMILY.config_class.load(REPOSITORY / "config" / "h36m_351.json")
    model = build_model(config)
    assert model.count_params() == 10_404_902
    assert len(model.weights) == 192


@pytest.mark.parametrize("name", ["h36m_351", "h36m_351_pt", "h36m_81", "amass_351", "quickstart"])
def test_published_configs_load_and_say_what_matters(name):
    path = REPOSITORY / "config" / f"{name}.json"
    spelled, loaded = json.loads(path.read_text()), FAMILY.config_class.load(path).to_dict()
    assert {key: loaded[key] for key in spelled} == spelled
    released = json.loads((REPOSITORY / "tests/golden/uplift/no_stride_bn/config.json").read_text())
    assert set(released) <= set(spelled)


@pytest.mark.parametrize("name", CASES)
def test_saved_weights_come_back_with_their_config(golden, tmp_path, name):
    model, config, case = load_case(golden / "uplift" / name)
    tf_pose3d.save_model(model, tmp_path / "x.h5")
    again = tf_pose3d.load_model(tmp_path / "x.h5")
    assert again.config == config
    assert read_config(tmp_path / "x.h5") == config.to_dict()
    for key, expected in model(inputs_of(case)).items():
        np.testing.assert_array_equal(again(inputs_of(case))[key], expected)
    original, ours = read_layout(golden / "uplift" / name / "weights.h5"), read_layout(tmp_path / "x.h5")
    assert list(ours) == list(original)
    for layer, weights in original.items():
        assert [shape for _, shape in ours[layer]] == [shape for _, shape in weights], layer


def test_weights_of_another_shape_name_the_layer(golden):
    folder = golden / "uplift" / "h36m_351_small"
    config = FAMILY.config_class.load(folder / "config.json").replace(TEMPORAL_EMBED_DIM=64)
    with pytest.raises(Pose3DError, match=r"temporal_pe.*\(71, 32\).*\(71, 64\)"):
        tf_pose3d.load_model(folder / "weights.h5", config=config)


def test_original_weights_need_a_config(golden):
    with pytest.raises(Pose3DError, match="holds no config"):
        tf_pose3d.load_model(golden / "uplift" / "h36m_351_small" / "weights.h5")


SMALL = {
    "SEQUENCE_LENGTH": 9,
    "SEQUENCE_STRIDE": 2,
    "STRIDES": [3, 3],
    "SPATIAL_EMBED_DIM": 8,
    "TEMPORAL_EMBED_DIM": 16,
    "SPATIAL_TRANSFORMER_BLOCKS": 1,
    "TEMPORAL_TRANSFORMER_BLOCKS": 2,
    "NUM_HEADS": 2,
    "DROP_PATH_RATE": 0.0,
}


def small_model(**changes):
    config = FAMILY.config_class.from_dict({**SMALL, **changes})
    keras.utils.set_random_seed(0)
    return build_model(config), config


def random_inputs(mask=None, batch=2):
    keypoints = np.random.default_rng(0).normal(size=(batch, 9, 17, 2)).astype(np.float32)
    inputs = {"keypoints_2d": keypoints}
    if mask is not None:
        inputs["stride_mask"] = np.tile(np.array(mask, bool), (batch, 1))
    return inputs


MASK = [1, 0, 1, 0, 1, 0, 1, 0, 1]


def test_without_spatial_blocks_the_pose_goes_straight_in():
    model, _ = small_model(SPATIAL_TRANSFORMER_BLOCKS=0)
    assert "keypoint_embedding" not in [layer.name for layer in model.layers]
    assert model.spatial_to_temporal.kernel.shape == (34, 16)
    assert model(random_inputs())["pose_3d"].shape == (2, 17, 3)


def test_without_temporal_blocks_the_mask_moves_to_the_strided_ones():
    changes = {"TEMPORAL_TRANSFORMER_BLOCKS": 0, "MASK_STRIDE": 4}
    hidden, _ = small_model(FIRST_STRIDED_TOKEN_ATTENTION_LAYER=1, **changes)
    open_model, _ = small_model(FIRST_STRIDED_TOKEN_ATTENTION_LAYER=0, **changes)
    open_model.set_weights(hidden.get_weights())
    outputs = hidden(random_inputs(MASK))
    assert set(outputs) == {"pose_3d"}
    assert np.abs(outputs["pose_3d"] - open_model(random_inputs(MASK))["pose_3d"]).max() > 1e-5


def test_refine_only_removes_the_sequence_head():
    model, _ = small_model(USE_REFINE=True)
    assert set(model(random_inputs())) == {"pose_3d"}
    assert "temporal_fc" not in [layer.name for layer in model.layers]


@pytest.mark.parametrize("mask_stride", [None, 1, [1, 2]])
def test_dense_input_has_no_learned_token(mask_stride):
    model, _ = small_model(MASK_STRIDE=mask_stride, SEQUENCE_STRIDE=1)
    assert "strided_input_token_layer" not in [layer.name for layer in model.layers]


def test_sparse_input_needs_its_mask():
    model, _ = small_model(MASK_STRIDE=4)
    with pytest.raises(ValueError, match="stride_mask"):
        model(random_inputs())


@pytest.mark.parametrize("learned", [False, True])
def test_token_masking_hides_tokens_in_training_only(learned):
    model, _ = small_model(TOKEN_MASK_RATE=1.0, LEARNABLE_MASKED_TOKEN=learned)
    names = [layer.name for layer in model.layers]
    assert ("learnable_masked_token_layer" in names) == learned
    tokens = tf.ones((3, 9, 16))
    hidden = model._hide_tokens(tokens).numpy()
    assert np.all(hidden[:, 4] == 1)
    expected = np.asarray(model.mask_token.token) if learned else 0
    np.testing.assert_array_equal(hidden[:, :4], np.broadcast_to(expected, (3, 4, 16)))
    inputs = random_inputs()
    np.testing.assert_array_equal(model(inputs)["pose_3d"], model(inputs)["pose_3d"])


def test_drop_path_rates_grow_over_each_part():
    def rates(blocks):
        return [block.settings["drop_path"] for block in blocks]

    model, _ = small_model(TEMPORAL_TRANSFORMER_BLOCKS=3, DROP_PATH_RATE=[0.1, 0.2, 0.4])
    assert rates(model.spatial_blocks) == [0.0]
    assert rates(model.temporal_blocks) == pytest.approx([0.0, 0.1, 0.2])
    assert rates(model.strided_blocks) == pytest.approx([0.0, 0.4])
    released, _ = small_model(DROP_PATH_RATE=[0.1, 0.2, 0.4], DROP_PATH_TEMPORAL_RELEASED=True)
    assert rates(released.temporal_blocks) == pytest.approx([0.0, 0.2 / 15])


def test_the_model_is_rebuilt_from_its_keras_config():
    model, _ = small_model(MASK_STRIDE=4)
    again = type(model).from_config(model.get_config())
    again.build()
    again.set_weights(model.get_weights())
    inputs = random_inputs(MASK)
    np.testing.assert_array_equal(again(inputs)["pose_3d"], model(inputs)["pose_3d"])


def test_compiled_forward_agrees():
    model, _ = small_model(MASK_STRIDE=4)
    inputs = {name: tf.constant(value) for name, value in random_inputs(MASK).items()}
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)
    close(compiled(inputs)["pose_3d"], model(inputs)["pose_3d"])


def test_the_config_says_what_is_wrong():
    cases = {
        "not a multiple of SEQUENCE_STRIDE": {"MASK_STRIDE": 5, "SEQUENCE_STRIDE": 2},
        "must end in one frame": {"STRIDES": [3, 2]},
        "NUM_HEADS": {"TEMPORAL_EMBED_DIM": 17},
        "expected pairs of 0 or 1": {"PADDINGS": [[2, 2], [0, 0]]},
        "can be 0 or 1": {"TEMPORAL_TRANSFORMER_BLOCKS": 0, "FIRST_STRIDED_TOKEN_ATTENTION_LAYER": 2},
        "one rate or three": {"DROP_PATH_RATE": [0.1, 0.2]},
        "did you mean SEQUENCE_STRIDE": {"SEQUENCE_STRIDES": 2},
        "copy": {"PADDING_TYPE": "reflect"},
    }
    for message, changes in cases.items():
        with pytest.raises(Pose3DError, match=message):
            FAMILY.config_class.from_dict({**SMALL, **changes})


def test_config_files_of_both_kinds(tmp_path):
    (tmp_path / "a.txt").write_text(
        "# comment\nARCH 'UpliftUpsampleTransformer'\nBATCH_SIZE 8\nMASK_STRIDE None\n"
    )
    assert load_config(tmp_path / "a.txt").BATCH_SIZE == 8
    (tmp_path / "b.json").write_text('{"ARCH": "uplift", "BATCH_SIZE": 8}')
    assert load_config(tmp_path / "b.json").BATCH_SIZE == 8
