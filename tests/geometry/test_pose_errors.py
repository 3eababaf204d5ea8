"""Losses and metrics of poses: equal to the NumPy metrics, masks, gradients, and how Keras uses them."""

from __future__ import annotations

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from tf_pose3d import losses, metrics
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation import metrics as exact

UNITS = {"rtol": 2e-5, "atol": 1e-7}


@pytest.fixture(scope="module")
def reference(golden):
    return dict(np.load(golden / "metrics.npz"))


def poses(*shape, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.normal(scale=0.4, size=(*shape, 3))
    return true, true + rng.normal(scale=0.1, size=true.shape)


def result(metric, true, pred, weights=None):
    metric.update_state(true, pred, weights)
    return float(metric.result())


class TestEqualToTheReleases:
    """Golden numbers that the releases' own code gave, in float64."""

    @pytest.mark.parametrize("root", [0, 6])
    def test_mpjpe_and_nmpjpe_of_valid_joints(self, reference, root):
        true, pred, valid = reference["gt"], reference["pred"], reference["valid"].astype("float64")
        for metric, key in ((metrics.MPJPE, "mpjpe"), (metrics.NMPJPE, "nmpjpe")):
            expected = reference[f"{key}_root{root}"][valid > 0].mean()
            found = result(metric(root=root, dtype="float64"), true, pred, valid)
            assert found == pytest.approx(expected, rel=1e-12)

    def test_mean_alignment(self, reference):
        expected = reference["nmpjpe_mean"][reference["valid"] > 0].mean()
        metric = metrics.NMPJPE(alignment="mean", dtype="float64")
        found = result(metric, reference["gt"], reference["pred"], reference["valid"].astype("float64"))
        assert found == pytest.approx(expected, rel=1e-12)

    def test_pampjpe(self, reference):
        expected = reference["pampjpe"][reference["valid"] > 0].mean()
        metric = metrics.PAMPJPE(dtype="float64")
        found = result(metric, reference["gt"], reference["pred"], reference["valid"].astype("float64"))
        assert found == pytest.approx(expected, rel=1e-11)

    @pytest.mark.parametrize(
        ("metric", "key", "video"),
        [
            (metrics.MPJPE(), "mpjpe", False),
            (metrics.PAMPJPE(), "p_mpjpe", False),
            (metrics.NMPJPE(), "n_mpjpe", False),
            (metrics.MPJVE(), "velocity", True),
            (losses.MPJPE(), "mpjpe", False),
            (losses.NMPJPE(), "n_mpjpe", False),
            (losses.MPJVE(), "velocity", True),
        ],
    )
    def test_videopose3d(self, reference, metric, key, video):
        true, pred = (reference[name][None] if video else reference[name] for name in ("gt", "pred"))
        expected = float(reference[f"videopose3d_{key}"])
        assert float(metric(true, pred)) == pytest.approx(expected, rel=2e-5)
        copy = type(metric).from_config({**metric.get_config(), "dtype": "float64"})
        assert float(copy(true, pred)) == pytest.approx(expected, rel=1e-11)


class TestEqualToNumpy:
    def test_sequences_are_many_poses(self):
        true, pred = poses(4, 5, 17)
        flat = true.reshape(-1, 17, 3), pred.reshape(-1, 17, 3)
        for metric, expected in (
            (metrics.MPJPE(root=2), exact.mpjpe(flat[1], flat[0], root=2)),
            (metrics.NMPJPE(root=2), exact.nmpjpe(flat[1], flat[0], root=2)),
            (metrics.PAMPJPE(), exact.pampjpe(flat[1], flat[0])),
            (metrics.PAMPJPE(reflection=True), exact.pampjpe(flat[1], flat[0], reflection=True)),
        ):
            np.testing.assert_allclose(result(metric, true, pred), expected.mean(), **UNITS)

    def test_mirrored_poses(self):
        true, pred = poses(6, 17)
        pred = pred * [-1, 1, 1]
        for reflection in (False, True):
            expected = exact.pampjpe(pred, true, reflection=reflection).mean()
            found = result(metrics.PAMPJPE(reflection=reflection), true, pred)
            np.testing.assert_allclose(found, expected, **UNITS)

    def test_velocity_is_of_each_video(self):
        true, pred = poses(3, 7, 17)
        expected = np.mean([exact.mpjve(p, t) for t, p in zip(true, pred, strict=True)])
        np.testing.assert_allclose(result(metrics.MPJVE(), true, pred), expected, **UNITS)

    def test_a_prediction_without_extent_is_moved_only(self):
        true, _ = poses(3, 17)
        pred = np.broadcast_to([[[0.3, 1.0, 5.0]]], true.shape)
        np.testing.assert_allclose(
            result(metrics.PAMPJPE(), true, pred), exact.pampjpe(pred, true).mean(), **UNITS
        )
        np.testing.assert_allclose(
            result(metrics.NMPJPE(root=0), true, pred), exact.nmpjpe(pred, true).mean(), **UNITS
        )

    def test_one_pose_that_is_not_finite(self):
        true, pred = poses(3, 17)
        pred[1, 4] = np.nan
        assert np.isnan(result(metrics.PAMPJPE(), true, pred))
        # The others are not touched.
        weights = [1.0, 0.0, 1.0]
        expected = exact.pampjpe(pred[[0, 2]], true[[0, 2]]).mean()
        np.testing.assert_allclose(result(metrics.PAMPJPE(), true, pred, weights), expected, **UNITS)

    def test_scale_and_batches(self):
        true, pred = poses(8, 17)
        metric = metrics.MPJPE(scale=1000)
        for rows in (slice(0, 3), slice(3, 8)):
            metric.update_state(true[rows], pred[rows])
        np.testing.assert_allclose(float(metric.result()), 1000 * exact.mpjpe(pred, true).mean(), **UNITS)
        metric.reset_state()
        assert float(metric.result()) == 0


class TestWeights:
    @pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 17), (4, 1, 17)])
    def test_leading_axes(self, shape):
        true, pred = poses(4, 5, 17)
        weights = np.random.default_rng(3).uniform(0, 1, shape)
        every = np.ones((4, 5, 17)) * weights.reshape(*shape, *(1,) * (3 - len(shape)))
        distances = np.linalg.norm(true - pred, axis=-1)
        np.testing.assert_allclose(
            result(metrics.MPJPE(), true, pred, weights), (distances * every).sum() / every.sum(), **UNITS
        )
        found = losses.MPJPE()(true, pred, weights)
        np.testing.assert_allclose(found, (distances * every).mean(), **UNITS)
        found = losses.MPJPE(reduction="mean_with_sample_weight")(true, pred, weights)
        np.testing.assert_allclose(found, (distances * every).sum() / every.sum(), **UNITS)

    def test_unknown_joints_enter_neither_value_nor_gradient(self):
        true, pred = poses(3, 17)
        valid = np.ones((3, 17))
        valid[1, 3:6] = 0
        true[1, 3:6] = np.nan
        clean = np.where(np.isnan(true), 0, true)
        for loss, metric, expected in (
            (losses.MPJPE, metrics.MPJPE, exact.mpjpe(pred, clean, root=0, valid=valid)),
            (losses.NMPJPE, metrics.NMPJPE, exact.nmpjpe(pred, clean, root=0, valid=valid)),
        ):
            mean = expected[valid > 0].mean()
            np.testing.assert_allclose(result(metric(root=0), true, pred, valid), mean, **UNITS)
            made = loss(root=0, reduction="mean_with_sample_weight")
            np.testing.assert_allclose(made(true, pred, valid), mean, **UNITS)
            gradient = gradients(lambda p, made=made: made(true, p, valid), pred)
            assert np.isfinite(gradient).all()
            assert not gradient[1, 3:6].any()

    def test_an_interval_counts_where_both_frames_do(self):
        true, pred = poses(1, 5, 17)
        true[0, 2] = np.nan
        weights = [[1, 1, 0, 1, 1]]
        kept = [(0, 1), (3, 4)]
        expected = np.mean([exact.mpjve(pred[0, list(p)], true[0, list(p)]) for p in kept])
        np.testing.assert_allclose(result(metrics.MPJVE(), true, pred, weights), expected, **UNITS)
        loss = losses.MPJVE(reduction="mean_with_sample_weight")
        np.testing.assert_allclose(loss(true, pred, weights), expected, **UNITS)

    def test_reductions(self):
        true, pred = poses(3, 17)
        distances = np.linalg.norm(true - pred, axis=-1)
        np.testing.assert_allclose(losses.MPJPE(reduction=None)(true, pred), distances, **UNITS)
        np.testing.assert_allclose(losses.MPJPE(reduction="sum")(true, pred), distances.sum(), **UNITS)
        assert float(losses.MPJPE(reduction="mean_with_sample_weight")(true, pred, np.zeros(3))) == 0


