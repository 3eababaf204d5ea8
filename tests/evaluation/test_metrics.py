import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation import metrics


@pytest.fixture(scope="module")
def reference(golden):
    return dict(np.load(golden / "metrics.npz"))


def random_poses(count, seed=0, joints=17):
    rng = np.random.default_rng(seed)
    target = rng.normal(scale=0.4, size=(count, joints, 3))
    return target + rng.normal(scale=0.1, size=target.shape), target


def random_rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, ::-1]


class TestEqualToReleases:
    @pytest.mark.parametrize("root", [0, 6])
    def test_mpjpe(self, reference, root):
        got = metrics.mpjpe(reference["pred"], reference["gt"], root=root, valid=reference["valid"])
        np.testing.assert_allclose(got, reference[f"mpjpe_root{root}"], rtol=1e-12)

    @pytest.mark.parametrize("root", [0, 6])
    def test_nmpjpe_root(self, reference, root):
        got = metrics.nmpjpe(reference["pred"], reference["gt"], root=root, valid=reference["valid"])
        np.testing.assert_allclose(got, reference[f"nmpjpe_root{root}"], rtol=1e-12, atol=1e-15)

    def test_nmpjpe_mean(self, reference):
        got = metrics.nmpjpe(reference["pred"], reference["gt"], alignment="mean", valid=reference["valid"])
        np.testing.assert_allclose(got, reference["nmpjpe_mean"], rtol=1e-12)

    def test_pampjpe(self, reference):
        got = metrics.pampjpe(reference["pred"], reference["gt"], valid=reference["valid"])
        np.testing.assert_allclose(got, reference["pampjpe"], rtol=1e-11, atol=1e-14)
        assert (got == -1).sum() == 3

    @pytest.mark.parametrize(
        ("function", "key"),
        [("protocol_1", "mpjpe"), ("p_mpjpe", "p_mpjpe"), ("n_mpjpe", "n_mpjpe"), ("mpjve", "velocity")],
    )
    def test_videopose3d(self, reference, function, key):
        got = getattr(metrics, function)(reference["pred"], reference["gt"])
        assert got == pytest.approx(float(reference[f"videopose3d_{key}"]), rel=1e-12)

    def test_lcn_alignment_may_reflect(self, reference):
        got = metrics.procrustes_align(reference["pred"], reference["gt"], reflection=True)
        np.testing.assert_allclose(got, reference["lcn_align_to_gt"], rtol=1e-9, atol=1e-12)
        proper = metrics.procrustes_align(reference["pred"], reference["gt"], reflection=False)
        assert np.abs(proper - reference["lcn_align_to_gt"]).max() > 0.1

    def test_float32_input(self, reference):
        pred, target = reference["pred"].astype(np.float32), reference["gt"].astype(np.float32)
        got = metrics.pampjpe(pred, target, valid=reference["valid"])
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, reference["pampjpe"], atol=1e-6)


class TestAlignment:
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10), mirror=st.booleans())
    def test_similarity_transform_is_undone(self, seed, scale, mirror):
        _, target = random_poses(3, seed)
        pred = scale * target @ random_rotation(seed) + [1.0, -2.0, 3.0]
        if mirror:
            pred[..., 0] *= -1
        exact = metrics.pampjpe(pred, target, reflection=mirror)
        assert exact.max() < 1e-9
        if mirror:
            assert metrics.pampjpe(pred, target, reflection=False).mean() > 1e-3

    def test_without_scale(self):
        _, target = random_poses(5)
        aligned = metrics.procrustes_align(2.0 * target @ random_rotation(1) + 4.0, target, scale=False)
        centre = target.mean(1, keepdims=True)
        np.testing.assert_allclose(aligned, centre + 2.0 * (target - centre), atol=1e-12)

    def test_nmpjpe_undoes_scale_and_translation_only(self):
        _, target = random_poses(5)
        assert metrics.nmpjpe(3.0 * target + 7.0, target, root=4).max() < 1e-12
        assert metrics.nmpjpe(3.0 * target + 7.0, target, alignment="mean").max() < 1e-12
        assert metrics.nmpjpe(target @ random_rotation(2), target).mean() > 0.05

    @pytest.mark.parametrize("unknown", [np.nan, np.inf, 5.0])
    def test_scale_is_fitted_to_valid_joints_only(self, unknown):
        _, target = random_poses(2)
        pred = 2.0 * target
        pred[:, 5] = unknown
        valid = np.ones(pred.shape[:2], bool)
        valid[:, 5] = False
        for alignment in ("root", "mean"):
            got = metrics.nmpjpe(pred, target, alignment=alignment, valid=valid)
            assert (got[:, 5] == -1).all()
            assert np.delete(got, 5, axis=1).max() < 1e-12

    def test_chunks_and_threads_change_nothing(self, monkeypatch):
        pred, target = random_poses(1000)
        whole = metrics.pampjpe(pred, target)
        monkeypatch.setattr(metrics, "_CHUNK", 64)
        np.testing.assert_array_equal(metrics.pampjpe(pred, target), whole)
        monkeypatch.setattr(metrics.os, "cpu_count", lambda: 1)
        np.testing.assert_array_equal(metrics.pampjpe(pred, target), whole)


