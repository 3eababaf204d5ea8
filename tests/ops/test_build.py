"""Building and finding the compiled library, and what is said where there is none."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tf_pose3d.ops import build, cache

REPOSITORY = Path(__file__).resolve().parents[2]
CONVOLVE = """
import logging, sys
import numpy as np
import tf_pose3d
assert "tensorflow" not in sys.modules
from tf_pose3d.ops import deform_conv2d
from tf_pose3d.ops.deform_conv.compiled import OPERATION
y = deform_conv2d(*(np.ones(shape, "f4") for shape in ((1, 3, 3, 1), (1, 3, 3, 2), (1, 1, 1, 1))))
print(OPERATION.serves(), float(y[0, 0, 0, 0]))
"""


def run(code, folder, **environment):
    """Run code in a fresh interpreter, in a folder that holds no copy of the package."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        check=False,
        timeout=120,
        cwd=folder,
    )


def test_reference_mode_loads_nothing(tmp_path):
    result = run(CONVOLVE, tmp_path, TF_POSE3D_OPS="reference")
    assert result.stdout.split() == ["False", "1.0"], result.stderr[-2000:]
    assert "tf_pose3d.ops" not in result.stderr


def test_without_a_compiler_one_line_says_so(tmp_path):
    package = tmp_path / "site"
    shutil.copytree(
        REPOSITORY / "tf_pose3d", package / "tf_pose3d", ignore=shutil.ignore_patterns("compiled")
    )
    places = {"PYTHONPATH": str(package), "XDG_CACHE_HOME": str(tmp_path), "PATH": "", "CXX": ""}
    result = run(CONVOLVE, tmp_path, **places)
    assert result.stdout.split() == ["False", "1.0"], result.stderr[-2000:]
    notices = [line for line in result.stderr.splitlines() if "tf_pose3d.ops" in line]
    assert len(notices) == 1
    assert "NOT COMPILED" in notices[0]
    assert "no C++ compiler found" in notices[0]
    required = run(CONVOLVE, tmp_path, **places, TF_POSE3D_OPS="require")
    assert required.returncode != 0
    assert "no C++ compiler found" in required.stderr.splitlines()[-1]


def test_unknown_mode_is_refused(tmp_path):
    result = run(CONVOLVE, tmp_path, TF_POSE3D_OPS="maybe")
    assert "TF_POSE3D_OPS: expected one of build, require, reference, got 'maybe'" in result.stderr


def test_two_builds_at_once_compile_once(tmp_path, monkeypatch):
    compiled = []

    def slow_compile(scratch, cuda, library):
        compiled.append(scratch)
        threading.Event().wait(0.2)
        (scratch / "library.so").write_text("built")
        return scratch / "library.so"

    monkeypatch.setattr(cache, "directories", lambda: (tmp_path / "package", tmp_path / "user"))
    monkeypatch.setattr(build, "_compile", slow_compile)
    results = []
    threads = [threading.Thread(target=lambda: results.append(build.build(cuda=False))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled) == 1
    assert {path.read_text() for path in results} == {"built"}
    assert [path.name for path in (tmp_path / "package").iterdir()] == [cache.library_name(cuda=False)]


def test_a_failing_compiler_is_one_line(tmp_path, monkeypatch, capsys):
    compiler = tmp_path / "cxx"
    compiler.write_text("#!/bin/sh\necho 'x.cc:1: error: no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr(cache, "directories", lambda: (tmp_path / "package", tmp_path / "user"))
    assert build.main(["--no-cuda"]) == 1
    assert capsys.readouterr().err == "cxx failed: x.cc:1: error: no such thing\n"
    assert not list((tmp_path / "package").iterdir())


def test_command_line_prints_the_library(compiled, capsys):
    assert build.main(["--no-cuda"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_wheels_carry_the_sources():
    setup = pytest.importorskip("tomllib").loads((REPOSITORY / "pyproject.toml").read_text())
    patterns = setup["tool"]["setuptools"]["package-data"]["*"]
    optional = [path for library in cache.OPTIONAL_LIBRARIES for path in cache.sources(library)]
    assert optional
    for path in (*cache.INCLUDE.iterdir(), *cache.sources(), *optional):
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path


def test_gpu_targets_are_those_that_the_compiler_knows(tmp_path):
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("#!/bin/sh\nprintf 'sm_75\\nsm_90\\nsm_100\\nsm_120\\n'\n")
    nvcc.chmod(0o755)
    assert build.gpu_targets(str(nvcc)) == [
        "-gencode=arch=compute_75,code=sm_75",
        "-gencode=arch=compute_90,code=sm_90",
        "-gencode=arch=compute_100,code=sm_100",
        "-gencode=arch=compute_100,code=compute_100",
    ]
