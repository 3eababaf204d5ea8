"""Programs that are killed while they write, and disks that are full: what was there stays whole."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.data.calibration.writing import write_cameras
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import staged_folder, write_json
from tf_pose3d.inference.motion import Motion
from tf_pose3d.inference.writers import WRITERS, check_motion_file, write_motion
from tf_pose3d.render.picture import draw
from tf_pose3d.render.scene import motion_scene
from tf_pose3d.skeleton import get_skeleton

REPOSITORY = Path(__file__).resolve().parents[2]
# Formats that other programs write, or say a time, are not compared byte by byte.
ENDINGS = tuple(ending for ending in WRITERS if ending not in (".fbx", ".rrd"))
# Moments of a slow test, of the quick one of the same kind.
MOMENTS, FEW = 50, 3

# Writes two motions in turn into one file of every kind; says so when each is there for the first time.
WRITE_MOTIONS = """
import sys
from pathlib import Path
import numpy as np
from tf_pose3d.inference.motion import Motion
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.skeleton import get_skeleton

folder, endings = Path(sys.argv[1]), sys.argv[2:]
skeleton = get_skeleton("h36m_17")
poses = np.random.default_rng(0).normal(size=(200, 17, 3))
motions = [Motion(poses=poses + shift, skeleton=skeleton, root=0, fps=25) for shift in (0, 1)]
for turn, motion in enumerate(motions):
    for ending in endings:
        write_motion(folder / f"expected{turn}{ending}", motion)
print("ready", flush=True)
while True:
    for motion in motions:
        for ending in endings:
            write_motion(folder / f"x{ending}", motion)
"""


def started(*arguments, **settings):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_BACKEND": "numpy"}
    environment |= settings.pop("env", {})
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment, **settings
    )


def kill_writers(folder, moments, endings=ENDINGS):
    """Kills a writing process at so many moments; every file must be one that was written whole."""
    for number in range(moments):
        process = started("-c", WRITE_MOTIONS, folder, *endings)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.02 + 0.6 * ((number * 0.618) % 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for ending in endings:
            path = folder / f"x{ending}"
            if path.exists():
                content = without_dates(path)
                assert content in [without_dates(folder / f"expected{turn}{ending}") for turn in (0, 1)], path


def without_dates(path):
    """What a file holds, but for the dates of a zip's members and the name that TRC repeats."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: file[name].tobytes() for name in file.files}
    content = path.read_bytes()
    return content.split(b"\n", 1)[1] if path.suffix == ".trc" else content


def test_outputs_of_a_killed_process_are_whole(tmp_path):
    kill_writers(tmp_path, FEW, [".npz", ".json", ".trc"])


@pytest.mark.slow
def test_outputs_of_a_process_killed_at_many_moments_are_whole(tmp_path):
    kill_writers(tmp_path, MOMENTS)


TINY = {
    "ARCH": "Martinez",
    "HID_DIM": 8,
    "BATCH_SIZE": 8,
    "EPOCHS": 300,
    "STEPS_PER_EPOCH": 3,
    "CHECKPOINT_INTERVAL": 1,
    "BEST_CHECKPOINT_METRIC": None,
    "VALIDATION_INTERVAL": 1000,
}


def train_command(folder, out):
    config = folder / "tiny.json"
    config.write_text(json.dumps(TINY))
    data = ["--dataset", "synthetic", "--train_subset", "S1", "--val_subset", "none"]
    return [REPOSITORY / "train.py", "--config", config, *data, "--out_dir", out]


def check_run(out):
    """Everything that a run keeps can be read; returns its checkpoints."""
    for path in out.rglob("*.h5"):
        if path.name.startswith("."):
            continue
        with h5py.File(path, "r") as file:
            file.visititems(lambda name, item: item[()] if isinstance(item, h5py.Dataset) else None)
    for path in out.rglob("*.json"):
        json.loads(path.read_text())
    return sorted(out.rglob("cp_*.h5"))


def arrays_of(path):
    """Every array of an HDF5 file by its name."""
    held = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: held.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return held


