"""LCN against its release: masks, forward pass, losses, Adam steps (golden/lcn)."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.config import Config
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.locally_connected import LocallyConnected
from tf_pose3d.models.family import get_family
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.graphs import knn_matrix, neighbours, random_graph_matrix
from tf_pose3d.models.lcn.image_frame import camera_poses, image_poses
from tf_pose3d.weights.convert import convert

CASES = ("knn3", "knn1_conf_flip", "laplacian", "learnable_knn2")


def converted(golden, case, **overrides):
    folder = golden / "lcn" / case
    expected = json.loads((folder / "expected.json").read_text())
    arrays = dict(np.load(folder / "forward.npz"))
    settings = dict(expected["config"])
    if case == "laplacian":
        settings["mask"] = arrays["mask"]
    model = convert(folder / "checkpoints" / "best", "lcn", **settings, **overrides)
    return model, arrays, expected


def keypoints(model, values):
    return {"keypoints_2d": tf.constant(values.reshape(-1, 17, model.input_features))}


@pytest.mark.parametrize("case", CASES)
def test_forward_pass_equals_the_release(golden, case):
    model, arrays, expected = converted(golden, case)
    np.testing.assert_allclose(model.mask, arrays["mask"], atol=1e-6)
    pose = model(keypoints(model, arrays["data"]), training=False)["pose_image"]
    np.testing.assert_allclose(np.reshape(pose, (-1, 51)), arrays["pred"], rtol=1e-4, atol=1e-4)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == expected["trainable_parameters"]


@pytest.mark.parametrize("case", CASES)
def test_loss_with_batch_statistics_equals_the_release(golden, case):
    model, arrays, _ = converted(golden, case, dropout=0.0)
    pose = model(keypoints(model, arrays["train_data"]), training=True)["pose_image"]
    loss = np.mean(np.square(np.reshape(pose, (-1, 51)) - arrays["train_labels"]))
    assert loss == pytest.approx(float(arrays["train_loss_batch_statistics"]), rel=1e-5)


def test_five_adam_steps_equal_the_release(golden):
    model, arrays, _ = converted(golden, "knn3", dropout=0.0)
    optimizer = keras.optimizers.Adam(1e-3, **model.config.OPTIMIZER_PARAMS)
    batch = keypoints(model, arrays["train_data"])
    labels = tf.constant(arrays["train_labels"].reshape(-1, 17, 3))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(batch, training=True)["pose_image"] - labels))
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    losses = [float(step()) for _ in range(6)]
    np.testing.assert_allclose(losses, arrays["train_losses_adam"], rtol=1e-4)


def test_weights_written_by_the_converter_need_nothing_else(golden, tmp_path):
    model, arrays, _ = converted(golden, "learnable_knn2", out=tmp_path / "lcn.h5")
    loaded = tf_pose3d.load_model(tmp_path / "lcn.h5")
    batch = keypoints(model, arrays["data"])
    np.testing.assert_array_equal(model(batch)["pose_image"], loaded(batch)["pose_image"])
    assert loaded.config.KNN == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"layers": 2}, "has LAYERS 3, not 2"),
        ({"channels": 64}, "has CHANNELS 8, not 64"),
        ({"in_F": 3}, "has IN_F 2, not 3"),
        ({"mask_type": "locally_connected_learnable"}, "has MASK_TYPE locally_connected, not"),
        ({"mask": np.ones((3, 3))}, "MASK must be 17 x 17"),
        ({"mask": np.zeros((17, 17))}, "a joint without any neighbour"),
        ({"kmm": 3}, "unknown key KMM"),
    ],
)
def test_a_checkpoint_of_another_size_says_which(golden, overrides, message):
    with pytest.raises(Pose3DError, match=message):
        convert(golden / "lcn" / "knn3" / "checkpoints" / "best", "lcn", **overrides)


def test_a_missing_or_damaged_checkpoint_is_one_line(golden, tmp_path):
    with pytest.raises(Pose3DError, match="no TensorFlow checkpoint"):
        convert(tmp_path, "lcn")
    (tmp_path / "model-1.index").write_bytes(b"nonsense")
    with pytest.raises(Pose3DError, match="truncated or damaged"):
        convert(tmp_path, "lcn")


def test_checkpoints_are_found_in_copied_folders(golden, tmp_path):
    source = golden / "lcn" / "laplacian" / "checkpoints" / "best"
    for path in source.glob("model-7.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/experiment/model-7"\n')
    for name in ("", "model-7", "model-7.index", "model-7.data-00000-of-00001"):
        assert convert(tmp_path / name, "lcn").config.LAYERS == 1


def test_blockwise_layers_equal_dense_ones():
    mask = knn_matrix(1).T
    inputs = np.random.default_rng(0).standard_normal((4, 17 * 6)).astype(np.float32)
    dense, blocks = (LocallyConnected(5, mask, blockwise=blockwise) for blockwise in (False, True))
    expected = dense(inputs)
    blocks.build(inputs.shape)
    blocks.set_weights(dense.get_weights())
    np.testing.assert_allclose(blocks(inputs), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        expected, inputs @ np.asarray(dense.effective_kernel()) + dense.bias, rtol=1e-5, atol=1e-6
    )
    valued = LocallyConnected(5, mask * 0.5, blockwise=True)
    valued.build(inputs.shape)
    valued.set_weights([dense.kernel.numpy(), np.zeros(85)])
    np.testing.assert_allclose(valued(inputs), (expected - dense.bias) / 2, rtol=1e-5, atol=1e-5)


def test_image_frame_and_camera_frame_are_inverse():
    rng = np.random.default_rng(0)
    pose = (rng.uniform(-1, 1, (3, 17, 3)) + np.array([0, 0, 5])).astype(np.float32)
    cameras = np.array([[1000, 2.29, 2.28, 0.02, -0.01]] * 3, np.float32)
    for width in (None, np.array([500.0, 612.3, 300.0], np.float32)):
        image = image_poses(pose, cameras, pose[:, 0, 2], width)
        np.testing.assert_allclose(camera_poses(image, cameras, pose[:, 0, 2], width), pose, atol=1e-5)


@pytest.mark.parametrize("learnable", [None, "same", "ones", "random"])
def test_every_form_of_the_network_trains_compiled_and_in_half_precision(learnable):
    settings = {
        "LAYERS": 1,
        "CHANNELS": 4,
        "RESIDUAL": learnable is None,
        "WEIGHT_MAX_NORM": learnable != "ones",
        "REGULARIZATION": 1e-4,
        "MASK_TYPE": "locally_connected_learnable" if learnable else "locally_connected",
        "INIT_TYPE": learnable or "random",
    }
    family, config = get_family("lcn"), LCNConfig.from_dict(settings)
    batch = {
        "keypoints_2d": np.random.default_rng(0).uniform(-1, 1, (6, 1, 17, 2)).astype(np.float32),
        "pose_3d": np.full((6, 1, 17, 3), 5.0, np.float32),
        "intrinsics": np.tile(np.float32([[1000, 1000, 2.3, 2.3, 0, 0, 0, 0, 0, 0, 0]]), (6, 1)),
    }
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if learnable == "same" else "float32")
    try:
        model = family.build_model(config)
    finally:
        keras.config.set_dtype_policy(policy)

    @tf.function(jit_compile=True)
    def step(batch):
        with tf.GradientTape() as tape:
            outputs = model(batch, training=True)
            loss = family.loss(config)(outputs, batch)
        return (
            loss,
            tape.gradient(loss, [w.value for w in model.trainable_weights]),
            outputs["weight_penalty"],
        )

    loss, gradients, penalty = step(batch)
    assert np.isfinite(loss)
    assert 0 < penalty < loss
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert any(np.abs(gradient).max() > 0 for gradient in gradients)
    rebuilt = type(model).from_config(model.get_config())
    rebuilt.build()
    assert rebuilt.count_params() == model.count_params()


def test_metres_come_with_a_camera_and_a_depth():
    model = get_family("lcn").build_model(LCNConfig(LAYERS=1, CHANNELS=4))
    batch = {"keypoints_2d": np.zeros((2, 17, 2), np.float32)}
    assert set(model(batch)) == {"pose_image"}
    batch["intrinsics"] = np.tile(np.float32([[1000, 1000, 2.3, 2.3, 0.1, 0, 0, 0, 0, 0, 0]]), (2, 1))
    batch["root_depth"] = np.float32([[4.0], [5.0]])
    outputs = model(batch)
    np.testing.assert_allclose(
        outputs["pose_3d"], outputs["pose_camera"] - outputs["pose_camera"][:, :1], atol=1e-6
    )


def test_graphs():
    assert neighbours()[7] == [0, 1, 4, 8, 11, 14]
    assert neighbours(joints=16)[8] == [7, 9, 10, 13]
    assert knn_matrix(1).sum() == 57
    assert knn_matrix(16).all()
    graph = random_graph_matrix(17, 20, seed=146)
    assert graph.sum() == 17 + 2 * 20
    assert (graph == graph.T).all()
    assert (np.linalg.matrix_power(graph, 16) > 0).all()
    np.testing.assert_array_equal(graph, random_graph_matrix(17, 20, seed=146))
    assert (graph != random_graph_matrix(17, 20, seed=147)).any()


def test_laplacian_mask_equals_the_release(golden, shared):
    from tf_pose3d.data.archive import load_archive
    from tf_pose3d.models.lcn.graphs import laplacian_matrix

    items = load_archive(shared / "golden" / "lcn" / "dataset" / "h36m_train.pkl")
    labels = np.array([item["joint_3d_image"] for item in items]) / 1000 * 2
    mask = np.load(golden / "lcn" / "laplacian" / "forward.npz")["mask"]
    np.testing.assert_allclose(laplacian_matrix(labels).T, mask, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"OUT_JOINTS": 16}, "OUT_JOINTS is 16, expected 17"),
        ({"IN_F": 4}, "IN_F is 4"),
        ({"MASK_SOURCE": "random_graph", "RANDOM_GRAPH_EDGES": 12}, "16 to 136 edges, not 12"),
        ({"MASK": [[1.0]]}, "MASK must be 17 x 17"),
        ({"GRAPH": 1}, "GRAPH is 1"),
    ],
)
def test_configs_that_cannot_be_are_refused(values, message):
    with pytest.raises(Pose3DError, match=message):
        LCNConfig.from_dict(values)


def test_a_laplacian_mask_needs_its_training_data():
    config: Config = LCNConfig.from_dict({"MASK_SOURCE": "laplacian"})
    with pytest.raises(Pose3DError, match="follows from the training data"):
        get_family("lcn").build_model(config)
