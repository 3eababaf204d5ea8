"""Exported models: the same poses, and what each format refuses."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.camera import normalize_screen_coordinates
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.files import shipped_weights
from tf_pose3d.inference import export
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.models.general.assembly import assemble_clip
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.loading import build_model, load_model, save_model
from tf_pose3d.models.martinez.family import MartinezFamily
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig

REPOSITORY = Path(__file__).resolve().parents[2]
UPLIFT = UpliftUpsampleConfig(
    SEQUENCE_LENGTH=9,
    SEQUENCE_STRIDE=5,
    MASK_STRIDE=[10],
    STRIDES=[3, 3],
    PADDINGS=[[1, 1], [0, 0]],
    SPATIAL_EMBED_DIM=8,
    TEMPORAL_EMBED_DIM=16,
    NUM_HEADS=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of two small models, and what one run of the tool made of them."""
    folder = tmp_path_factory.mktemp("export")
    save_model(build_model(UPLIFT), folder / "uplift.h5")
    save_model(build_model(LCNConfig(CHANNELS=4, LAYERS=1)), folder / "lcn.h5")
    runs = [
        ("uplift", "saved_model", "uplift"),
        ("uplift", "tflite", "x.tflite"),
        ("lcn", "saved_model", "lcn"),
    ]
    commands = [
        ["--weights", str(folder / f"{name}.h5"), "--format", kind, "--out", str(folder / out)]
        for name, kind, out in runs
    ]
    # One process for all: TensorFlow starts slowly.
    code = "import json, sys, export\nfor command in json.loads(sys.argv[1]): export.main(command)"
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tools")])
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    return folder


def test_what_the_tool_says(folder):
    lines = (folder / "stdout.txt").read_text().splitlines()
    assert lines[:2] == ["input keypoints_2d: ['batch', 9, 17, 2]", "input stride_mask: ['batch', 9]"]
    assert lines[2].startswith(f"wrote {folder / 'uplift'}: poses of 8 windows agree with the model's within")
    assert lines[3] == "input keypoints_2d: [1, 9, 17, 2]"
    assert lines[5].startswith(f"wrote {folder / 'x.tflite'}: poses of 8 windows agree")
    assert lines[6:9] == [
        "input intrinsics: ['batch', 11]",
        "input keypoints_2d: ['batch', 1, 17, 2]",
        "input root_depth: ['batch', 1, 1]",
    ]


def test_saved_model_gives_the_averaged_poses(folder):
    keypoints = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 9, 17, 2)).astype(np.float32)
    batch = {"keypoints_2d": keypoints, "stride_mask": np.tile(np.arange(9) % 2 == 0, (3, 1))}
    served = tf.saved_model.load(str(folder / "uplift")).signatures["serving_default"]
    found = served(**{name: tf.constant(values) for name, values in batch.items()})["pose_3d"]
    model = load_model(folder / "uplift.h5")
    order = list(UPLIFT.AUGM_FLIP_KEYPOINT_ORDER)
    image = {**batch, "keypoints_2d": keypoints[:, :, order] * np.float32([-1, 1])}
    mirrored = np.asarray(model(image)["pose_3d"])[:, order] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(found, (np.asarray(model(batch)["pose_3d"]) + mirrored) / 2, atol=1e-5)


def test_poses_that_differ_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    model = build_model(MartinezFamily.config_class())
    with pytest.raises(Pose3DError, match=r"poses of the exported model are up to .* nothing is kept"):
        export.export_model(model, tmp_path / "x", "saved_model")
    assert list(tmp_path.iterdir()) == []