def check_same(path, expected):
    """All arrays of one file are those of another, bit for bit."""
    found, wanted = arrays_of(path), arrays_of(expected)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(values, found[name], err_msg=f"{path}: {name}")


@pytest.mark.slow
def test_a_training_killed_at_many_moments_ends_as_the_uninterrupted_one(tmp_path):
    environment = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
    whole, out = tmp_path / "whole", tmp_path / "out"
    # Beside the others, which are slower for it, and so are killed at earlier steps.
    uninterrupted = started(*train_command(tmp_path, whole), env=environment)
    killed = 0
    while killed < MOMENTS:
        resume = ["--continue_training", "True"] if list(out.rglob("cp_*.h5")) else []
        before = set(out.rglob("cp_*.h5"))
        process = started(*train_command(tmp_path, out), *resume, env=environment)
        # Not before it has written one more checkpoint: each attempt gets further.
        while process.poll() is None and set(out.rglob("cp_*.h5")) == before:
            time.sleep(0.01)
        time.sleep(0.15 * ((killed * 0.618) % 1))
        if process.poll() is not None:
            assert process.returncode == 0
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        assert check_run(out)
    process = started(*train_command(tmp_path, out), "--continue_training", "True", env=environment)
    process.communicate()
    assert process.returncode == 0
    assert killed == MOMENTS
    uninterrupted.communicate()
    assert uninterrupted.returncode == 0
    checkpoints = check_run(out)
    assert len(checkpoints) == TINY["EPOCHS"]
    for path in [*checkpoints, sorted(out.rglob("*last_weights*.h5"))[-1]]:
        check_same(path, whole / path.relative_to(out))


def make_clips(folder, count, frames):
    """Keypoint files of one person each."""
    folder.mkdir()
    points = np.random.default_rng(0).normal(size=(17, 2)) * 60 + 500
    for number in range(count):
        drift = np.arange(frames)[:, None, None] * 0.1 + number
        np.savez(
            folder / f"clip_{number}.npz",
            **{"keypoints": points + drift, "width": 1000, "height": 1000, "fps": 50, "layout": "h36m_17"},
        )


