"""The general lifter's network, loss and training: what does not matter, what is constant, what resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli.train import main as train
from tf_pose3d.data.datasets import get_dataset
from tf_pose3d.data.examples import open_examples
from tf_pose3d.data.motion_clips import MotionClips, save_motion
from tf_pose3d.data.motion_examples import open_motion
from tf_pose3d.data.motion_views import MotionViews
from tf_pose3d.data.sources import choose_source
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.evaluation.motion_scenes import NOISY, SCENES, calibration_table, make_scene, measure_scene
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.models.general.family import GeneralFamily
from tf_pose3d.models.loading import build_model
from tf_pose3d.weight_files.hdf5 import load_weights

SMALL = {"ARCH": "General", "WIDTH": 32, "BLOCKS": 1, "TEMPORAL_WIDTH": 16}


def motion(people: int = 3) -> MotionClips:
    """Made-up people walking, in a world with z up."""
    clips = []
    for sequence in synthetic_sequences(["S1"], frames=40, actions=["Walking"], skeleton="h36m_17")[:people]:
        root = sequence.pose_3d[:, :1]
        # From the camera's y down to z up.
        clips.append((sequence.pose_3d - root)[..., [0, 2, 1]] * np.array([1, 1, -1], np.float32))
    names = np.array([f"p{index}" for index in range(len(clips))])
    ends = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])])
    ones = np.ones(len(clips), np.float32)
    return MotionClips(np.concatenate(clips).astype(np.float32), ends, names, names, names, ones)


def config(**keys: object) -> GeneralConfig:
    return GeneralConfig.from_dict({**SMALL, **keys})


@pytest.mark.parametrize("dilations", [[], [1, 3]])
def test_bones_are_constant_and_the_radius_is_positive(dilations):
    model = build_model(config(DILATIONS=dilations, CLIP_FRAMES=8))
    batch = MotionViews(motion(), config(CLIP_FRAMES=8)).batch(4, 0)
    outputs = {name: np.asarray(value) for name, value in model(batch).items()}
    poses = outputs["pose_3d_sequence"]
    assert poses.shape == (4, 8, 17, 3)
    assert (poses[:, :, 0] == 0).all()
    thigh = np.linalg.norm(poses[:, :, 2] - poses[:, :, 1], axis=-1)
    np.testing.assert_allclose(thigh, np.broadcast_to(thigh[:, :1], thigh.shape), atol=1e-5)
    assert (outputs["radius_90"] > 0).all()
    np.testing.assert_array_equal(outputs["pose_3d"], poses[:, 4])


def test_focal_length_and_principal_point_are_only_units():
    model = build_model(config())
    batch = MotionViews(motion(), config()).batch(6, 1)
    other = {**batch, "keypoints_2d": batch["keypoints_2d"].copy(), "intrinsics": batch["intrinsics"].copy()}
    other["intrinsics"][:, 2:6] = [1.7, 1.9, 0.2, -0.1]
    other["keypoints_2d"][..., :2] = batch["keypoints_2d"][..., :2] * [1.7, 1.9] + [0.2, -0.1]
    first, second = (np.asarray(model(one)["pose_3d"]) for one in (batch, other))
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("keys", [{"CONSTANT_BONES": False}, {"VIRTUAL_CAMERA": False}, {"CLIP_FRAMES": 5}])
def test_every_switch_has_a_finite_loss(keys):
    settings = config(**keys, LOSS_VELOCITY=1.0)
    batch = MotionViews(motion(), settings).batch(8, 0)
    loss = GeneralFamily().loss(settings)
    assert np.isfinite(float(loss(build_model(settings)(batch, training=True), batch)))


def test_long_clips_are_lifted_in_pieces_without_a_seam(monkeypatch):
    model = build_model(config(DILATIONS=[1, 3]))
    # The head over time starts at zero: here it shall do something.
    rng = np.random.default_rng(0)
    model.temporal_head.set_weights([rng.normal(0, 0.3, w.shape) for w in model.temporal_head.get_weights()])
    clip = make_scene(motion(), NOISY, 1)[0]
    whole, _ = ClipPredictor(model)(clip.keypoints, clip.camera)
    monkeypatch.setattr("tf_pose3d.evaluation.clip_prediction._CHUNK", 7)
    pieces, _ = ClipPredictor(model)(clip.keypoints, clip.camera)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


def test_scenes_follow_from_the_motion_alone_and_measure_the_truth_as_exact():
    clips = motion()
    for scene in (SCENES[0], SCENES[-1], NOISY):
        first, again = make_scene(clips, scene, 2), make_scene(clips, scene, 2)
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one.keypoints, other.keypoints)
    truth = iter(make_scene(clips, NOISY, 2))
    made = make_scene(clips, NOISY, 2)
    exact = measure_scene(made, lambda *_: (next(truth).pose_3d, np.full((40, 17), 0.01)))
    assert exact.mpjpe < 1e-3
    assert exact.coverage == 1
    assert exact.trunk_worst < 0.1
    assert calibration_table({"x": exact})["all"] == 1


def test_training_resumes_and_its_weights_are_evaluated(tmp_path: Path, capsys):
    save_motion(tmp_path / "mine.npz", motion())
    out = tmp_path / "run"
    common = ["--arch", "general", "--motion", str(tmp_path / "mine.npz"), "--out_dir", str(out)]
    keys = {**SMALL, "BATCH_SIZE": 8, "STEPS_PER_EPOCH": 2, "CHECKPOINT_INTERVAL": 1}
    for name, value in keys.items():
        common += ["--set", f"{name}={value}"]
    assert train([*common, "--set", "EPOCHS=1"]) == 0
    assert train([*common, "--set", "EPOCHS=2", "--resume", "True"]) == 0
    assert "held out: 1 of 3 clips" in capsys.readouterr().out
    from tf_pose3d.cli.eval import main as evaluate

    weights = str(next(iter((out / "checkpoints").glob("best_weights_*.h5"))))
    assert evaluate(["--weights", weights, "--motion", str(tmp_path / "mine.npz")]) == 0
    table = capsys.readouterr().out
    assert "35 % off centre" in table
    assert "90 % radius" in table


def test_a_frame_network_starts_a_temporal_one(tmp_path: Path):
    from tf_pose3d.models.loading import save_model

    frame, temporal = build_model(config()), build_model(config(DILATIONS=[1]))
    save_model(frame, tmp_path / "frame.h5")
    GeneralFamily().load_initial_weights(temporal, tmp_path / "frame.h5")
    np.testing.assert_array_equal(temporal.entry.kernel, frame.entry.kernel)
    batch = MotionViews(motion(), config()).batch(3, 0)
    np.testing.assert_allclose(temporal(batch)["pose_3d"], frame(batch)["pose_3d"], atol=1e-6)
    again = build_model(config())
    load_weights(again, tmp_path / "frame.h5")
    np.testing.assert_array_equal(again.entry.kernel, frame.entry.kernel)


def test_the_data_set_is_named_where_no_file_is():
    from tf_pose3d.errors import Pose3DError

    settings = config()
    record, spec = get_dataset("motion"), GeneralFamily().data_spec(settings, "train")
    with pytest.raises(Pose3DError, match="no motion is named: --motion FILE"):
        open_examples(choose_source(record, settings, spec), "train", spec, "h36m_17")


def test_a_file_of_held_out_people_alone_is_split_by_clips(tmp_path):
    clips = motion(3)
    settings = config(HELD_OUT=sorted(set(clips.subjects.tolist())))
    save_motion(tmp_path / "mine.npz", clips)
    spec = GeneralFamily().data_spec(settings, "train")
    rest = open_motion(tmp_path / "mine.npz", "train", spec, print)
    held = open_motion(tmp_path / "mine.npz", "val", spec, print)
    assert len(rest.clips) + len(held.clips) == len(clips)
    assert "as HELD_OUT names everybody" in rest.notes()[0]
