"""Commands of VideoPose3D, RIE and EHFusion, from the releases' flags to files, and on what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.cli.program import parse
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.weight_files.hdf5 import read_config

PROGRAMS = {"train": train_program, "eval": eval_program, "inference": inference_program}
SIZES = {
    "ARCH": "RIE",
    "FILTER_WIDTHS": [3],
    "CHANNELS": 4,
    "LATENT_FEATURES": 8,
    "HIDDEN_FEATURES": 8,
    "BATCH_SIZE": 16,
    "EPOCHS": 2,
    "STEPS_PER_EPOCH": 2,
    "CHECKPOINT_INTERVAL": 1,
}
THREE_STAGE = {**SIZES, "ARCH": "EHFusion", "STRATEGY": "three_stage"}
VIDEOPOSE3D = {
    **{name: value for name, value in SIZES.items() if "FEATURES" not in name},
    "ARCH": "VideoPose3D",
    "FILTER_WIDTHS": [3, 3],
}
# Shorter than a window, and longer; one frame only.
FRAMES = {"Walking 1": 12, "Eating 1": 5, "Posing": 1}
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")


@pytest.fixture
def run(tmp_path, capfd, monkeypatch):
    """Runs a program in a folder with a tiny Human3.6M; gives (code, stdout, stderr)."""
    random = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    poses = {
        subject: {name: random.normal(size=(frames, 32, 3)).astype("f4") for name, frames in FRAMES.items()}
        for subject in SUBJECTS
    }
    pixels = {
        subject: {
            name: [random.uniform(0, 999, (frames, 17, 2)).astype("f4") for _ in range(4)]
            for name, frames in FRAMES.items()
        }
        for subject in SUBJECTS
    }
    np.savez(tmp_path / "data" / "data_3d_h36m.npz", positions_3d=np.array(poses, object))
    np.savez(tmp_path / "data" / "data_2d_h36m_gt.npz", positions_2d=np.array(pixels, object))
    monkeypatch.chdir(tmp_path)

    def call(program, flags, **config):
        if config:
            (tmp_path / "tiny.json").write_text(json.dumps(config))
            flags = f"--config tiny.json {flags}"
        capfd.readouterr()
        code = PROGRAMS[program].main(flags.split())
        out, err = capfd.readouterr()
        return code, out, err

    return call


def refused(result, *words):
    code, _, err = result
    assert code == 2, err
    lines = [line for line in err.strip().splitlines() if "error: " in line]
    assert len(lines) == 1, err
    assert err.strip().endswith(lines[0]), err
    for word in words:
        assert word in lines[0], lines[0]


def weights_of(path):
    """Every stored number, by name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def test_flags_of_the_release_train_evaluate_and_draw(run, tmp_path):
    flags = (
        "-k gt -str S1,S5 -ste S9 -a Walking,Eating -c out -e 1 -b 8 -drop 0.1 -lr 0.01 -lrd 0.9 -no-da "
        "-no-tta -arc 3,5 -ch 8 --subset 0.9 --downsample 2 --checkpoint-frequency 1 --export-training-curves"
    )
    code, out, err = run("train", flags, **VIDEOPOSE3D)
    assert code == 0, err
    assert out.count("are shorter than the window of 15 frames") == 1
    weights = "out/checkpoints/last_weights_0001.h5"
    held = read_config(weights)
    expected = {
        "FILTER_WIDTHS": [3, 5],
        "CHANNELS": 8,
        "EPOCHS": 1,
        "BATCH_SIZE": 8,
        "DROP_RATE": 0.1,
        "AUGM_FLIP_PROB": 0.0,
        "EVAL_FLIP": False,
        "TRAIN_FRACTION": 0.9,
        "DOWNSAMPLE": 2,
        "SCHEDULE_PARAMS": {"initial_learning_rate": 0.01, "decay_rate": 0.9},
    }
    assert {name: held[name] for name in expected} == expected
    code, out, err = run(
        "eval", f"--weights {weights} -k gt -ste S9,S11 --by-subject --json e.json --motion_metrics"
    )
    assert code == 0, err
    assert "subject S11" in out
    assert "MPJVE" in out
    written = json.loads((tmp_path / "e.json").read_text())
    assert "motion, all\n" in out
    # Random poses move wildly: the truth's own jerk is huge.
    assert written["motion"]["all"]["jitter_of_truth_100m_s3"] > 1e3
    assert 0 <= written["motion"]["all"]["pck_150_percent"] < 20
    results = written["evaluation_mm"]["all"]
    assert set(results) == {"all_frames", "S9", "S11"}
    assert set(results["S9"]["per_action"]) == {"Walking", "Eating", "Posing"}
    # Its only video has one frame, and so no velocity.
    assert results["S9"]["per_action"]["Posing"]["mpjve"] is None
    frames = [results[part]["frames"]["total"] for part in ("all_frames", "S9", "S11")]
    assert frames[0] == frames[1] + frames[2] == 8 * (6 + 3 + 1)
    flags = f"--weights {weights} -k gt --viz-subject S9 --viz-action Walking --viz-camera 1 --viz-limit 2"
    code, out, err = run("inference", f"{flags} --viz-output a.png --viz-export a.npy --viz-no-ground-truth")
    assert code == 0, err
    assert np.load(tmp_path / "a.npy").shape == (12, 17, 3)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_causal_and_chunks(run):
    code, _, err = run("train", "-k gt -c causal --causal --no-eval -e 1", **VIDEOPOSE3D)
    assert code == 0, err
    assert read_config("causal/checkpoints/last_weights_0001.h5")["CAUSAL"]
    code, _, err = run("train", "-k gt -c chunks -s 4 --no-eval -e 1", **VIDEOPOSE3D)
    assert code == 0, err
    refused(run("train", "-k gt -c bad -s 4 --causal --no-eval", **VIDEOPOSE3D), "CHUNK_LENGTH", "CAUSAL")