def gradients(function, values):
    import tensorflow as tf

    values = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = function(values)
    return tape.gradient(loss, values).numpy()


@pytest.mark.parametrize(
    "loss", [losses.MPJPE(root=1), losses.NMPJPE(), losses.NMPJPE(alignment="mean"), losses.MPJVE(root=0)]
)
def test_gradients_are_those_of_differences(loss):
    true, pred = (values.astype("float64") for values in poses(2, 3, 5))
    loss = type(loss).from_config({**loss.get_config(), "dtype": "float64"})
    found = gradients(lambda p: loss(true, p), pred)
    step = 1e-6
    for index in ((0, 1, 2, 0), (1, 0, 4, 2), (0, 2, 1, 1)):
        moved = [pred.copy(), pred.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        slope = (float(loss(true, moved[0])) - float(loss(true, moved[1]))) / (2 * step)
        assert found[index] == pytest.approx(slope, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("loss", [losses.MPJPE(), losses.NMPJPE(), losses.MPJVE()])
def test_exact_predictions_have_no_gradient(loss):
    true, _ = poses(2, 3, 5)
    np.testing.assert_allclose(gradients(lambda p: loss(true, p), true), 0, atol=1e-3)


class TestInKeras:
    def test_compile_fit_evaluate(self):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((34,)), keras.layers.Dense(51), keras.layers.Reshape((17, 3))])
        x = np.random.default_rng(0).normal(size=(64, 34)).astype("float32")
        true, _ = poses(64, 17)
        model.compile(
            keras.optimizers.Adam(0.01),
            loss=losses.MPJPE(root=0),
            metrics=[metrics.MPJPE(root=0, scale=1000), metrics.NMPJPE(root=0), metrics.PAMPJPE()],
        )
        history = model.fit(x, true, epochs=20, verbose=0, validation_data=(x, true)).history
        assert history["loss"][-1] < 0.9 * history["loss"][0]
        found = model.evaluate(x, true, verbose=0, return_dict=True)
        pred = model.predict(x, verbose=0)
        expected = {
            "loss": exact.mpjpe(pred, true, root=0).mean(),
            "mpjpe": 1000 * exact.mpjpe(pred, true, root=0).mean(),
            "n_mpjpe": exact.nmpjpe(pred, true).mean(),
            "pa_mpjpe": exact.pampjpe(pred, true).mean(),
        }
        assert found == pytest.approx(expected, rel=1e-4)

    def test_sequences_with_weights(self):
        model = keras.Sequential(
            [keras.Input((5, 34)), keras.layers.Dense(51), keras.layers.Reshape((5, 17, 3))]
        )
        x = np.random.default_rng(0).normal(size=(8, 5, 34)).astype("float32")
        true, _ = poses(8, 5, 17)
        true[:, 3, 2] = np.nan
        weights = np.isfinite(true).all(-1).astype("float32")
        model.compile(
            "sgd",
            loss=losses.MPJPE(),
            metrics=[],
            weighted_metrics=[metrics.MPJPE(), metrics.MPJVE()],
        )
        history = model.fit(x, true, sample_weight=weights, epochs=2, verbose=0).history
        assert all(np.isfinite(values).all() for values in history.values())

    @pytest.mark.parametrize(
        "made",
        [
            losses.MPJPE(root=3),
            losses.NMPJPE(alignment="mean", reduction="sum"),
            losses.MPJVE(root=1, name="speed"),
            metrics.MPJPE(root=3, scale=1000),
            metrics.NMPJPE(alignment="mean"),
            metrics.PAMPJPE(reflection=True),
            metrics.MPJVE(root=0),
        ],
    )
    def test_config_round_trip(self, made):
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
        assert type(copy) is type(made)
        assert copy.get_config() == made.get_config()

    def test_compiled_model_comes_back(self, tmp_path):
        model = keras.Sequential([keras.Input((34,)), keras.layers.Dense(51), keras.layers.Reshape((17, 3))])
        model.compile("adam", loss=losses.MPJPE(root=0), metrics=[metrics.PAMPJPE(scale=1000)])
        x, (true, _) = np.ones((4, 34), "float32"), poses(4, 17)
        before = model.evaluate(x, true, verbose=0, return_dict=True)
        model.save(tmp_path / "model.keras")
        copy = keras.models.load_model(tmp_path / "model.keras")
        assert copy.evaluate(x, true, verbose=0, return_dict=True) == pytest.approx(before)

    def test_xla(self):
        import tensorflow as tf

        true, pred = (values.astype("float32") for values in poses(4, 17))
        metric = metrics.PAMPJPE()
        compiled = tf.function(
            lambda: metric.errors(tf.constant(true), tf.constant(pred), None), jit_compile=True
        )
        np.testing.assert_allclose(compiled(), exact.pampjpe(pred, true), rtol=1e-3, atol=1e-5)


