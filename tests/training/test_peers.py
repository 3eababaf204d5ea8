"""The end of another worker: one line, whatever this one is busy with."""

import json
import signal
import time

import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.training import peers
from tf_pose3d.training.peers import ending_with_peers


@pytest.fixture
def three_workers(monkeypatch):
    cluster = {"worker": ["a:1", "b:2", "c:3"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    monkeypatch.setattr(peers, "_INTERVAL", 0.02)
    monkeypatch.setattr(peers, "_GRACE", 0.02)
    monkeypatch.setattr(peers, "_lost_workers", set)


LOST = (
    "Collective ops is aborted by: Error reported from /job:worker/task:2: The following tasks are unhealthy "
    "(stopped sending heartbeats):\n/job:worker/replica:0/task:2"
)


def test_a_failed_collective_is_one_line(tmp_path, three_workers):
    (tmp_path / "cp_0009.h5").touch()
    (tmp_path / "cp_0010.h5").touch()
    with (
        pytest.raises(Pose3DError, match=r"^worker 2 \(c:3\) of this run has ended .*cp_0010\.h5 is kept"),
        ending_with_peers(tmp_path),
    ):
        raise tf.errors.UnavailableError(None, None, LOST)


def test_without_a_checkpoint_that_is_said(tmp_path, three_workers):
    with (
        pytest.raises(Pose3DError, match=r"^a worker of this run has ended .*: there is no checkpoint yet$"),
        ending_with_peers(tmp_path),
    ):
        raise tf.errors.AbortedError(None, None, "Collective ops is aborted")


def test_other_errors_and_other_runs_are_left_alone(tmp_path, three_workers, monkeypatch):
    with pytest.raises(tf.errors.UnavailableError, match="disk"), ending_with_peers(tmp_path):
        raise tf.errors.UnavailableError(None, None, "disk")
    with pytest.raises(ZeroDivisionError), ending_with_peers(tmp_path):
        raise ZeroDivisionError
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(tf.errors.UnavailableError), ending_with_peers(tmp_path):
        raise tf.errors.UnavailableError(None, None, LOST)


def test_a_busy_worker_is_interrupted(tmp_path, three_workers, monkeypatch):
    before = signal.getsignal(signal.SIGUSR2)
    monkeypatch.setattr(peers, "_lost_workers", lambda: {0, 2})

    def be_busy():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.01)

    start = time.monotonic()
    with (
        pytest.raises(Pose3DError, match=r"^worker 0 \(a:1\) and worker 2 \(c:3\) of this run"),
        ending_with_peers(tmp_path),
    ):
        be_busy()
    assert time.monotonic() - start < 10
    assert signal.getsignal(signal.SIGUSR2) is before


def test_after_the_last_step_others_may_end(tmp_path, three_workers, monkeypatch):
    monkeypatch.setattr(peers, "_lost_workers", lambda: {0})
    with ending_with_peers(tmp_path) as watch:
        watch.stop()
        time.sleep(0.2)
