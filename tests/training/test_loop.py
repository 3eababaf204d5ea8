"""The training loop: equal when resumed, careful when stopped, whole files only."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family
from tf_pose3d.training.distribution import make_strategy
from tf_pose3d.training.loop import Interrupted, Trainer
from tf_pose3d.weight_files.hdf5 import save_weights

TINY = {
    "BATCH_SIZE": 8,
    "EPOCHS": 3,
    "STEPS_PER_EPOCH": 4,
    "CHECKPOINT_INTERVAL": 1,
    "SEQUENCE_LENGTH": 3,
    "SEQUENCE_STRIDE": 2,
    "MASK_STRIDE": [2, 4],
    "STRIDE_MASK_RAND_SHIFT": True,
    "FIRST_STRIDED_TOKEN_ATTENTION_LAYER": 1,
    "STRIDES": [3],
    "PADDINGS": [[0, 0]],
    "SPATIAL_EMBED_DIM": 8,
    "TEMPORAL_EMBED_DIM": 16,
    "SPATIAL_TRANSFORMER_BLOCKS": 1,
    "TEMPORAL_TRANSFORMER_BLOCKS": 1,
    "NUM_HEADS": 2,
    "DROP_PATH_RATE": 0.2,
    "DROP_RATE": 0.1,
    "TOKEN_MASK_RATE": 0.2,
    "EMA_ENABLED": True,
    "EMA_DECAY": 0.9,
    "IN_BATCH_AUGMENT": True,
    "OPTIMIZER": "AdamW",
    "OPTIMIZER_PARAMS": {},
    "WEIGHT_DECAY": 1e-4,
    "SCHEDULE": "ExponentialDecay",
    "SCHEDULE_PARAMS": {"initial_learning_rate": 1e-3, "decay_steps": 5, "decay_rate": 0.5},
}
SEQUENCES = synthetic_sequences(["S1"], frames=60, actions=["Walking", "Sitting"])


def make_trainer(out_dir, validation=None, strategy="one", log=lambda line: None, **changes):
    family = get_family("uplift")
    config = family.config_class.from_dict({**TINY, **changes})
    windows = Windows(SEQUENCES, family.data_spec(config, "train"), seed=config.SHUFFLE_SEED)
    return Trainer(family, config, windows, out_dir, make_strategy(strategy), validation, log=log)


def weights_of(trainer):
    return [np.asarray(v) for v in (*trainer.model.variables, *trainer.average.variables)]


class StopAfter:
    """Stands in for a signal that arrives while step `step` runs."""

    def __init__(self, trainer, step):
        inner = trainer._train_step

        def step_and_signal(*arguments):
            inner(*arguments)
            if trainer.step + 1 == step:
                os.kill(os.getpid(), signal.SIGTERM)

        trainer._train_step = step_and_signal


def first_weights(model):
    """A metric that falls, rises and falls as training goes on, and needs no data."""
    return {"AW-MPJPE": float(np.abs(np.asarray(model.weights[0])).sum())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: trainer and result."""
    trainer = make_trainer(tmp_path_factory.mktemp("whole"), first_weights)
    return trainer, trainer.run()


@pytest.mark.parametrize("stopped_at", [4, 6])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, whole, stopped_at):
    trainer, expected_result = whole
    first = make_trainer(tmp_path, first_weights)
    StopAfter(first, stopped_at)
    with pytest.raises(Interrupted) as stopped:
        first.run()
    assert stopped.value.signal == signal.SIGTERM
    assert stopped.value.checkpoint.exists()
    second = make_trainer(tmp_path, first_weights)
    result = second.run(resume=True)
    for expected, got in zip(weights_of(trainer), weights_of(second), strict=True):
        np.testing.assert_array_equal(expected, got)
    assert result.history.values == expected_result.history.values
    assert result.best_weights.name == expected_result.best_weights.name
    with h5py.File(expected_result.last_weights) as a, h5py.File(result.last_weights) as b:
        assert a.attrs["tf_pose3d_config"] == b.attrs["tf_pose3d_config"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path, whole):
    for name, seed in (("same", 0), ("other", 1)):
        trainer = make_trainer(tmp_path / name, SHUFFLE_SEED=seed)
        trainer.run()
        pairs = zip(weights_of(whole[0]), weights_of(trainer), strict=True)
        assert all(np.array_equal(x, y) for x, y in pairs) == (name == "same")