def test_continues_from_a_named_checkpoint(run, tmp_path):
    assert run("train", "-k gt -c out --no-eval", **VIDEOPOSE3D)[0] == 0
    whole = weights_of(tmp_path / "out/checkpoints/last_weights_0002.h5")
    (tmp_path / "out/checkpoints/last_weights_0002.h5").unlink()
    code, out, err = run("train", "-k gt -c out --no-eval -r cp_0001.h5", **VIDEOPOSE3D)
    assert code == 0, err
    assert "continuing from out/checkpoints/cp_0001.h5" in out
    again = weights_of(tmp_path / "out/checkpoints/last_weights_0002.h5")
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    refused(run("train", "-k gt -c out -r cp_0009.h5", **VIDEOPOSE3D), "cp_0009.h5", "no such checkpoint")


def test_runs_of_all_stages(tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(SIZES))
    flags = f"--config {tmp_path}/tiny.json --out-dir {tmp_path}/out --all-stages".split()
    arguments, release = parse(train_program.make_parser, flags, "train")
    lines, seen = [], []
    for run in release.training_runs(arguments, lines.append):
        seen.append(
            (run.stage, run.weights and Path(run.weights).name, run.learning_rate, run.continue_training)
        )
        # As a finished run would.
        Path(run.out_dir).mkdir(parents=True)
        (Path(run.out_dir) / f"stage_{run.stage}_best_model.h5").touch()
    assert seen == [
        (1, None, None, False),
        (2, "stage_1_best_model.h5", None, False),
        (3, "stage_2_best_model.h5", 5e-4, False),
    ]
    # Stage 2 was interrupted: it goes on, and stage 1 is passed over.
    second = tmp_path / "out" / "stage_2"
    (second / "stage_2_best_model.h5").unlink()
    (second / "checkpoints").mkdir()
    (second / "checkpoints" / "cp_0001_step_5.h5").touch()
    again = next(release.training_runs(arguments, lines.append))
    assert (again.stage, again.continue_training) == (2, True)
    assert "stage 1 is complete" in " ".join(lines)


