"""The comparison with the original releases: its arithmetic, its messages, and one row without them."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return runpy.run_path(str(TOOLS / "benchmark_peers.py"))


@pytest.fixture
def originals(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import original_networks

    return original_networks


def clone(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_side_is_ahead_only_outside_the_spread(peers):
    slow, fast = [3.0, 3.1, 3.2, 3.3, 9.0], [1.0, 1.1, 1.2, 1.3, 8.0]
    assert peers["verdict"](fast, slow) == "ahead"
    assert peers["verdict"](slow, fast) == "behind"
    assert peers["verdict"]([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]) == "level"
    assert peers["quartiles"]([5.0, 1.0, 3.0]) == (2.0, 3.0, 4.0)


def test_every_row_has_a_config_and_the_same_inputs_twice(peers, originals):
    import numpy as np
    from peer_works import WORKS, inputs

    from tf_pose3d.models.loading import load_config

    for work in WORKS.values():
        assert load_config(work.config).ARCH
        assert work.original in originals.ORIGINALS
    work = WORKS["uplift-train-s20"]
    first, second = inputs(work), inputs(work)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    seen = first["stride_mask"][0]
    assert np.flatnonzero(seen).tolist() == list(range(3, 71, 4))


def test_products_of_a_training_step_are_counted(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import count_flops
    import tensorflow

    images, kernel = tensorflow.ones((2, 8, 8, 3)), tensorflow.ones((3, 3, 3, 5))
    rows, weights = tensorflow.ones((7, 6)), tensorflow.ones((6, 4))

    def step(images, kernel, rows, weights):
        with tensorflow.GradientTape() as tape:
            tape.watch([images, kernel, rows, weights])
            product = rows @ weights
            loss = tensorflow.reduce_sum(tensorflow.nn.conv2d(images, kernel, 1, "SAME") ** 2)
            loss += tensorflow.reduce_sum(product**2)
        return tape.gradient(loss, [images, kernel, rows, weights])

    convolution, product = 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3), 2 * 7 * 6 * 4
    assert count_flops.products_in(step, images, kernel, rows, weights) == 3 * (convolution + product)


def test_what_is_not_a_clone_is_said(originals, tmp_path):
    with pytest.raises(SystemExit, match="expected NAME=PATH"):
        originals.parse_originals([f"Nobody={tmp_path}"])
    with pytest.raises(SystemExit, match=r"no common/model.py in it.*facebookresearch/VideoPose3D"):
        originals.parse_originals([f"videopose3d={tmp_path}"])


def test_why_an_original_does_not_run_is_said(originals, tmp_path):
    assert "CUDA" in originals.obstacle("DenseWarper", tmp_path)
    assert "--original RIE=PATH" in originals.obstacle("RIE", None)
    assert "Block_lib.py and common/embedding.py" in originals.obstacle("EHFusion", tmp_path)
    clone(tmp_path, {"common/Block_lib.py": "", "common/embedding.py": ""})
    assert originals.obstacle("EHFusion", tmp_path) == ""


def test_source_is_changed_where_it_is_read_and_not_in_the_clone(originals, tmp_path):
    text = "class Layer:\n    def __init__(self):\n        self.nonlocal = 1\n"
    files = {"models/__init__.py": "", "models/sem_gcn.py": text, "models/other.py": "own = True\n"}
    folder = clone(tmp_path / "one", files)
    module = originals.original_module("SemGCN", folder)
    assert module.Layer().non_local == 1
    assert (folder / "models/sem_gcn.py").read_text() == text
    assert not list(folder.rglob("__pycache__"))
    # Another clone's package of the same name is not taken for this one's.
    other = clone(tmp_path / "two", {"models/__init__.py": "", "models/other.py": "own = False\n"})
    assert originals.original_module("HGCN", other, "models.other").own is False
    changed = clone(tmp_path / "three", {"models/__init__.py": "", "models/sem_gcn.py": "pass\n"})
    with pytest.raises(ImportError, match=r"no 'self\.nonlocal' in it"):
        originals.original_module("SemGCN", changed)


@pytest.mark.slow
def test_a_row_is_measured_and_written(tmp_path):
    command = [sys.executable, str(TOOLS / "benchmark_peers.py"), "--works", "martinez-64"]
    options = ["--rounds", "2", "--seconds", "0.01", "--alone", "--threads", "1", "--json"]
    done = subprocess.run(
        [*command, *options, tmp_path / "t.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this package" in done.stdout
    held = json.loads((tmp_path / "t.json").read_text())
    side = held["rounds"][0]["sides"]["ours"]
    # Weights of 32 x 1024, four of 1024 x 1024 and 1024 x 45, twice for each of 64 poses.
    assert side["flop"] == 2 * 64 * (32 * 1024 + 4 * 1024**2 + 1024 * 45)
    assert 1e9 < side["peak"] < 1e13
    times = held["rounds"][0]["times"]["ours"]
    assert len(times["wall"]) == 2
    assert all(0 < value < 1 for value in times["wall"])


def test_without_an_original_nothing_is_run(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOLS / "benchmark_peers.py"), "--works", "densewarper-train", "rie-train"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "densewarper-train: not measured" in done.stdout
    assert "rie-train: not measured: no clone given" in done.stdout