def test_files_are_the_releases(whole):
    folder = whole[0].out_dir
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    best = whole[1].best_weights.name
    assert names == [best, "cp_0001.h5", "cp_0002.h5", "cp_0003.h5", "last_weights_0003.h5"]
    logs = [path for path in folder.iterdir() if path.name.startswith("tb_")]
    assert len(logs) == 1
    assert any(logs[0].iterdir())


def test_best_weights_are_those_of_the_lowest_metric(tmp_path):
    values = iter([3.0, 1.0, 2.0])
    result = make_trainer(tmp_path, lambda model: {"AW-MPJPE": next(values)}).run()
    assert result.best_weights.name == "best_weights_0002.h5"
    assert not (tmp_path / "checkpoints" / "best_weights_0001.h5").exists()


def test_the_average_follows_the_releases_decay(tmp_path):
    trainer = make_trainer(tmp_path, EPOCHS=1, STEPS_PER_EPOCH=1)
    before = [np.asarray(w) for w in trainer.model.weights]
    trainer.run()
    # Step 0: min(0.9, 1 / 10).
    for start, now, averaged in zip(before, trainer.model.weights, trainer.average.weights, strict=True):
        expected = 0.1 * start + 0.9 * np.asarray(now)
        np.testing.assert_allclose(np.asarray(averaged), expected, atol=1e-6)


def test_training_learns(tmp_path):
    trainer = make_trainer(
        tmp_path, EPOCHS=2, STEPS_PER_EPOCH=40, DROP_RATE=0.0, DROP_PATH_RATE=0.0, TOKEN_MASK_RATE=0.0,
        SCHEDULE_PARAMS={"initial_learning_rate": 1e-2, "decay_steps": 80, "decay_rate": 0.5},
    )  # fmt: skip
    losses = []
    trainer.log = lambda line: losses.append(float(line.split("loss ")[1].split(",")[0]))
    trainer.run()
    assert losses[1] < 0.6 * losses[0]


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_good(tmp_path):
    trainer = make_trainer(tmp_path)
    inner = trainer._train_step

    def poison(batches, step, decay):
        if trainer.step == 6:
            trainer.model.centre_fc.kernel.assign(trainer.model.centre_fc.kernel * np.nan)
        inner(batches, step, decay)

    trainer._train_step = poison
    with pytest.raises(Pose3DError, match=r"not finite since step 6 .*kept in .*cp_0001\.h5"):
        trainer.run()
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["cp_0001.h5", "last_weights_0001.h5"]
    with h5py.File(tmp_path / "checkpoints" / "cp_0001.h5") as file:
        assert all(np.isfinite(np.asarray(value)).all() for value in file["model"].values())


def test_resuming_needs_a_checkpoint_that_fits(tmp_path):
    with pytest.raises(Pose3DError, match="no checkpoint"):
        make_trainer(tmp_path).run(resume=True)
    make_trainer(tmp_path, EPOCHS=1).run()
    with pytest.raises(Pose3DError, match="was trained with BATCH_SIZE 8, this run says 4"):
        make_trainer(tmp_path, BATCH_SIZE=4).run(resume=True)
    with pytest.raises(Pose3DError, match="shape"):
        make_trainer(tmp_path, TEMPORAL_EMBED_DIM=32).run(resume=True)
    checkpoint = tmp_path / "checkpoints" / "cp_0001.h5"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(Pose3DError, match=r"cp_0001.h5 is truncated or damaged.* none is whole: start anew"):
        make_trainer(tmp_path).run(resume=True)