@pytest.mark.slow
def test_three_stages(run, tmp_path):
    flags = "-k gt -ste S9 --out-dir out --all-stages -e 1"
    code, out, err = run("train", flags, **SIZES)
    assert code == 0, err
    best = [tmp_path / f"out/stage_{stage}/stage_{stage}_best_model.h5" for stage in (1, 2, 3)]
    assert [read_config(path)["STAGE"] for path in best] == [1, 2, 3]
    assert read_config(best[2])["SCHEDULE_PARAMS"]["initial_learning_rate"] == 5e-4
    first, second, third = (weights_of(path) for path in best)
    frozen = [name for name in first if name.startswith(("local_", "global_encoder"))]
    trained = [name for name in frozen if "moving" not in name]
    assert all(np.array_equal(first[name], second[name]) for name in trained)
    # Statistics go on in frozen layers.
    assert any(not np.array_equal(first[name], second[name]) for name in frozen)
    assert all(not np.array_equal(second[name], third[name]) for name in trained if "kernel" in name)
    # What is complete is passed over; a lost stage is made again.
    best[2].unlink()
    code, out, err = run("train", flags, **SIZES)
    assert code == 0, err
    assert "stage 1 is complete" in out
    assert "stage 2 is complete" in out
    again = weights_of(best[2])
    assert all(np.array_equal(third[name], again[name]) for name in third)


def test_stages_one_by_one(run):
    first = "stage_1_best_model.h5"
    family = get_family("rie")
    model = build_model(family.config_class.from_dict(SIZES))
    save_model(model, first)
    code, _, err = run("train", f"-k gt -c two --no-eval -e 1 --stage 2 --pretrain {first}", **SIZES)
    assert code == 0, err
    # What it starts from are stage 1's encoders, statistics included.
    second = weights_of("two/checkpoints/last_weights_0001.h5")
    kernel = next(name for name in second if name.startswith("local_torso") and "kernel" in name)
    np.testing.assert_array_equal(second[kernel], weights_of(first)[kernel])
    bad = "-k gt -c bad --no-eval"
    refused(run("train", f"{bad} --stage 2", **SIZES), "stage 2 needs stage 1's weights", "--pretrain")
    refused(run("train", f"{bad} --stage 3", **SIZES), "stage 3 needs stage 2's weights", "--finetune")
    refused(run("train", f"{bad} --stage 3 -ft {first}", **SIZES), "stage 1", "stage 3")
    refused(run("train", f"{bad} -p {first}", **SIZES), "--stage 2")
    refused(run("train", f"{bad} --stage 2 -p {first} -lfd 12", **SIZES), "LATENT_FEATURES 8", "12")
    refused(run("train", f"{bad} --stage 2 -p {first}", **THREE_STAGE), "RIE", "EHFusion")
    refused(run("train", f"{bad} --stage 2 -p {first} -ft {first}", **SIZES), "--pretrain", "--finetune")
    refused(run("train", f"{bad} --stage 2 -p {first} --all-stages", **SIZES), "--all-stages")
    refused(run("train", f"{bad} -s 2", **SIZES), "-s 2")
    one_stage = {**THREE_STAGE, "STRATEGY": "one_stage"}
    refused(run("train", f"{bad} --all-stages", **one_stage), "--all-stages", "three_stage")
    evaluation = f"--weights {first} -k gt"
    refused(run("eval", f"{evaluation} --stage 2"), "STAGE 1", "2")
    refused(run("eval", f"{evaluation} -lfd 512"), "LATENT_FEATURES 8", "512")
    refused(run("eval", f"{evaluation} -arc 3,3,3"), "FILTER_WIDTHS", "[3, 3, 3]")


def test_bad_flags(run):
    refused(run("train", "-k gt --keypoints cpn -c out", **VIDEOPOSE3D), "-k", "--keypoints")
    refused(run("train", "-k gt -c out --no-eval --export-training-curves", **VIDEOPOSE3D), "--no-eval")
    refused(run("train", "-k gt -c out -arc 3,2", **VIDEOPOSE3D), "FILTER_WIDTHS", "odd")
    refused(run("train", "-k gt -c out -arc a,b", **VIDEOPOSE3D), "-arc", "a,b")
    refused(run("train", "-k gt -c out -str S1,S3", **VIDEOPOSE3D), "S3")
    refused(run("train", "-k gt -c out --dataset amass", **VIDEOPOSE3D), "--dataset", "amass")