def children_of(pid):
    """Processes that a process has started, by their numbers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def check_results(out, expected):
    """Every result is the whole one, and every line of the manifest but the last can be read."""
    for path in out.glob("*.npz"):
        assert path.read_bytes() == expected[path.name], path
    for line in (out / "manifest.jsonl").read_bytes().splitlines()[:-1] if out.exists() else []:
        json.loads(line)


def kill_folder_runs(folder, moments, count, frames):
    """Kills a folder run, in every third turn a worker, at so many moments; it ends as one left alone."""
    make_clips(folder / "in", count, frames)
    command = [REPOSITORY / "inference.py", "--input", folder / "in", "--workers", 2, "--output_dir"]
    quiet = {"stderr": subprocess.DEVNULL}
    process = started(*command, folder / "whole", **quiet)
    process.communicate()
    assert process.returncode == 0
    expected = {path.name: path.read_bytes() for path in (folder / "whole").glob("*.npz")}
    assert len(expected) == count
    out = folder / "out"
    for number in range(moments):
        process = started(*command, out, **quiet)
        if number % 3 == 2:
            # Something else than its start: files are being lifted.
            process.stdout.readline()
        time.sleep(1.6 * ((number * 0.618) % 1))
        workers = children_of(process.pid)
        if number % 3 == 2 and workers:
            os.kill(workers[0], signal.SIGKILL)
            process.communicate()
            assert process.returncode == 0
        else:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < deadline, "workers outlive their run"
            time.sleep(0.02)
        check_results(out, expected)
        if (out / "manifest.jsonl").exists() and number % 3 == 2:
            # All was done: the next turns begin anew.
            shutil.rmtree(out)
    process = started(*command, out, **quiet)
    process.communicate()
    assert process.returncode == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.npz")} == expected
    assert {path.name for path in out.iterdir()} == {*expected, "manifest.jsonl"}


def test_a_folder_run_killed_at_a_few_moments_ends_as_the_uninterrupted_one(tmp_path):
    kill_folder_runs(tmp_path, FEW + 1, 6, 60)


@pytest.mark.slow
def test_a_folder_run_killed_at_many_moments_ends_as_the_uninterrupted_one(tmp_path):
    kill_folder_runs(tmp_path, MOMENTS, 24, 300)


def require_writer(path):
    """Skips where what the format needs besides is not installed."""
    try:
        check_motion_file(path, 300)
    except Pose3DError as error:
        pytest.skip(str(error))


@pytest.fixture
def motion():
    poses = np.random.default_rng(0).normal(size=(300, 17, 3))
    return Motion(poses=poses, skeleton=get_skeleton("h36m_17"), root=0, fps=25)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_full_disk_leaves_the_old_file(tmp_path, motion, ending, small_file_limit):
    path = tmp_path / f"x{ending}"
    require_writer(path)
    path.write_bytes(b"old")
    with pytest.raises(Pose3DError, match=rf"^cannot write .*x\{ending}: \S") as caught, small_file_limit():
        write_motion(path, motion)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_read_only_file_system(tmp_path, motion, ending, monkeypatch):
    require_writer(tmp_path / f"x{ending}")

    def refuse(self, *arguments, **settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(pathlib.Path, "touch", refuse)
    with pytest.raises(Pose3DError, match=rf"cannot write .*x\{ending}: Read-only file system"):
        write_motion(tmp_path / f"x{ending}", motion)
    assert os.listdir(tmp_path) == []


def _write_checkpoint(path):
    import keras

    from tf_pose3d.training.checkpoints import save_checkpoint

    save_checkpoint(path, {"weights": [keras.Variable(np.zeros((40, 40)), name="kernel")]}, {"step": 1})


def _write_weights(path):
    import tf_pose3d

    model = tf_pose3d.build_model(tf_pose3d.load_config(arch="martinez").replace(HID_DIM=8))
    tf_pose3d.save_model(model, path)


def _write_config(path):
    import tf_pose3d

    tf_pose3d.load_config(arch="martinez").save(path)


def _write_numbers(path):
    write_json(path, {"all": list(range(2000))})


def _write_picture(path):
    draw(
        motion_scene(np.random.default_rng(0).normal(size=(3, 17, 3)), get_skeleton("h36m_17"), 0, 25, "x"),
        path,
    )


def _write_cameras(path):
    camera = CalibratedCamera("one", (100, 100), np.eye(3), np.zeros(5), np.eye(3), np.zeros(3))
    write_cameras(path, [camera], notes=["a note"] * 2000)


# Of what else is written: the file's name, and how. A folder's manifest is appended to and has its own test.
OTHERS = {
    "x.h5": _write_weights,
    "cp_0001.h5": _write_checkpoint,
    "config.json": _write_config,
    "results.json": _write_numbers,
    "x.html": _write_picture,
    "x.png": _write_picture,
    "x.gif": _write_picture,
    "x.mp4": _write_picture,
    "cameras.toml": _write_cameras,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_full_disk_leaves_what_was_written_otherwise(tmp_path, name, small_file_limit):
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(Pose3DError, match=rf"^cannot write .*{name}: \S") as caught, small_file_limit(200):
        OTHERS[name](path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", OTHERS)
def test_a_read_only_file_system_is_told_by_all(tmp_path, name, monkeypatch):
    def refuse(self, *arguments, **settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(pathlib.Path, "touch", refuse)
    with pytest.raises(Pose3DError, match=rf"cannot write .*{name}: Read-only file system"):
        OTHERS[name](tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("old")

    def write_half():
        with staged_folder(path) as made:
            (made / "half").write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Pose3DError, match=r"cannot write .*model: No space left"):
        write_half()
    assert [file.name for file in path.iterdir()] == ["old"]
    with staged_folder(path) as made:
        (made / "new").write_text("new")
    assert [file.name for file in path.iterdir()] == ["new"]
    assert os.listdir(tmp_path) == ["model"]