def test_a_damaged_last_checkpoint_costs_an_epoch(tmp_path, whole):
    trainer, expected_result = whole
    make_trainer(tmp_path, first_weights, EPOCHS=2).run()
    damaged = tmp_path / "checkpoints" / "cp_0002.h5"
    damaged.write_bytes(damaged.read_bytes()[:-3000])
    said = []
    second = make_trainer(tmp_path, first_weights)
    second.log = said.append
    result = second.run(resume=True)
    assert f"{damaged} is truncated or damaged" in said[0]
    assert said[1] == f"continuing from {tmp_path / 'checkpoints' / 'cp_0001.h5'}, step 4"
    for expected, got in zip(weights_of(trainer), weights_of(second), strict=True):
        np.testing.assert_array_equal(expected, got)
    assert result.history.values == expected_result.history.values
    assert result.best_weights.name == expected_result.best_weights.name
    assert result.best_weights.exists()


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    trainer = make_trainer(tmp_path, EPOCHS=1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Pose3DError, match="No space left"):
        trainer.run()
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    "precision", [pytest.param("mixed_bfloat16", marks=pytest.mark.bfloat16), "mixed_float16"]
)
def test_mixed_precision_trains(tmp_path, precision):
    trainer = make_trainer(tmp_path, EPOCHS=1, MIXED_PRECISION=precision)
    try:
        trainer.run()
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(value).all() for value in weights_of(trainer))
    assert trainer.model.weights[0].dtype == "float32"
    assert trainer.model.compute_dtype == precision.removeprefix("mixed_")


def test_compiled_steps_agree_with_plain_ones(tmp_path):
    plain = {"DROP_RATE": 0.0, "DROP_PATH_RATE": 0.0, "TOKEN_MASK_RATE": 0.0, "EPOCHS": 1}
    losses, told = [], {}
    for compiled in (False, True):
        lines = told[compiled] = []
        trainer = make_trainer(tmp_path / str(compiled), JIT_COMPILE=compiled, log=lines.append, **plain)
        trainer.run()
        losses.append(float(np.asarray(trainer.loss_sum)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    notice = [line for line in told[True] if line.startswith("JIT_COMPILE: on a CPU XLA is slower")]
    assert len(notice) == 1 - bool(tf.config.list_physical_devices("GPU"))
    assert not any("XLA" in line for line in told[False])


WORKER = """
import sys
from tf_pose3d.cli.train import main
sys.exit(main(sys.argv[1:]))
"""


def train_command(out_dir, config, *flags):
    return [
        sys.executable, "-c", WORKER, "--config", str(config), "--out_dir", str(out_dir),
        "--val_subset", "none", *flags,
    ]  # fmt: skip


def tiny_config(tmp_path, **changes):
    path = tmp_path / "tiny.json"
    values = {"ARCH": "UpliftUpsampleTransformer", "DATASET": "synthetic", **TINY, **changes}
    path.write_text(json.dumps(values))
    return path


def weights_in(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]} if hasattr(item, "dtype") else {}))
    return found


def last_weights(folder, epoch):
    return folder / "checkpoints" / f"last_weights_{epoch:04d}.h5"


# Nothing random but the order. An epsilon far above the gradients makes Adam a plain gradient step. A small
# one divides by their size: a gradient that is nothing but rounding would then move its weight as far as any
# other.
PLAIN = {
    "DROP_RATE": 0.0, "DROP_PATH_RATE": 0.0, "TOKEN_MASK_RATE": 0.0,
    "MASK_STRIDE": 2, "STRIDE_MASK_RAND_SHIFT": False,
    "OPTIMIZER": "Adam", "OPTIMIZER_PARAMS": {"epsilon": 1e3},
    "SCHEDULE_PARAMS": {"initial_learning_rate": 10.0, "decay_steps": 5, "decay_rate": 0.5},
}  # fmt: skip


