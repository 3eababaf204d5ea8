"""Every reader of files from elsewhere: of changed files it says what they say, or refuses them in one line.

`tools/fuzz.py` does the same for any time, and watches memory; docs/reliability.md has its table.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzzing.mutations import mutated, restructured  # noqa: E402
from fuzzing.reader import Reader, Trial  # noqa: E402
from fuzzing.table import READERS  # noqa: E402

# Files per reader; slow readers get their share of them.
FILES = 40


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_changed_files_are_read_or_refused(reader, tmp_path, capfd):
    trial = Trial(reader, tmp_path / "trial")

    @settings(
        max_examples=max(4, round(FILES * reader.share)),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def one_file(draw):
        column, said = trial.run(draw)
        assert column in ("accepted", "refused"), said

    one_file()


def _text_reader(read, wrong=lambda value, path: ""):
    def make(folder):
        (folder / "x.txt").write_text("".join(f"number {n}\n" for n in range(30)))
        return folder / "x.txt"

    return Reader("text", make, read, wrong)


def columns(reader, folder, files=40):
    trial = Trial(reader, folder)
    return {trial.run(random.Random(number))[0] for number in range(files)}


def test_what_is_no_refusal_is_told(tmp_path):
    """The trials themselves can fail: a traceback, a message without the file, a wrong value, a warning."""

    def careless(path):
        return [int(line.split()[1]) for line in path.read_text().splitlines()]

    def silent(path):
        try:
            return careless(path)
        except (ValueError, IndexError):
            raise Pose3DError("something is wrong") from None

    def forgiving(path):
        return [int(word) for word in path.read_bytes().split() if word.isdigit() and len(word) < 9]

    def warning(path):
        if path.read_text().startswith("number 0\nnumber 1\n") and len(path.read_bytes()) > 250:
            return np.float32(1)
        return np.float64(1e300).astype("f4")

    assert "traceback" in columns(_text_reader(careless), tmp_path / "careless")
    assert columns(_text_reader(silent), tmp_path / "silent") == {"accepted", "wrong"}
    reader = _text_reader(forgiving, lambda value, path: "" if value == list(range(30)) else "other numbers")
    assert "wrong" in columns(reader, tmp_path / "forgiving")
    assert "traceback" in columns(_text_reader(warning), tmp_path / "warning", 200)
    with pytest.raises(ValueError, match="the unchanged sample is not accepted"):
        Trial(_text_reader(lambda path: 1 / 0), tmp_path / "never")


def test_a_reader_that_shifts_joints_is_caught(tmp_path):
    reader = next(one for one in READERS if one.name == "COCO results")
    path = reader.make(tmp_path)
    video = reader.read(path)
    assert reader.wrong(video, path) == ""
    points = video.people[0].keypoints
    points[:, 1:] = points[:, :-1].copy()
    assert "nowhere in the file" in reader.wrong(video, path)


def test_changes_are_drawn_from_the_seed_alone(tmp_path):
    for reader in READERS[:30:7]:
        path = reader.make(tmp_path)
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        content = files[0].read_bytes()
        several = [mutated(content, random.Random(seed)) for seed in range(6)]
        assert several == [mutated(content, random.Random(seed)) for seed in range(6)]
        assert len(set(several)) > 3


def test_a_change_of_structure_leaves_the_rest():
    before = {"a": [1, 2, [3, 4]], "b": {"c": np.arange(3.0)}}
    for seed in range(50):
        value = {"a": [1, 2, [3, 4]], "b": {"c": np.arange(3.0)}}
        after = restructured(value, random.Random(seed))
        if isinstance(after, dict):
            assert after.keys() & before.keys()


@pytest.mark.slow
def test_the_program(tmp_path):
    command = [
        sys.executable,
        TOOLS / "fuzz.py",
        "--files",
        "60",
        "--readers",
        "COCO results,PyTorch",
        "--minutes",
        "5",
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "| reader | accepted | refused | traceback | over 10 s | over 1 GB | wrong |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "COCO results",
        "PyTorch, zip",
        "PyTorch, older form",
        "all",
    ]
