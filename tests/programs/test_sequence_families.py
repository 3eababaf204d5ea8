"""Training, test and lifting of networks that give every frame of a clip."""

import json
import pickle

import numpy as np
import pytest

import tf_pose3d
from tests.data.test_image_pickles import make_parts
from tf_pose3d.cli.eval import main as evaluate
from tf_pose3d.cli.train import main as train
from tf_pose3d.models.loading import as_config

SMALL = {
    "FRAMES": 5,
    "CHANNELS": 8,
    "LAYERS": 1,
    "NUM_HEADS": 2,
    "BATCH_SIZE": 4,
    "EPOCHS": 2,
    "CLIP_STRIDE": 5,
}


def flags(**keys):
    return [part for name, value in keys.items() for part in ("--set", f"{name}={json.dumps(value)}")]


@pytest.mark.parametrize("arch", ["motionagformer", pytest.param("motionbert", marks=pytest.mark.slow)])
def test_training_and_test_on_image_poses(arch, tmp_path, capsys):
    path = tmp_path / "poses.pkl"
    path.write_bytes(pickle.dumps(make_parts(videos=4, frames=12, test_videos=2)))
    run = tmp_path / "run"
    given = ["--arch", arch, "--dataset", str(path), "--out_dir", str(run), *flags(**SMALL, REPRESENTATION=8)]
    assert train(given) == 0, capsys.readouterr().err
    report, poses = tmp_path / "report.json", tmp_path / "poses.npz"
    asked = ["--weights", str(run / "checkpoints/best"), "--dataset", str(path)]
    assert evaluate([*asked, "--json", str(report), "--predictions", str(poses)]) == 0, (
        capsys.readouterr().err
    )
    results = json.loads(report.read_text())["evaluation_mm"]["all"]["image_space"]
    # Two frames of each video lie in no whole clip.
    assert results["frames"] == {"total": 20, "uncovered": 4, "per_action": {"Directions": 20}}
    with np.load(poses) as file:
        assert np.isnan(file["pose_3d"]).any(axis=(1, 2)).sum() == 4
    capsys.readouterr()
    assert evaluate([*asked, "--set", "OVERLAP=0.5", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["evaluation_mm"]["all"]["image_space"]["frames"]["total"] == 24
    assert evaluate([*asked[:2], "--dataset", "synthetic", "--test_subset", "S9"]) == 2
    assert "a network trained on poses of the image (h36m_sh) is tested on these" in capsys.readouterr().err


@pytest.mark.parametrize("arch", [pytest.param("mixste", marks=pytest.mark.slow), "motionbert"])
def test_training_and_test_in_metres(arch, tmp_path, capsys):
    run = tmp_path / "run"
    data = ["--dataset", "synthetic"]
    subsets = ["--train_subset", "S1", "--val_subset", "S9"]
    keys = flags(**{**SMALL, "CLIP_STRIDE": 100, "EPOCHS": 1}, STEPS_PER_EPOCH=2, VALIDATION_EXAMPLES=40)
    assert train(["--arch", arch, *data, *subsets, "--out_dir", str(run), *keys]) == 0, (
        capsys.readouterr().err
    )
    report = tmp_path / "report.json"
    asked = ["--weights", str(run / "checkpoints/best"), *data, "--test_subset", "S9", "--json", str(report)]
    totals, steps = [], []
    for overlap in (0, 0.5):
        wanted = [*asked, "--set", f"OVERLAP={overlap}", "--motion_metrics"]
        assert evaluate(wanted) == 0, capsys.readouterr().err
        written = json.loads(report.read_text())
        steps.append(written["motion"]["all"]["step_error_at_joins_mm_frame"])
        results = written["evaluation_mm"]["all"]["all_frames"]
        totals.append(results["frames"]["total"])
        assert 0 < results["frame_wise"]["pampjpe"] < results["frame_wise"]["mpjpe"]
    frames = len(
        tf_pose3d.examples(tf_pose3d.load_model(run / "checkpoints/best"), "synthetic", "S9", "test")
    )
    assert totals[1] == frames
    assert 0 < steps[1] < steps[0]
    # As released, MixSTE counts what its last, shifted clip holds twice.
    assert totals[0] == frames if arch == "motionbert" else frames <= totals[0] < 1.2 * frames


@pytest.mark.slow
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(tmp_path, capsys):
    path = tmp_path / "poses.pkl"
    path.write_bytes(pickle.dumps(make_parts(videos=4, frames=12, test_videos=2)))
    given = ["--arch", "motionagformer", "--dataset", str(path), *flags(**SMALL, REPRESENTATION=8)]
    given += ["--set", "EPOCHS=2", "--out_dir"]
    assert train([*given, str(tmp_path / "run")]) == 0, capsys.readouterr().err
    assert train([*given, str(tmp_path / "again"), "--set", "EPOCHS=1"]) == 0
    assert train([*given, str(tmp_path / "again"), "--continue_training"]) == 0, capsys.readouterr().err
    first, second = (
        tf_pose3d.load_model(tmp_path / name / "checkpoints/last_weights_0002.h5")
        for name in ("run", "again")
    )
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_whole_videos_are_lifted_with_and_without_overlap():
    config = as_config("mixste").replace(FRAMES=9, CHANNELS=16, LAYERS=2, NUM_HEADS=2, EVAL_FLIP=False)
    model = tf_pose3d.build_model(config)
    random = np.random.default_rng(0)
    walk = np.cumsum(random.normal(0, 2, (40, 17, 2)), axis=0) + random.uniform(300, 700, (17, 2))
    lifter = tf_pose3d.Lifter(model)
    plain = lifter(walk.astype(np.float32), width=1000, height=1000, layout="h36m_17")
    assert plain.shape == (40, 17, 3)
    assert np.isfinite(plain).all()
    # Clip for clip as the network gives them: the first nine frames.
    normalised = (walk[:9] / 500 - 1).astype(np.float32)[None]
    expected = np.asarray(model(normalised)["pose_3d_sequence"])[0]
    np.testing.assert_allclose(plain[:9], expected - expected[:, :1], atol=1e-5)
    smooth = tf_pose3d.Lifter(model, config.replace(OVERLAP=0.75))
    averaged = smooth(walk.astype(np.float32), width=1000, height=1000, layout="h36m_17")
    joins = np.arange(9, 36, 9)

    def jumps(poses):
        return np.linalg.norm(poses[joins] - poses[joins - 1], axis=-1).mean()

    assert jumps(averaged) < jumps(plain)