def start_two_workers(out_dir, config, *flags):
    """Two processes on loopback."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        # As the programs start by themselves: the tests let TensorFlow say more.
        environment = {**os.environ, "TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = train_command(out_dir, config, "--strategy", "multi_worker", *flags)
        workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    return workers, hosts


def test_two_workers_train_as_one(tmp_path):
    """Two processes on loopback give the weights of one process with the whole batch."""
    settings = {"EPOCHS": 1, **PLAIN}
    config = tiny_config(tmp_path, **settings)
    workers, _ = start_two_workers(tmp_path / "two", config)
    errors = [worker.communicate(timeout=240)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    subprocess.run(train_command(tmp_path / "one", config, "--strategy", "one"), check=True, timeout=240)
    save_weights(make_trainer(tmp_path, **settings).validated_model, tmp_path / "start.h5")
    start = weights_in(tmp_path / "start.h5")
    together, alone = (weights_in(last_weights(tmp_path / name, 1)) for name in ("two", "one"))
    assert start.keys() == together.keys() == alone.keys()
    ways = {name: np.abs(value - start[name]).max() for name, value in alone.items()}
    assert np.median(list(ways.values())) > 1e-5
    for name, value in alone.items():
        # A thousandth of the weight's way, and its own rounding. The floor is for weights that do not move.
        near = max(1e-3 * ways[name], 1e-9)
        np.testing.assert_allclose(together[name], value, rtol=3e-7, atol=near, err_msg=name)


def losses(folder):
    with (folder / "curves.csv").open() as file:
        return [float(row["loss_train"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "number"), [(1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGSTOP)]
)
def test_a_dead_worker_ends_the_other_and_fewer_go_on(tmp_path, victim, number):
    """Killed or silent; the curve goes on as that of one worker that did it all."""
    config = tiny_config(tmp_path, EPOCHS=100_000, STEPS_PER_EPOCH=40, **PLAIN)
    out = tmp_path / "two"
    workers, hosts = start_two_workers(out, config)
    deadline = time.monotonic() + 240
    while not (out / "checkpoints" / "cp_0003.h5").exists():
        assert time.monotonic() < deadline
        assert [worker.poll() for worker in workers] == [None, None]
        time.sleep(0.05)
    workers[victim].send_signal(number)
    start = time.monotonic()
    _, errors = workers[1 - victim].communicate(timeout=240)
    assert time.monotonic() - start < 60
    workers[victim].kill()
    workers[victim].communicate()
    assert workers[1 - victim].returncode == 2
    said = [line for line in errors.splitlines() if not line.startswith("epoch ")]
    assert len(said) == 1, errors
    assert f"worker {victim} ({hosts[victim]}) of this run has ended or cannot be reached" in said[0]
    kept = sorted((out / "checkpoints").glob("cp_*.h5"), key=lambda path: (len(path.name), path.name))[-1]
    assert f"{kept} is kept, and --continue_training True goes on from it" in said[0]
    epochs = int(kept.stem.split("_")[1]) + 3
    config = tiny_config(tmp_path, EPOCHS=epochs, STEPS_PER_EPOCH=40, **PLAIN)
    task = {"cluster": {"worker": hosts[:1]}, "task": {"type": "worker", "index": 0}}
    fewer = train_command(out, config, "--strategy", "multi_worker", "--continue_training", "True")
    subprocess.run(fewer, check=True, timeout=240, env={**os.environ, "TF_CONFIG": json.dumps(task)})
    subprocess.run(train_command(tmp_path / "one", config), check=True, timeout=240)
    found, expected = losses(out), losses(tmp_path / "one")
    assert len(found) == len(expected) == epochs
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1.5e-6)
    # Not because nothing moves.
    assert max(expected) - min(expected) > 1e-3


def test_sigterm_saves_and_tells_how_to_go_on(tmp_path):
    config = tiny_config(tmp_path, EPOCHS=500)
    process = subprocess.Popen(
        train_command(tmp_path / "run", config), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    output = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout))
    reader.start()
    deadline = time.monotonic() + 120
    while not any("epoch 2" in line for line in output) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=120)
    reader.join()
    assert code == 128 + signal.SIGTERM
    assert "state saved in" in output[-1]
    assert "--continue_training True" in output[-1]
    assert list((tmp_path / "run" / "checkpoints").glob("cp_*.h5"))


def test_gpu_and_worker_settings_are_checked(monkeypatch):
    with pytest.raises(Pose3DError, match="expected one of"):
        make_strategy("tpu")
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(Pose3DError, match="needs TF_CONFIG"):
        make_strategy("multi_worker")
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(Pose3DError, match="not valid JSON"):
        make_strategy("auto")