def test_unlabelled_subjects_train_beside_labelled_ones(run, tmp_path):
    flags = "-k gt -str S1 -sun S5,S6 -ste S9 -c semi -e 2 -b 8 --warmup 1 --linear-projection"
    flags += " --no-bone-length"
    code, out, err = run("train", flags, **{**VIDEOPOSE3D, "FILTER_WIDTHS": [3]})
    assert code == 0, err
    # Two subjects of 12, 5 and 1 frames in four cameras, with their mirror images.
    assert "288 unlabelled windows of S5,S6, from epoch 2 on" in out
    held = read_config("semi/checkpoints/last_weights_0002.h5")
    expected = {
        "UNLABELED_SUBSET": "S5,S6",
        "TRAJECTORY": True,
        "WARMUP_EPOCHS": 1,
        "LINEAR_PROJECTION": True,
        "PROJECTION_LOSS": True,
        "BONE_LENGTH_LOSS": False,
    }
    assert {name: held[name] for name in expected} == expected
    refused(run("train", "-k gt -str S1 -sun S20 -c x -e 1", **VIDEOPOSE3D), "unknown Human3.6M split 'S20'")


def test_a_semi_supervised_run_goes_on_bit_for_bit(run, tmp_path):
    flags = "-k gt -str S1 -sun S5 -ste S9 -b 8"
    small = {**VIDEOPOSE3D, "FILTER_WIDTHS": [3], "EPOCHS": 3}
    assert run("train", f"{flags} -c whole", **small)[0] == 0
    first = sorted(Path("whole/checkpoints").glob("cp_*.h5"))[0]
    code, out, err = run("train", f"{flags} -c parts -r {first}", **small)
    assert code == 0, err
    assert "step 2" in out
    whole, parts = (weights_of(f"{folder}/checkpoints/last_weights_0003.h5") for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])


def test_videos_of_one_s_own_are_lifted_along_the_root_s_path(run, tmp_path):
    random = np.random.default_rng(1)
    positions = {"walk.mp4": {"custom": [random.uniform(0, 500, (12, 17, 2)).astype("f4")]}}
    metadata = {"layout_name": "coco", "video_metadata": {"walk.mp4": {"w": 1000, "h": 1000}}}
    np.savez(
        tmp_path / "data" / "data_2d_custom_mine.npz",
        positions_2d=np.array(positions, object),
        metadata=np.array(metadata, object),
    )
    small = {**VIDEOPOSE3D, "INPUT_SKELETON": "coco_17"}
    config = get_family("videopose3d").config_class(
        **{name: value for name, value in small.items() if name != "ARCH"}
    )
    for trajectory in (False, True):
        chosen = config.replace(TRAJECTORY=trajectory)
        save_model(build_model(chosen), f"vp_{trajectory}.h5")
    asked = "--dataset custom -k mine --viz_subject walk.mp4 --viz_action custom"
    code, out, err = run("inference", f"--weights vp_True.h5 {asked} --output moving.npz")
    assert code == 0, err
    assert "moving.npz: in the camera's space, by the network of the root's path" in out
    with np.load("moving.npz") as file:
        assert file["pose_3d"].shape == (12, 17, 3)
        assert np.ptp(file["pose_3d"][:, 0], axis=0).min() > 1e-4
        assert "target" not in file
    code, out, err = run("inference", f"--weights vp_False.h5 {asked} --output still.npz --viz_output x.png")
    assert code == 0, err
    assert "by the network" not in out
    assert (tmp_path / "x.png").stat().st_size > 1000
    refused(
        run("inference", f"--weights vp_True.h5 {asked} --output x.npz --viz_subject run.mp4"),
        "--viz_subject 'run.mp4' is no subject; there are walk.mp4",
    )
    refused(
        run(
            "inference",
            "--weights vp_True.h5 --dataset custom -k other --viz_subject walk.mp4 --output x.npz",
        ),
        "there is no data/data_2d_custom_other.npz; data has mine",
    )
    for program, flags in (("eval", "--weights vp_True.h5"), ("train", "--arch videopose3d --out_dir out")):
        refused(
            run(program, f"{flags} --dataset custom -k mine"), "custom has no 3D poses, inference.py lifts"
        )
