"""Progress: what a line says of the end."""

from __future__ import annotations

import io

import pytest

from tf_pose3d import progress
from tf_pose3d.progress import Progress, format_duration, progress_to


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by ten seconds whenever it is read."""
    now = [0.0]

    def monotonic():
        now[0] += 10.0
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", monotonic)
    return now


def shown(**keys):
    stream = io.StringIO()
    with Progress(4, "epoch 1/3", stream, interval=0.0, **keys) as bar:
        bar.update()
    return stream.getvalue()


def test_a_duration_is_spelled_by_its_size():
    assert [format_duration(one) for one in (4, 64, 3723)] == ["4s", "1m 04s", "1h 02m 03s"]


def test_a_single_loop_says_its_own_end(clock):
    # Two readings of the clock since the start: 20 seconds for the first of four steps.
    assert shown() == "epoch 1/3: 1/4 (25%), 20.000 s/step, ETA 1m 00s\n"


def test_the_whole_run_counts_later_epochs_and_what_lies_between(clock):
    line = shown(later_steps=8, later_seconds=30.0)
    assert line.endswith("ETA 1m 00s (4m 10s to the end of the run)\n")


def test_what_is_not_known_yet_is_said(clock):
    line = shown(later_steps=8, later_seconds=None)
    assert line.endswith("ETA 1m 00s (3m 40s to the end of the run, validation not counted)\n")


def test_the_last_epoch_with_validation_to_come_says_so(clock):
    assert "to the end of the run" in shown(later_seconds=5.0)


def test_progress_can_go_to_a_function_instead():
    stream, heard = io.StringIO(), []
    with progress_to(lambda *told: heard.append(told)), Progress(3, "lifting", stream) as progress:
        progress.update()
        assert not progress.due(2)
        progress.update(steps=2)
    assert heard == [("lifting", 1, 3), ("lifting", 3, 3)]
    assert stream.getvalue() == ""
