"""The comparison of trainings: what is finished is kept, and what is of other settings is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


class Stopped(Exception):
    pass


@pytest.fixture
def compare(monkeypatch, tmp_path):
    """Runs the program with drawn trainings: `compare(*flags, stop=seed)` gives the seeds trained."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import compare_training

    for name in ("data_3d_h36m.npz", "data_2d_h36m_gt.npz"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "model").mkdir()
    (tmp_path / "model/MotionAGFormer.py").touch()
    monkeypatch.setattr(compare_training, "read_clips", lambda *_: None)

    def run(*flags, stop=None):
        trained = []

        def train(seed, arguments, folder, tests):
            if seed == stop:
                raise Stopped
            trained.append(seed)
            draws = np.random.default_rng(seed)
            return compare_training.Seed(draws.random((arguments.steps, 2)), 40 + draws.random(2))

        monkeypatch.setattr(compare_training, "train", train)
        common = ["--original", f"MotionAGFormer={tmp_path}", "--data", str(tmp_path), "--keypoints", "gt"]
        monkeypatch.setattr(sys, "argv", ["compare_training.py", *common, "--parts", "2", *flags])
        compare_training.main()
        return trained

    return run


def test_a_run_goes_on_with_the_next_seed_and_its_table_is_of_all(compare, tmp_path, capsys):
    def table():
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith(("|", "+"))]

    flags, out = ["--steps", "4", "--seeds", "3"], tmp_path / "curves.csv"
    assert compare(*flags, "--out", str(tmp_path / "whole.csv")) == [0, 1, 2]
    whole = table()
    with pytest.raises(Stopped):
        compare(*flags, "--out", str(out), stop=1)
    assert [line.split(",")[:2] for line in out.read_text().splitlines()[2:]] == [
        *(["0", str(step)] for step in (1, 2, 3, 4)),
        ["0", "test"],
    ]
    capsys.readouterr()
    assert compare(*flags, "--out", str(out)) == [1, 2]
    assert table() == whole
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert compare(*flags, "--out", str(out)) == []
    assert table() == whole
    # More seeds of the same settings are a longer run of the same.
    assert compare("--steps", "4", "--seeds", "4", "--out", str(out)) == [3]
    assert not list(tmp_path.glob(".*.tmp*"))


def test_a_file_of_other_settings_is_refused(compare, tmp_path):
    flags = ["--steps", "4", "--seeds", "1", "--out", str(tmp_path / "curves.csv")]
    compare(*flags)
    with pytest.raises(SystemExit, match=r"other settings: steps 4 there, 5 here; name another"):
        compare(*flags, "--steps", "5")
    with pytest.raises(SystemExit, match=r"clips 16 there, 2 here; test_clips None there, 8 here"):
        compare(*flags, "--clips", "2", "--test_clips", "8")
    (tmp_path / "data_3d_h36m.npz").write_bytes(b"other poses")
    with pytest.raises(SystemExit, match=r"data \{'data_3d_h36m': '\w+', .*\} there"):
        compare(*flags)


@pytest.mark.parametrize("change", ["", "one line", "cut", "old"])
def test_what_is_not_its_own_file_is_refused_and_kept(compare, tmp_path, change):
    out = tmp_path / "curves.csv"
    flags = ["--steps", "4", "--seeds", "1", "--out", str(out)]
    compare(*flags)
    lines = out.read_text().splitlines(keepends=True)
    text = {"": "", "one line": "pose\n", "cut": "".join(lines[:4]), "old": "".join(lines[1:])}[change]
    out.write_text(text)
    with pytest.raises(SystemExit, match="not a file that this program wrote"):
        compare(*flags)
    assert out.read_text() == text


def test_data_that_is_not_there_is_said_first(compare, tmp_path):
    (tmp_path / "data_2d_h36m_gt.npz").unlink()
    with pytest.raises(SystemExit, match=r"there is no .*data_2d_h36m_gt\.npz"):
        compare("--seeds", "1")
