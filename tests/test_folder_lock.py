"""Two runs in one folder."""

import json
import os
import subprocess
import sys
import time

import pytest

from tf_pose3d import folder_lock
from tf_pose3d.errors import Pose3DError
from tf_pose3d.folder_lock import FolderLock, hold_folder

# Holds a folder until its standard input ends.
_HOLDER = """
import sys
from pathlib import Path
from tf_pose3d.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), log=lambda line: None)
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def note(folder):
    return folder / ".run.lock"


def rewrite(folder, seconds_ago=0.0, **changes):
    """Alters a folder's note, as another machine or another boot would have written it."""
    path = note(folder)
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(values))
    touched = time.time() - seconds_ago
    os.utime(path, (touched, touched))


def test_a_living_run_blocks_and_leaves_nothing_at_its_end(tmp_path, holder):
    with pytest.raises(
        Pose3DError, match=rf"^{tmp_path} is in use by process {holder.pid} on .*, since .*out_dir"
    ):
        FolderLock(tmp_path)
    holder.stdin.close()
    holder.wait()
    assert list(tmp_path.iterdir()) == []
    said = []
    with hold_folder(tmp_path, log=said.append):
        assert note(tmp_path).exists()
    assert said == []
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_does_not_block(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert note(tmp_path).exists()
    said = []
    with hold_folder(tmp_path, log=said.append):
        pass
    assert said[0].startswith(
        f"{tmp_path}: the run that held it has ended without a word (process {holder.pid}"
    )


def test_another_process_of_that_number_is_not_the_run(tmp_path, holder):
    rewrite(tmp_path, started="1")
    with hold_folder(tmp_path, log=lambda line: None):
        pass


def test_elsewhere_the_sign_of_life_counts(tmp_path, holder):
    # This process id means nothing here: it may even be alive.
    elsewhere = {"system": "another machine", "host": "far", "pid": os.getpid()}
    rewrite(tmp_path, 5, **elsewhere)
    with pytest.raises(
        Pose3DError, match=r"on far, since .* \(last sign of life [5-9] s ago; it counts as dead"
    ):
        FolderLock(tmp_path)
    rewrite(tmp_path, 500, **elsewhere)
    said = []
    with hold_folder(tmp_path, log=said.append):
        pass
    assert "on far" in said[0]


def test_without_proc_the_number_counts(tmp_path, holder, monkeypatch):
    """Where the system does not say when processes started, as on macOS."""
    rewrite(tmp_path, 5, system="", started="")
    monkeypatch.setattr(folder_lock, "_system", lambda: "")
    with pytest.raises(Pose3DError, match=f"in use by process {holder.pid}"):
        FolderLock(tmp_path)
    holder.kill()
    holder.wait()
    with hold_folder(tmp_path, log=lambda line: None):
        pass


def test_a_run_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "_BEAT", 0.05)
    with hold_folder(tmp_path, log=lambda line: None):
        rewrite(tmp_path, 1000)
        deadline = time.monotonic() + 10
        while time.time() - note(tmp_path).stat().st_mtime > 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - note(tmp_path).stat().st_mtime < 100


def test_a_run_that_was_overtaken_writes_nothing_more(tmp_path):
    with hold_folder(tmp_path, log=lambda line: None) as lock:
        lock.require()
        rewrite(tmp_path, token="another", host="far")
        with pytest.raises(Pose3DError, match=r"taken over by process .* on far"):
            lock.require()
    # The other's note stays.
    assert note(tmp_path).exists()


def test_workers_of_one_run_share_a_folder(tmp_path):
    with hold_folder(tmp_path, "a:1,b:1"):
        with hold_folder(tmp_path, "a:1,b:1", chief=False) as worker:
            assert worker is None
        with (
            pytest.raises(Pose3DError, match="is in use by process"),
            hold_folder(tmp_path, "c:1,d:1", chief=False),
        ):
            pass
        assert note(tmp_path).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x"}', "\0\1"])
def test_a_note_that_says_nothing(tmp_path, content):
    note(tmp_path).write_text(content)
    with pytest.raises(Pose3DError, match="in use by a run that cannot be told"):
        FolderLock(tmp_path)
    old = time.time() - 1000
    os.utime(note(tmp_path), (old, old))
    with hold_folder(tmp_path, log=lambda line: None):
        pass


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def full(*arguments, **keywords):
        raise Pose3DError("cannot write: No space left on device")

    monkeypatch.setattr(folder_lock, "write_whole", full)
    with pytest.raises(Pose3DError, match="No space left"):
        FolderLock(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_shards_of_one_run_share_a_folder(tmp_path):
    def lock(cluster, part):
        return FolderLock(tmp_path, cluster, log=lambda line: None, part=part, flag="--output_dir")

    first, second = lock("a", "1-of-2"), lock("a", "2-of-2")
    for cluster, part in (("a", "1-of-2"), ("b", "1-of-3"), ("", "")):
        with pytest.raises(Pose3DError, match=r"is in use by process .* or give another --output_dir$"):
            lock(cluster, part)
    first.release()
    second.require()
    lock("a", "1-of-2").release()
    second.release()
    whole = lock("", "")
    with pytest.raises(Pose3DError, match="is in use by process"):
        lock("a", "1-of-2")
    whole.release()
    assert list(tmp_path.iterdir()) == []


def test_a_dead_shard_blocks_nobody(tmp_path, holder):
    held = json.loads(note(tmp_path).read_text())
    holder.kill()
    holder.wait()
    note(tmp_path).unlink()
    (tmp_path / ".run.1-of-2.lock").write_text(json.dumps({**held, "cluster": "a"}))
    said = []
    FolderLock(tmp_path, "a", log=said.append, part="2-of-2").release()
    assert said == []
    FolderLock(tmp_path, log=said.append).release()
    assert "has ended without a word" in said[0]
    assert list(tmp_path.iterdir()) == []
