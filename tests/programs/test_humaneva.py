"""train.py, eval.py and inference.py on HumanEva-I."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tf_pose3d.camera import world_to_camera
from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.data.humaneva import CAMERAS, SUBJECTS

FRAMES = {"Walking 1 chunk0": 6, "Walking 1 chunk2": 1, "Box 1 chunk0": 5}
CONFIG = {
    "ARCH": "PoseFormer",
    "DATASET": "humaneva15",
    "SKELETON": "humaneva_15",
    "FRAMES": 3,
    "JOINT_DIM": 4,
    "LAYERS": 1,
    "NUM_HEADS": 2,
    "BATCH_SIZE": 8,
    "EPOCHS": 1,
    "STEPS_PER_EPOCH": 2,
}


@pytest.fixture
def folder(tmp_path):
    """A tiny HumanEva-I and a config."""
    random = np.random.default_rng(0)
    poses, pixels = {}, {}
    for subject in SUBJECTS:
        world = {name: random.normal((0, 0, 1), 0.3, (f, 15, 3)).astype("f4") for name, f in FRAMES.items()}
        poses[subject], pixels[subject] = world, {}
        for name, values in world.items():
            views = []
            for camera in CAMERAS[subject]:
                seen = world_to_camera(values, camera.orientation, camera.translation)
                views.append(320 + 300 * seen[..., :2] / seen[..., 2:])
            pixels[subject][name] = views
    np.savez(tmp_path / "data_3d_humaneva15.npz", positions_3d=np.array(poses, object))
    metadata = np.array({"layout_name": "humaneva15"}, object)
    np.savez(tmp_path / "data_2d_humaneva15_gt.npz", positions_2d=np.array(pixels, object), metadata=metadata)
    (tmp_path / "tiny.json").write_text(json.dumps(CONFIG))
    return tmp_path


def run(program, *arguments):
    return program.main([str(argument) for argument in arguments])


def test_train_evaluate_and_lift(folder, capfd):
    data = ("--dataset", folder / "data_3d_humaneva15.npz")
    out = folder / "out"
    assert run(train_program, "--config", folder / "tiny.json", *data, "--out_dir", out) == 0
    weights = out / "checkpoints/best"
    subjects = "Validate/S1,Validate/S3"
    flags = ("-ste", subjects, "-a", "Walk,Box", "--by-subject", "--json", folder / "numbers.json")
    assert run(eval_program, "--weights", weights, *data, *flags) == 0
    document = json.loads((folder / "numbers.json").read_text())
    assert document["dataset"] == str(folder / "data_3d_humaneva15.npz")
    assert document["dataset_2d"] == str(folder / "data_2d_humaneva15_gt.npz")
    results = document["evaluation_mm"]["all"]
    assert list(results) == ["all_frames", "Validate/S1", "Validate/S3"]
    overall = results["all_frames"]
    # Per action over subjects, chunks and cameras; a chunk of one frame has no velocity.
    assert overall["frames"] == {"total": 2 * 3 * 12, "per_action": {"Walking": 2 * 3 * 7, "Box": 2 * 3 * 5}}
    assert overall["action_wise_average"]["mpjpe"] == pytest.approx(
        np.mean([overall["per_action"][action]["mpjpe"] for action in ("Walking", "Box")])
    )
    assert all(np.isfinite(overall["frame_wise"][name]) for name in ("mpjpe", "pampjpe", "nmpjpe", "mpjve"))
    lifted = folder / "poses.npz"
    choice = ("--viz_subject", "Validate/S2", "--viz_action", "Box", "--viz_camera", "C2")
    assert run(inference_program, "--weights", weights, *data, *choice, "--output", lifted) == 0
    with np.load(lifted) as file:
        assert file["pose_3d"].shape == (5, 15, 3)
        assert (str(file["action"]), str(file["camera"])) == ("Box 1 chunk0", "C2")
    assert "Validate/S2, Box 1 chunk0, camera C2: 5 frames" in capfd.readouterr().out
    keypoints = folder / "data_2d_humaneva15_gt.npz"
    assert run(inference_program, "--weights", weights, *data, *choice, "--output", keypoints) == 2
    assert "is a file that is read; name another" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("changes", "flags", "words"),
    [
        ({}, ("--train_subset", "Train/S4"), "unknown HumanEva-I split 'Train/S4'"),
        ({}, ("--keypoints", "cpn"), "data_2d_humaneva15_cpn.npz"),
        ({}, ("--actions", "Jog"), "action 'Jog' matches nothing"),
        ({"SKELETON": "h36m_17"}, (), "this model reads h36m_17: set SKELETON to humaneva_15"),
        (
            {"ARCH": "StridedTransformer", "REFINE": True, "STRIDES": [3, 1, 1], "CHANNELS": 8},
            (),
            "have no camera intrinsics, Walking 1 chunk0 among them: REFINE reads them",
        ),
    ],
)
def test_bad_input_is_one_line(folder, capfd, changes, flags, words):
    config = {**CONFIG, **changes}
    if config["ARCH"] != "PoseFormer":
        del config["JOINT_DIM"]
    (folder / "tiny.json").write_text(json.dumps(config))
    data = ("--dataset", folder / "data_3d_humaneva15.npz")
    assert run(train_program, "--config", folder / "tiny.json", *data, "--out_dir", folder / "x", *flags) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert len(error) == 1, error
    assert words in error[0]