class TestDegeneratePoses:
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_non_finite_prediction_stays_in_its_pose(self, bad):
        pred, target = random_poses(8)
        expected = metrics.pampjpe(pred, target)
        expected_scaled = metrics.nmpjpe(pred, target)
        pred[3, 7, 1] = bad
        others = np.arange(8) != 3
        for got, want in (
            (metrics.pampjpe(pred, target), expected),
            (metrics.nmpjpe(pred, target), expected_scaled),
        ):
            assert np.isnan(got[3]).all()
            np.testing.assert_array_equal(got[others], want[others])
        plain = metrics.mpjpe(pred, target, root=0)
        assert not np.isfinite(plain[3, 7])
        assert np.isfinite(np.delete(plain[3], 7)).all()
        pred[3, 0] = bad
        assert not np.isfinite(metrics.mpjpe(pred, target, root=0)[3]).any()

    def test_overflowing_prediction_is_nan(self):
        pred, target = random_poses(2)
        pred[1] *= 1e200
        for metric in (metrics.pampjpe, metrics.nmpjpe):
            got = metric(pred, target)
            assert np.isfinite(got[0]).all()
            assert np.isnan(got[1]).all()

    @pytest.mark.parametrize("value", [0.0, 0.1, 1234.567])
    def test_prediction_collapsed_to_a_point(self, value):
        _, target = random_poses(4)
        pred = np.full_like(target, value)
        to_mean = np.linalg.norm(target - target.mean(1, keepdims=True), axis=-1)
        np.testing.assert_allclose(metrics.pampjpe(pred, target), to_mean, atol=1e-9)
        np.testing.assert_allclose(metrics.nmpjpe(pred, target, alignment="mean"), to_mean, atol=1e-9)
        to_root = np.linalg.norm(target - target[:, :1], axis=-1)
        np.testing.assert_allclose(metrics.nmpjpe(pred, target, root=0), to_root, atol=1e-12)

    def test_straight_line_pose(self):
        line = np.linspace(0, 1, 17)[None, :, None] * np.array([1.0, 2.0, 3.0])
        assert metrics.pampjpe(2 * line @ random_rotation(3), line).max() < 1e-12

    def test_no_poses(self):
        empty = np.zeros((0, 17, 3))
        assert metrics.mpjpe(empty, empty).shape == (0, 17)
        assert metrics.procrustes_align(empty, empty).shape == (0, 17, 3)
        with pytest.raises(Pose3DError, match="no pose"):
            metrics.protocol_1(empty, empty)


class TestBadInput:
    @pytest.mark.parametrize(
        ("pred", "target", "message"),
        [
            ((4, 17, 2), (4, 17, 2), r"\(4, 17, 2\), expected \(poses, joints, 3\)"),
            ((17, 3), (17, 3), "expected"),
            ((4, 17, 3), (4, 16, 3), r"\(4, 16, 3\).*\(4, 17, 3\)"),
        ],
    )
    def test_shapes(self, pred, target, message):
        for metric in (metrics.mpjpe, metrics.nmpjpe, metrics.pampjpe, metrics.mpjve):
            with pytest.raises(Pose3DError, match=message):
                metric(np.zeros(pred), np.zeros(target))

    def test_valid_shape(self):
        pose = np.zeros((4, 17, 3))
        with pytest.raises(Pose3DError, match=r"valid has shape \(4,\), expected \(4, 17\)"):
            metrics.mpjpe(pose, pose, valid=np.ones(4))

    @pytest.mark.parametrize("root", [-1, 17])
    def test_root(self, root):
        pose = np.zeros((4, 17, 3))
        with pytest.raises(Pose3DError, match="expected 0 to 16"):
            metrics.mpjpe(pose, pose, root=root)

    def test_alignment(self):
        pose = np.zeros((4, 17, 3))
        with pytest.raises(Pose3DError, match="hip"):
            metrics.nmpjpe(pose, pose, alignment="hip")

    def test_velocity_of_one_frame(self):
        pose = np.zeros((1, 17, 3))
        with pytest.raises(Pose3DError, match="two or more"):
            metrics.mpjve(pose, pose)


@pytest.mark.slow
def test_a_million_poses_in_time_and_memory():
    rng = np.random.default_rng(0)
    target = rng.standard_normal((1_000_000, 17, 3), dtype=np.float32)
    pred = target + np.float32(0.1)
    tracemalloc.start()
    start = time.perf_counter()
    results = [
        metrics.mpjpe(pred, target, root=0),
        metrics.nmpjpe(pred, target),
        metrics.pampjpe(pred, target),
    ]
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(r.shape == (1_000_000, 17) for r in results)
    assert seconds < 20
    assert peak < 1.5e9
