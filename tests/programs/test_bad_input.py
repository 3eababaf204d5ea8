"""Bad input to train.py and eval.py: one clear line, a non-zero exit, nothing half-written."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import train as train_program

TINY = {
    "ARCH": "UpliftUpsampleTransformer",
    "BATCH_SIZE": 4,
    "EPOCHS": 1,
    "STEPS_PER_EPOCH": 2,
    "SEQUENCE_LENGTH": 3,
    "STRIDES": [3],
    "PADDINGS": [[0, 0]],
    "SPATIAL_EMBED_DIM": 8,
    "TEMPORAL_EMBED_DIM": 8,
    "SPATIAL_TRANSFORMER_BLOCKS": 1,
    "TEMPORAL_TRANSFORMER_BLOCKS": 1,
    "NUM_HEADS": 2,
}
FRAMES = 6
# Lines of progress may come before the one that says what is wrong.
PROGRESS = ("evaluating", "epoch ")
SUBJECTS = ("S1", "S8", "S9", "S11", "S5", "S6", "S7")


@pytest.fixture
def data():
    """(3D, 2D) recordings of a tiny, sound Human3.6M; tests break them."""
    random = np.random.default_rng(0)
    poses = {s: {"Walking 1": random.normal(size=(FRAMES, 32, 3)).astype("f4")} for s in SUBJECTS}
    pixels = {
        s: {"Walking 1": [random.uniform(0, 999, (FRAMES, 17, 2)).astype("f4") for _ in range(4)]}
        for s in SUBJECTS
    }
    return poses, pixels


@pytest.fixture
def run(tmp_path, data, capfd):
    """Writes data and config, runs a program, returns (code, stdout, stderr, folder)."""

    def call(program="train", config=None, flags=(), raw_3d=None, weights=None):
        poses, pixels = data
        np.savez(tmp_path / "3d.npz", positions_3d=np.array(poses, object))
        np.savez(tmp_path / "2d.npz", positions_2d=np.array(pixels, object))
        if raw_3d is not None:
            raw_3d(tmp_path / "3d.npz")
        path = tmp_path / "tiny.json"
        path.write_text(json.dumps({**TINY, **(config or {})}))
        files = ["--config", str(path)]
        if program == "train":
            files += ["--h36m_path", str(tmp_path / "3d.npz"), "--dataset_2d_path", str(tmp_path / "2d.npz")]
            files += ["--out_dir", str(tmp_path / "out"), "--val_subset", "none"]
            main = train_program.main
        else:
            files += ["--dataset", str(tmp_path / "3d.npz"), "--dataset_2d", str(tmp_path / "2d.npz")]
            files += ["--weights", str(weights or tmp_path / "x.h5")]
            main = eval_program.main
        capfd.readouterr()
        code = main([*files, *flags])
        out, err = capfd.readouterr()
        return code, out, err, tmp_path

    return call


def refused(result, *words):
    """Exit code 2, one line on stderr with these words, and no weights, checkpoint or temporary file."""
    code, _, err, folder = result
    assert code == 2, err
    lines = [line for line in err.strip().splitlines() if not line.startswith(PROGRESS)]
    assert len(lines) == 1, err
    assert "error: " in lines[0]
    for word in words:
        assert word in lines[0], lines[0]
    left = [path for path in folder.rglob("*") if path.suffix == ".h5" and "out" in path.parts]
    assert not left
    assert not list(folder.rglob("*.tmp*"))


def save_tiny_weights(folder, **changes):
    from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig

    model = tf_pose3d.build_model(UpliftUpsampleConfig.from_dict({**TINY, **changes}))
    tf_pose3d.save_model(model, folder / "x.h5")
    return folder / "x.h5"


def test_sound_input_works(run, tmp_path):
    code, out, err, folder = run(flags=["--test_subset", "test"])
    assert code == 0, err
    assert "Average" in out
    weights = folder / "out" / "checkpoints" / "last_weights_0001.h5"
    results = json.loads((folder / "out" / "test_test.json").read_text())["evaluation_mm"]["all"]
    complete = json.loads((folder / "out" / "tiny_complete.json").read_text())
    assert complete["BATCH_SIZE"] == 4
    json_path, poses_path = tmp_path / "n.json", tmp_path / "p.npz"
    flags = ["--json", str(json_path), "--predictions", str(poses_path), "--frame-wise"]
    code, out, err, _ = run("eval", flags=flags, weights=folder / "out" / "checkpoints" / "last")
    assert code == 0, err
    assert "Average" not in out
    again = json.loads(json_path.read_text())["evaluation_mm"]["all"]
    assert again == results
    poses = np.load(poses_path)
    assert poses["pose_3d"].shape == (2 * 4 * FRAMES, 17, 3)
    # The file alone gives the table's number.
    error = poses["pose_3d"] - poses["pose_3d"][:, 6:7] - (poses["target"] - poses["target"][:, 6:7])
    mean = np.linalg.norm(error, axis=-1).mean() * 1000
    assert mean == pytest.approx(again["all_frames"]["frame_wise"]["mpjpe"], rel=1e-5)
    assert weights.exists()


def test_missing_data(run):
    refused(run(raw_3d=os.remove), "3d.npz")


def test_not_an_npz(run):
    refused(run(raw_3d=lambda path: path.write_text("hello")), "3d.npz", "not")


def test_npz_without_poses(run):
    refused(run(raw_3d=lambda path: np.savez(path, other=np.zeros(3))), "positions_3d")


def test_a_pickle_that_would_run_code(run, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'ran'}",))

    refused(
        run(raw_3d=lambda path: np.savez(path, positions_3d=np.array({"S1": Bomb()}, object))), "run code"
    )
    assert not (tmp_path / "ran").exists()


def test_subject_missing_from_2d(run, data):
    del data[1]["S1"]
    refused(run(), "2d.npz", "S1")


def test_action_missing_from_2d(run, data):
    data[1]["S5"]["Eating"] = data[1]["S5"].pop("Walking 1")
    refused(run(), "2d.npz", "S5", "Walking 1")


def test_fewer_2d_than_3d_frames(run, data):
    data[1]["S6"]["Walking 1"][2] = data[1]["S6"]["Walking 1"][2][:-1]
    refused(run(), "2d.npz", "S6", "Walking 1", "58860488", "5", "6")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coordinates_that_are_not_numbers(run, data, value):
    data[1]["S7"]["Walking 1"][1][3, 5, 0] = value
    refused(run(), "2d.npz", "S7", "Walking 1", "55011271", "frame 3")


def test_wrong_joint_count(run, data):
    data[0]["S1"]["Walking 1"] = data[0]["S1"]["Walking 1"][:, :31]
    refused(run(), "3d.npz", "31", "32")


def test_unknown_config_key(run):
    refused(
        run(config={"SEQUENCE_STRIDES": 5}), "tiny.json", "SEQUENCE_STRIDES", "did you mean SEQUENCE_STRIDE"
    )


def test_config_value_of_a_wrong_kind(run):
    refused(run(config={"BATCH_SIZE": "many"}), "BATCH_SIZE", "a whole number")
    refused(run(config={"SCHEDULE": "ExponentialDecai"}), "SCHEDULE", "did you mean ExponentialDecay")
    refused(run(flags=["--set", "EPOCHS=-1"]), "EPOCHS", "at least 0")
    refused(run(flags=["--set", "EPOCHS"]), "KEY=VALUE")


def test_config_that_is_no_json(run, tmp_path):
    (tmp_path / "bad.json").write_text('{"ARCH": ')
    refused(run(flags=["--config", str(tmp_path / "bad.json")]), "bad.json", "line 1")


def test_s_in_must_be_a_multiple_of_s_out(run):
    refused(run(config={"SEQUENCE_STRIDE": 5, "MASK_STRIDE": [5, 7]}), "s_in", "7", "s_out", "5")
    save = save_tiny_weights(run()[3], SEQUENCE_STRIDE=5, MASK_STRIDE=5)
    code, _, err, _ = run(
        "eval",
        config={"SEQUENCE_STRIDE": 5, "MASK_STRIDE": 5},
        flags=["--forced_mask_stride", "7"],
        weights=save,
    )
    assert code == 2
    assert "multiple" in err


def test_strides_must_end_in_one_frame(run):
    refused(run(config={"SEQUENCE_LENGTH": 5, "STRIDES": [2]}), "STRIDES", "must end in one frame")


def test_unknown_flag_subset_family_data_set(run):
    refused(run(flags=["--batchsize", "3"]), "--batchsize")
    refused(run(flags=["--train_subset", "trian"]), "trian", "train")
    refused(run(config={"ARCH": "UpliftUpsampleTransforme"}), "did you mean UpliftUpsampleTransformer")
    refused(run(flags=["--dataset", "h37m"]), "h37m", "h36m")
    refused(run(flags=["--dataset", "amass"]), "--amass_path")


def test_weights_of_another_shape(run, tmp_path):
    weights = save_tiny_weights(tmp_path, TEMPORAL_EMBED_DIM=16)
    refused(run("eval", weights=weights), "x.h5", "temporal_pe", "(3, 16)", "(3, 8)")
    refused(run(flags=["--weights", str(weights)]), "x.h5", "temporal_pe")


def test_truncated_weights(run, tmp_path):
    weights = save_tiny_weights(tmp_path)
    weights.write_bytes(weights.read_bytes()[:3000])
    refused(run("eval", weights=weights), "x.h5")


def test_missing_weights_say_what_is_there(run, tmp_path):
    save_tiny_weights(tmp_path)
    refused(run("eval", weights=tmp_path / "best"), "best", "x.h5")


def test_out_dir_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    refused(run(flags=["--out_dir", str(tmp_path / "file" / "out")]), "file")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk(run, tmp_path):
    weights = save_tiny_weights(tmp_path)
    refused(run("eval", flags=["--json", "/dev/full"], weights=weights), "/dev/full", "No space left")


def test_a_loss_that_explodes(run):
    changes = {
        "STEPS_PER_EPOCH": 30,
        "SCHEDULE": "ExponentialDecay",
        "SCHEDULE_PARAMS": {"initial_learning_rate": 1e30, "decay_steps": 10, "decay_rate": 1.0},
    }
    refused(run(config=changes), "not finite since step")


def test_schedule_arguments_are_checked(run):
    refused(run(config={"SCHEDULE_PARAMS": {"decay_step": 1}}), "decay_step", "did you mean decay_steps")


def test_batches_that_the_replicas_cannot_share(run):
    refused(run(config={"BATCH_SIZE": 5, "IN_BATCH_AUGMENT": True}), "BATCH_SIZE 5", "multiple of 2")


@pytest.mark.parametrize("program", [train_program, eval_program])
def test_help_needs_nothing_and_tells_units(program, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["--help"])
    assert stopped.value.code == 0
    assert "--config" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        program.main(["--arch", "uplift", "--help"])
    text = capsys.readouterr().out
    assert "SEQUENCE_STRIDE (default: 1)" in text
    assert "s_out: frames (at 50 Hz) between tokens" in text


def test_nothing_tells_the_family(capfd, tmp_path):
    assert train_program.main(["--out_dir", str(tmp_path / "out")]) == 2
    assert "which model family?" in capfd.readouterr().err