def test_wrong_use_is_named():
    true, pred = poses(4, 5, 17)
    for made in (losses.MPJPE(), metrics.MPJPE()):
        with pytest.raises(Pose3DError, match=r"true poses have shape \(4, 5, 17, 3\), the predicted ones"):
            made(true, pred[:, 0])
        with pytest.raises(Pose3DError, match=r"expected \(..., joints, 3\)"):
            made(true[..., :2], pred[..., :2])
        with pytest.raises(Pose3DError, match=r"sample weights have shape \(3,\), expected \(4,\)"):
            made(true, pred, np.ones(3))
    with pytest.raises(Pose3DError, match="root joint is 17, expected 0 to 16"):
        metrics.MPJPE(root=17)(true, pred)
    with pytest.raises(Pose3DError, match='expected "root" or "mean"'):
        losses.NMPJPE(alignment="hip")
    for made in (losses.MPJVE(), metrics.MPJVE()):
        with pytest.raises(Pose3DError, match="two or more consecutive frames"):
            made(true[:, 0], pred[:, 0])
        with pytest.raises(Pose3DError, match="two or more consecutive frames"):
            made(true[:, :1], pred[:, :1])


@pytest.mark.parametrize("module", [losses, metrics])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_half_precision_predictions_are_measured_in_float32():
    true, pred = poses(4, 17)
    half = ops.cast(pred, "float16")
    expected = exact.mpjpe(np.asarray(half, "float64"), true).mean()
    np.testing.assert_allclose(losses.MPJPE()(true, half), expected, **UNITS)