def test_refusals(tmp_path):
    model = build_model(MartinezFamily.config_class())
    with pytest.raises(Pose3DError, match="unknown export format 'caffe', expected one of saved_model"):
        export.export_model(model, tmp_path / "x", "caffe")
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(Pose3DError, match="exists and is no SavedModel, expected a new folder"):
        export.export_model(model, tmp_path, "saved_model")
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_onnx_without_its_libraries(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    missing = ("tf2onnx", "onnxruntime")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in missing else find(name))
    with pytest.raises(Pose3DError, match=r'ONNX needs tf2onnx and onnxruntime: pip install "\.\[onnx\]"'):
        export.export_model(build_model(MartinezFamily.config_class()), tmp_path / "x.onnx", "onnx")


def test_the_general_lifter_takes_clips_of_any_length(tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = load_model(shipped_weights()["general_frame"])
    report = export.export_model(model, tmp_path / "frame.onnx", "onnx", half=True)
    assert report["inputs"]["keypoints_2d"] == [1, None, 13, 3]
    assert report["examples"] == "frames"
    assert report["difference_m"] < 1e-4
    assert (tmp_path / "frame.onnx").stat().st_size < 1.1 * shipped_weights()["general_frame"].stat().st_size
    session = runtime.InferenceSession(str(tmp_path / "frame.onnx"))
    names = [held.name for held in session.get_outputs()]
    assert names == ["bones", "log_lengths", "pose_3d", "radius_90"]
    camera = default_camera(1000, 1000)
    keypoints = np.random.default_rng(0).uniform(300, 700, (70, 13, 3)).astype(np.float32)
    keypoints[..., 2] = np.random.default_rng(1).random((70, 13)) > 0.2
    screen = keypoints.copy()
    screen[..., :2] = normalize_screen_coordinates(keypoints[..., :2], 1000, 1000)
    given = {"keypoints_2d": screen[None], "intrinsics": camera.intrinsics()[None]}
    found = dict(zip(names, session.run(None, given), strict=True))
    poses, radius = ClipPredictor(model, model.config.EVAL_FLIP)(keypoints, camera)
    np.testing.assert_allclose(found["pose_3d"][0], poses, atol=1e-4)
    np.testing.assert_allclose(found["radius_90"][0], radius, atol=1e-4)
    # A clip in two pieces, put together without Keras.
    pieces = []
    for part in (slice(0, 40), slice(40, 70)):
        one = {**given, "keypoints_2d": screen[None, part]}
        pieces.append(dict(zip(names, session.run(None, one), strict=True)))
    bones, lengths = (
        np.concatenate([piece[name][0] for piece in pieces]) for name in ("bones", "log_lengths")
    )
    np.testing.assert_allclose(assemble_clip(bones, lengths, model.settings), poses, atol=1e-4)


def test_float16_is_for_onnx_alone(tmp_path):
    with pytest.raises(Pose3DError, match="float16 weights are for onnx, not for tflite"):
        export.export_model(build_model(MartinezFamily.config_class()), tmp_path / "x", "tflite", half=True)


@pytest.mark.parametrize("name", ["general", "general_frame"])
def test_shipped_onnx_files_are_the_shipped_weights(name):
    runtime = pytest.importorskip("onnxruntime")
    weights = shipped_weights()[name]
    model = load_model(weights)
    camera = default_camera(1920, 1080)
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(300, 700, (50, 13, 3)).astype(np.float32)
    keypoints[..., 2] = rng.random((50, 13)) > 0.2
    screen = keypoints.copy()
    screen[..., :2] = normalize_screen_coordinates(keypoints[..., :2], 1920, 1080)
    session = runtime.InferenceSession(str(weights.with_suffix(".onnx")))
    given = {"keypoints_2d": screen[None], "intrinsics": camera.intrinsics()[None]}
    found = session.run(["pose_3d", "radius_90"], given)
    for one, other in zip(
        found, ClipPredictor(model, model.config.EVAL_FLIP)(keypoints, camera), strict=True
    ):
        np.testing.assert_allclose(one[0], other, atol=1e-4)
    sizes = [path.stat().st_size for path in weights.parent.iterdir() if path.suffix in (".h5", ".onnx")]
    assert max(sizes) < 5e6
    assert sum(sizes) < 12e6
