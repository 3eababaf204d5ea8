"""Folder runs on a Ray cluster of this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder.run import run_folder

REPOSITORY = Path(__file__).resolve().parents[3]


def test_without_ray_the_command_that_installs_it_is_said(tmp_path, folder, made_up, monkeypatch):
    # What stands for a module in sys.modules is not looked for elsewhere.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    place = folder(a="one")
    with pytest.raises(
        Pose3DError, match=r'^--engine ray needs Ray, which is not installed: pip install "\.\[ray\]"$'
    ):
        run_folder(made_up(), place, tmp_path / "out", engine="ray", log=lambda line: None)


def test_a_cluster_that_is_not_there(tmp_path, folder, made_up, monkeypatch):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        for given in (address, f"ray://{address}"):
            monkeypatch.setenv("RAY_ADDRESS", given)
            with pytest.raises(
                Pose3DError, match=f"^--engine ray: no cluster answers at RAY_ADDRESS {given}: "
            ):
                run_folder(made_up(), folder(a="one"), tmp_path / "out", engine="ray", log=lambda line: None)
    assert not list((tmp_path / "out").glob(".*"))


@pytest.fixture
def cluster(monkeypatch):
    """Two processors."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def texts(folder):
    return {path.name: path.read_text() for path in folder.glob("*.txt")}


@pytest.mark.slow
def test_killed_actors_files_are_done_again(tmp_path, folder, made_up, cluster):
    """One actor kills itself, another is killed from outside, one file kills whoever takes it."""
    seen = tmp_path / "seen"
    files = {f"x{number}": f"slow 0.3 {number}" for number in range(8)}
    files |= {"a": f"once {tmp_path / 'once'}", "b": f"pid {seen}", "c": "fail", "d": "die"}
    place = folder(**files)

    def kill():
        deadline = time.monotonic() + 120
        while not (seen.exists() and seen.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(int(seen.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    said = []
    result = run_folder(
        made_up(), place, tmp_path / "out", workers=2, engine="ray", log=said.append, warn=said.append
    )
    killer.join()
    assert result.done == 10, said
    assert set(result.failed) == {"c.json", "d.json"}
    assert "3 workers died of it" in result.failed["d.json"]
    held = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    lost = {line["file"]: line.get("workers_lost", 0) for line in held if "file" in line}
    assert (lost["a.json"], lost["b.json"], lost["d.json"]) == (1, 1, 3)
    (tmp_path / "once").unlink()
    alone = run_folder(made_up(), place, tmp_path / "alone", log=said.append, warn=said.append)
    assert alone.done == 10
    assert texts(tmp_path / "out") == texts(tmp_path / "alone")
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.slow
def test_a_file_that_hangs_stops_nothing(tmp_path, folder, made_up, cluster):
    place = folder(a="one", b="hang", c="hang", d="slow 12", e="two")
    said = []
    result = run_folder(
        made_up(),
        place,
        tmp_path / "out",
        workers=2,
        engine="ray",
        file_timeout=8,
        log=said.append,
        warn=said.append,
    )
    # An actor is asked now and then how far it is: the first steps may come late, but are no standstill.
    assert texts(tmp_path / "out") == {"a.txt": "one 1", "d.txt": "slow 12 1", "e.txt": "two 1"}, said
    reason = "nothing happened for 8 s after detecting 7 of 100 (--file_timeout)"
    assert result.failed == {"b.json": reason, "c.json": reason}


@pytest.mark.slow
def test_lifters_that_cannot_be_made_end_the_run(tmp_path, folder, made_up, cluster):
    place = folder(a="one")
    for task, message in (
        (made_up(unable="no such\nweights"), r"^no such weights$"),
        (made_up(stillborn=True), r"^Ray's actors end before they are ready: "),
    ):
        with pytest.raises(Pose3DError, match=message):
            run_folder(task, place, tmp_path / "out", engine="ray", log=lambda line: None)


@pytest.mark.slow
def test_the_program_gives_the_same_bytes_as_with_processes(tmp_path):
    pytest.importorskip("ray")
    place = tmp_path / "in"
    place.mkdir()
    code = (
        "import sys, numpy as np; from tf_pose3d.data.synthetic import synthetic_sequences as make\n"
        "for k, s in enumerate(make(['S9'], frames=60, skeleton='h36m_17')[:3]):\n"
        "    np.savez(f'{sys.argv[1]}/{k}.npz', keypoints=s.pose_2d, layout='h36m_17', fps=50,"
        " width=s.camera.width, height=s.camera.height)\n"
    )
    subprocess.run([sys.executable, "-c", code, place], check=True, cwd=REPOSITORY)
    found = []
    for engine in ("processes", "ray"):
        out = tmp_path / engine
        command = [sys.executable, REPOSITORY / "inference.py", "--input", place, "--output_dir", out]
        done = subprocess.run(
            [*command, "--workers", "2", "--engine", engine], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        found.append({path.name: path.read_bytes() for path in out.glob("*.npz")})
    assert len(found[0]) == 3
    assert found[0] == found[1]
