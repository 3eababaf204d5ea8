"""Lifting with exported files: the poses of Keras and of NumPy, and what is said where that cannot be."""

import os

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import shipped_weights
from tf_pose3d.inference.export import export_model
from tf_pose3d.inference.exported import ExportedNetwork, exported_file
from tf_pose3d.inference.stream import PoseStream
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.loading import build_model, load_config, save_model
from tf_pose3d.models.videopose3d.config import VideoPose3DConfig

SMALL = VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=16)
# Metres.
TOLERANCE = 1e-4


def walk(frames, joints=17):
    """Keypoints `(frames, joints, 2)` of somebody who moves slowly in an image of 1,200 pixels."""
    rng = np.random.default_rng(3)
    start = rng.uniform(300, 900, (1, joints, 2))
    phase = rng.uniform(0, 6, (1, joints, 2))
    return (start + 30 * np.sin(0.1 * np.arange(frames)[:, None, None] + phase)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`small.h5`, with its export beside it where the libraries are there."""
    folder = tmp_path_factory.mktemp("exported")
    model = build_model(SMALL)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(np.asarray(variable) + 0.1 * rng.normal(size=variable.shape).astype(np.float32))
    save_model(model, folder / "small.h5")
    export_model(model, folder / "small.tflite", "tflite")
    return folder


def test_windows_by_litert(folder):
    pytest.importorskip("ai_edge_litert")
    exported = tf_pose3d.load(folder / "small.h5", backend="litert")
    assert "LiteRT" in repr(exported)
    keras = tf_pose3d.load(folder / "small.h5")
    # 50 per second; another rate, which is resampled; and frames without a person.
    keypoints = walk(60)
    keypoints[25:45] = np.nan
    for fps in (50, 30):
        found = exported.lift(keypoints, 1200, 1200, fps, "h36m_17")
        expected = keras.lift(keypoints, 1200, 1200, fps, "h36m_17")
        np.testing.assert_array_equal(found.present, expected.present)
        assert not found.present.all()
        np.testing.assert_allclose(found.pose_3d, expected.pose_3d, atol=TOLERANCE)
    assert np.ptp(expected.pose_3d[found.present][:, 3], axis=0).max() > 100 * TOLERANCE


def test_streams_by_litert(folder):
    pytest.importorskip("ai_edge_litert")
    streams = [
        PoseStream(
            tf_pose3d.load(folder / "small.h5", backend=backend), 1200, 1200, layout="h36m_17", delay=3
        )
        for backend in ("litert", None)
    ]
    keypoints = np.concatenate([walk(12), np.ones((12, 17, 1), np.float32)], axis=2)
    for frame in keypoints:
        for (number, one), (same, other) in zip(*(stream.push(frame) for stream in streams), strict=True):
            assert number == same
            np.testing.assert_allclose(one, other, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["martinez", "semgcn", "uplift", "rie", "strided", "poseformer"])
@pytest.mark.parametrize("backend", ["onnx", "litert"])
def test_families(tmp_path, arch, backend):
    pytest.importorskip({"onnx": "tf2onnx", "litert": "ai_edge_litert"}[backend])
    model = build_model(arch)
    save_model(model, tmp_path / "x.h5")
    kind, ending = {"onnx": ("onnx", "x.onnx"), "litert": ("tflite", "x.tflite")}[backend]
    export_model(model, tmp_path / ending, kind)
    exported, keras = (tf_pose3d.load(tmp_path / "x.h5", backend=one) for one in (backend, None))
    keypoints = walk(40, keras.input_skeleton.num_joints)
    layout = keras.input_skeleton.name
    expected = keras(keypoints, 1200, 1200, 50, layout)
    np.testing.assert_allclose(exported(keypoints, 1200, 1200, 50, layout), expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["general", "general_frame"])
def test_the_shipped_lifters_by_onnx_runtime(name):
    pytest.importorskip("onnxruntime")
    exported, numpy = (tf_pose3d.load(name, backend=backend) for backend in ("onnx", None))
    # More than one piece.
    keypoints = walk(1100)
    keypoints[400:404, 5:] = np.nan
    found, expected = (lifter.lift(keypoints, 1200, 1200, 30, "coco_17") for lifter in (exported, numpy))
    np.testing.assert_allclose(found.pose_3d, expected.pose_3d, atol=TOLERANCE)
    np.testing.assert_allclose(found.uncertainty, expected.uncertainty, atol=0.1)


def test_what_cannot_be(folder, tmp_path, monkeypatch):
    weights = folder / "small.h5"
    with pytest.raises(Pose3DError, match="--backend caffe: expected onnx or litert"):
        exported_file(weights, "caffe")
    with pytest.raises(Pose3DError, match=r"there is no .*small\.onnx; python tools/export\.py --weights"):
        exported_file(weights, "onnx")
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    pytest.importorskip("onnxruntime")
    with pytest.raises(Pose3DError, match=r"x\.onnx: ONNX Runtime cannot read it"):
        ExportedNetwork.read(tmp_path / "x.h5", SMALL, "onnx")
    with pytest.raises(Pose3DError, match="LCN is lifted by Keras alone, as the root's depth"):
        ExportedNetwork.read(tmp_path / "x.h5", LCNConfig(), "onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Pose3DError, match=r'ONNX Runtime, which is not installed: pip install "\.\[lite\]"'):
        exported_file(tmp_path / "x.h5", "onnx")


def test_files_of_another_network(folder):
    pytest.importorskip("ai_edge_litert")
    general = load_config(None, shipped_weights()["general"])
    with pytest.raises(Pose3DError, match=r"expected bones, .* was it written by tools/export\.py"):
        ExportedNetwork.read(folder / "small.h5", general, "litert")
    longer = SMALL.replace(FILTER_WIDTHS=[3, 9])
    network = ExportedNetwork.read(folder / "small.h5", longer, "litert")
    lifter = tf_pose3d.Lifter(network)
    with pytest.raises(Pose3DError, match=r"reads keypoints_2d of \(1, 9, 17, 2\), .* \(any, 27, 17, 2\)"):
        lifter(walk(5), 1200, 1200, 50, "h36m_17")


def test_an_export_older_than_its_weights_is_said(folder):
    pytest.importorskip("ai_edge_litert")
    weights = folder / "small.h5"
    network = ExportedNetwork.read(weights, SMALL, "litert")
    assert len(network.notes(weights)) == 1
    newer = os.stat(folder / "small.tflite").st_mtime + 60
    os.utime(weights, (newer, newer))
    assert "was it exported from these weights?" in network.notes(weights)[1]
