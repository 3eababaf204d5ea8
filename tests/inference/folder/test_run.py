"""Folder runs with real worker processes, and a task that needs no network."""

import json
import os
import signal
import threading
import time

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.folder_lock import FolderLock
from tf_pose3d.inference.folder.jobs import Shard
from tf_pose3d.inference.folder.run import run_folder


@pytest.fixture
def run(tmp_path, made_up):
    """Runs with one worker; the lines are in `run.lines`."""

    def start(place, task=None, output=tmp_path / "out", **settings):
        start.lines = []
        settings = {"workers": 1, "log": start.lines.append, "warn": start.lines.append, **settings}
        return run_folder(task or made_up(), place, output, **settings)

    return start


def contents(folder):
    """Name of each result -> its text; nothing may lie beside them and the manifests."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in files.items() if not name.startswith("manifest")}


def lines(folder):
    found = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return {line["file"]: line for line in found if "file" in line}


def test_every_file_is_done_or_said(tmp_path, folder, run):
    place = folder(a="one", sub__b="warn", c="fail", d="crash", e="nothing", f="memory", g="die", h="two")
    result = run(place, workers=2)
    assert contents(tmp_path / "out") == {"a.txt": "one 1", "sub/b.txt": "warn 1", "h.txt": "two 1"}
    assert (result.done, result.skipped, result.left, result.signal) == (3, 0, 0, None)
    assert {name: reason[:40] for name, reason in result.failed.items()} == {
        "c.json": "c.txt: this file is bad",
        "d.json": "unexpected IndexError: nobody expected t",
        "e.json": "nothing was written",
        "f.json": "there is not enough memory for this file",
        "g.json": "3 workers died of it, the last was kille",
    }
    held = lines(tmp_path / "out")
    assert set(held) == {"a.json", "sub/b.json", "c.json", "d.json", "e.json", "f.json", "g.json", "h.json"}
    assert held["sub/b.json"]["warnings"] == ["b: odd"]
    assert held["sub/b.json"]["outputs"]["sub/b.txt"]["bytes"] == len("warn 1")
    assert "made_up_task.py" in held["d.json"]["trace"]
    assert held["g.json"]["workers_lost"] == 3
    assert all("\n" not in line for line in run.lines)
    assert sum("its worker was lost (killed by SIGKILL" in line for line in run.lines) == 2


def test_a_second_start_does_what_is_left(tmp_path, folder, run):
    place = folder(a="one", b="two", c="fail")
    run(place)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.txt")}
    folder(c="three")
    result = run(place)
    assert (result.done, result.skipped, result.failed) == (1, 2, {})
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert run.lines[0] == f"3 files, 2 done before: 1 to lift into {tmp_path / 'out'}"
    result = run(place)
    assert (result.done, result.skipped) == (0, 3)


@pytest.mark.parametrize("what", ["content", "time", "result lost", "result cut"])
def test_what_changed_is_done_again(tmp_path, folder, run, what):
    place = folder(a="one", b="two")
    run(place)
    if what == "content":
        folder(a="other")
    elif what == "time":
        os.utime(place / "a.json", (1, 1))
    elif what == "result lost":
        (tmp_path / "out" / "a.txt").unlink()
    else:
        (tmp_path / "out" / "a.txt").write_text("")
    result = run(place)
    assert (result.done, result.skipped) == (1, 1)
    assert contents(tmp_path / "out")["a.txt"] == ("other 1" if what == "content" else "one 1")


def test_other_settings_do_all_again_and_say_so(tmp_path, folder, run, made_up):
    place = folder(a="one", b="two")
    run(place, made_up({"suffix": "!", "other": 1}))
    result = run(place, made_up({"suffix": "?", "other": 1}))
    assert result.done == 2
    assert run.lines[0] == "2 files lifted under other settings (suffix changed): again now"
    assert contents(tmp_path / "out")["a.txt"] == "one? 1"
    # Back to the first: the latest line counts, not any that fits.
    result = run(place, made_up({"suffix": "!", "other": 1}))
    assert result.done == 2
    assert contents(tmp_path / "out")["a.txt"] == "one! 1"
    assert run(place, made_up({"suffix": "!", "other": 1}), threads=3).done == 2
    assert contents(tmp_path / "out")["a.txt"] == "one! 3"


def test_results_that_a_file_no_longer_gives_are_removed(tmp_path, folder, run, made_up):
    place = folder(a="people 3", b="one")
    run(place, made_up(suffixed=True))
    assert set(contents(tmp_path / "out")) == {"a_0.txt", "a_1.txt", "a_2.txt", "b.txt"}
    (tmp_path / "out" / "a_9.txt").write_text("somebody's own")
    folder(a="people 1")
    run(place, made_up(suffixed=True))
    assert set(contents(tmp_path / "out")) == {"a_0.txt", "a_9.txt", "b.txt"}


def test_a_killed_workers_file_is_done_again(tmp_path, folder, run):
    place = folder(a=f"once {tmp_path / 'seen'}", b="two")
    result = run(place, workers=2)
    assert (result.done, result.failed) == (2, {})
    assert (tmp_path / "seen").exists()
    assert contents(tmp_path / "out")["a.txt"].startswith("once")
    assert lines(tmp_path / "out")["a.json"]["workers_lost"] == 1


def test_results_do_not_depend_on_workers_shards_or_restarts(tmp_path, folder, run):
    place = folder(**{f"sub{number % 3}__x{number}": f"text {number}" for number in range(12)})
    run(place)
    run(place, output=tmp_path / "two", workers=2)
    for number in (1, 2, 3):
        result = run(place, output=tmp_path / "shards", shard=Shard(number, 3))
        assert f"12 (shard {number}/3)" in run.lines[0]
        assert result.manifest.name == f"manifest.{number}-of-3.jsonl"
    expected = contents(tmp_path / "out")
    assert len(expected) == 12
    assert contents(tmp_path / "two") == contents(tmp_path / "shards") == expected
    # One run takes over what the shards did.
    assert run(place, output=tmp_path / "shards").skipped == 12


def test_a_file_that_hangs_stops_nothing(tmp_path, folder, run):
    place = folder(a="one", b="hang", c="hang", d="slow 2", e="two")
    started = time.monotonic()
    # Both workers hang, one file takes longer than the limit but goes on.
    result = run(place, workers=2, file_timeout=1.5)
    assert time.monotonic() - started < 30
    assert contents(tmp_path / "out") == {"a.txt": "one 1", "d.txt": "slow 2 1", "e.txt": "two 1"}
    reason = "nothing happened for 1.5 s after detecting 7 of 100 (--file_timeout)"
    assert result.failed == {"b.json": reason, "c.json": reason}
    held = lines(tmp_path / "out")
    assert (held["b.json"]["status"], held["b.json"]["error"]) == ("failed", reason)
    assert sum("b.json failed" in line for line in run.lines) == 1
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
def test_a_pipe_among_the_files_is_not_waited_for(tmp_path, folder, run):
    place = folder(a="one", sub__b="two")
    for name in ("pipe.mp4", "pipe.json", "sub/pipe.json"):
        os.mkfifo(place / name)
    result = run(place)
    assert contents(tmp_path / "out") == {"a.txt": "one 1", "sub/b.txt": "two 1"}
    assert set(result.failed) == {"pipe.mp4", "pipe.json", "sub/pipe.json"}
    assert result.failed["pipe.mp4"] == f"{place / 'pipe.mp4'}: is no file, but a pipe, a socket or a device"


def test_two_runs_in_one_folder(tmp_path, folder, run):
    place, out = folder(a="one", b="two"), tmp_path / "out"
    out.mkdir()

    def refused(**settings):
        with pytest.raises(Pose3DError, match=r"is in use by process .* give another --output_dir"):
            run(place, **settings)

    first = FolderLock(out, log=lambda line: None)
    refused()
    refused(shard=Shard(1, 2))
    first.release()
    held = FolderLock(out, "3 shards of x", part="1-of-3", log=lambda line: None)
    refused()
    refused(shard=Shard(2, 3))
    FolderLock(out, "3 shards of x", part="2-of-3", log=lambda line: None).release()
    held.release()
    assert run(place).signal is None


def test_places_that_would_mix_inputs_and_results(tmp_path, folder, run):
    place = folder(a="one")
    with pytest.raises(Pose3DError, match="is the folder that is read; name another"):
        run(place, output=place)
    with pytest.raises(Pose3DError, match="the folder that is read lies in it"):
        run(place, output=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(Pose3DError, match="is a file, expected a folder to write into"):
        run(place, output=tmp_path / "file")
    # Inside is fine: it is left out.
    assert run(place, output=place / "out").done == 1
    result = run(place, output=place / "out")
    assert (result.done, result.skipped) == (0, 1)
    assert run.lines[0] == f"{place}: left out, as it holds results of such a run: out"


def test_numbers_that_make_no_sense(folder, run):
    place = folder(a="one")
    for name in ("workers", "threads"):
        with pytest.raises(Pose3DError, match=f"--{name} 0: expected 1 or more"):
            run(place, **{name: 0})
    for seconds in (0, -1, float("nan")):
        with pytest.raises(Pose3DError, match=r"--file_timeout .*: expected seconds, more than 0"):
            run(place, file_timeout=seconds)
    with pytest.raises(Pose3DError, match="--engine slurm: expected processes or ray"):
        run(place, engine="slurm")


def test_lifters_that_cannot_be_made_end_the_run(tmp_path, folder, run, made_up):
    place = folder(a="one", b="two")
    with pytest.raises(Pose3DError, match=r"^no such weights$"):
        run(place, made_up(unable="no such\nweights"), workers=2)
    with pytest.raises(Pose3DError, match="workers end before they are ready: killed by SIGKILL"):
        run(place, made_up(stillborn=True))
    assert contents(tmp_path / "out") == {}
    assert not list((tmp_path / "out").glob(".run*"))


def test_a_full_disk_ends_the_run_in_one_line(tmp_path, folder, run):
    place = folder(a="one", b="full", c="three")
    with pytest.raises(Pose3DError, match=r"out: the disk is full; 1 file done, and the same command"):
        run(place)
    assert contents(tmp_path / "out") == {"a.txt": "one 1"}
    folder(b="two")
    assert (run(place).done, contents(tmp_path / "out")["b.txt"]) == (2, "two 1")


def test_a_file_that_changes_while_it_is_read(tmp_path, folder, run):
    place = folder(a="slow 0.6")
    timer = threading.Timer(0.5, lambda: (place / "a.json").write_text("slow 0.5 "))
    lines_seen = []

    def log(line):
        lines_seen.append(line)
        if "to lift into" in line:
            timer.start()

    result = run(place, log=log)
    timer.join()
    if result.failed:
        assert result.failed == {"a.json": "it changed while it was read: start again"}
        assert run(place).done == 1
    assert contents(tmp_path / "out") == {"a.txt": "slow 0.5  1"}


def test_a_file_that_goes_away(folder, run):
    place = folder(a="one")
    os.symlink(place / "nothing", place / "gone.json")
    result = run(place)
    assert result.done == 1
    assert "gone.json: No such file or directory" in result.failed["gone.json"]


def test_names_in_any_encoding(tmp_path, folder, run):
    place = folder(a="one")
    for name in (b"\xff.json", b"new\nline.json", "\u8d70.json".encode()):
        (place / os.fsdecode(name)).write_text("fail" if name.startswith(b"\xff") else "two")
    result = run(place)
    assert (result.done, list(result.failed)) == (3, ["\udcff.json"])
    for line in run.lines:
        line.encode()
    assert any(r"\udcff.json failed" in line for line in run.lines)
    assert set(contents(tmp_path / "out")) == {"a.txt", "new\nline.txt", "\u8d70.txt"}
    assert run(place).skipped == 3


@pytest.mark.parametrize(
    "damage",
    [
        {"settings": ["s"]},
        {"outputs": ["a.txt"]},
        {"outputs": {"a.txt": 1}},
        {"outputs": {"\0": {"bytes": 1}}},
        {"outputs": {"../mine.txt": {"bytes": 4}}},
        {"outputs": {"/etc/hostname": {"bytes": 4}}},
        {"input": "now"},
        {"version": None},
        {"status": {}},
        {"stem": 3},
    ],
)
def test_a_manifest_that_somebody_changed(tmp_path, folder, run, damage):
    """Nothing is skipped for it, and nothing outside the folder is touched."""
    place = folder(a="one")
    run(place)
    (tmp_path / "mine.txt").write_text("mine")
    line = lines(tmp_path / "out")["a.json"]
    with (tmp_path / "out" / "manifest.jsonl").open("a") as file:
        file.write(json.dumps({**line, **damage, "time": "2999-01-01T00:00:00Z"}) + "\n")
    # Of a damaged line the one before counts.
    skipped = 1 if {"settings", "version", "status", "stem"} & damage.keys() else 0
    assert run(place).skipped == skipped
    assert run(place).skipped == 1
    assert contents(tmp_path / "out") == {"a.txt": "one 1"}
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_killed_runs_left_is_removed(tmp_path, folder, run):
    place = folder(a="one")
    for part in ("all", "1-of-2", "2-of-2"):
        (tmp_path / "out" / f".lifting-{part}-abc" / "1").mkdir(parents=True)
    run(place, shard=Shard(1, 2))
    left = {path.name for path in (tmp_path / "out").glob(".lifting*")}
    assert left == {".lifting-all-abc", ".lifting-2-of-2-abc"}
    run(place)
    assert not list((tmp_path / "out").glob(".lifting*"))


def test_a_signal_ends_the_run_and_the_next_goes_on(tmp_path, folder, run):
    place = folder(a="one", b="slow 20", c="three")
    timer = threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.start()
    start = time.monotonic()
    result = run(place)
    assert time.monotonic() - start < 15
    assert (result.signal, result.left) == (signal.SIGTERM, 2)
    assert contents(tmp_path / "out") == {"a.txt": "one 1"}
    assert not list((tmp_path / "out").glob(".lifting*"))
    folder(b="two")
    assert run(place).done == 2
