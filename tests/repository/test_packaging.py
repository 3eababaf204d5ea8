"""What `pip install .` brings along: every module, config and tool, found from any folder."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[2]
# Folder of a clone -> (pattern, folder of the wheel).
PARTS = {"tf_pose3d": ("**/*", "tf_pose3d"), "config": ("*.json", "tf_pose3d/configs")}
PARTS["tools"] = ("*.py", "tf_pose3d/tools")
# The one folder of tools that has other modules to import.
WITHIN = {"tools/fuzzing": ("*.py", "tf_pose3d/tools/fuzzing")}
LEAVINGS = {".pyc", ".so", ".o"}

LIST_FILES = """
import setuptools
import json
from distutils.core import run_setup
distribution = run_setup("setup.py", stop_after="config")
# The patterns alone count, not what an earlier build noted.
distribution.include_package_data = False
command = distribution.get_command_obj("build_py")
command.build_lib = "."
command.ensure_finalized()
print(json.dumps(command.get_outputs(include_bytecode=False)))
"""


def run(*command, **settings):
    process = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=600, **settings
    )
    assert process.returncode == 0, (command, process.stdout[-2000:], process.stderr[-2000:])
    return process.stdout


def test_every_file_lands_in_the_package():
    expected = set()
    for folder, (pattern, place) in {**PARTS, **WITHIN}.items():
        for path in (REPOSITORY / folder).glob(pattern):
            if path.is_file() and path.suffix not in LEAVINGS:
                expected.add(f"{place}/{path.relative_to(REPOSITORY / folder).as_posix()}")
    assert {"tf_pose3d/configs/quickstart.json", "tf_pose3d/tools/gendb.py"} < expected
    listed = json.loads(run(sys.executable, "-c", LIST_FILES, cwd=REPOSITORY).splitlines()[-1])
    assert {Path(file).as_posix() for file in listed} == expected


def test_every_program_exists():
    text = (REPOSITORY / "pyproject.toml").read_text()
    programs = re.findall(r'^tf-pose3d-(\w+) = "(tf_pose3d[\w.]+):(\w+)"$', text, re.M)
    assert {name for name, _, _ in programs} == {
        "train",
        "eval",
        "inference",
        "convert",
        "export",
        "prepare",
        "calibrate",
        "detector",
        "run",
    }
    for name, module, function in programs:
        text = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py").read_text()
        assert f"\ndef {function}(arguments: Sequence[str] | None = None) -> int:\n" in text, name


def test_the_distribution_without_tensorflow():
    namespace = runpy.run_path(str(REPOSITORY / "tools" / "build_lite.py"))
    text = (REPOSITORY / "pyproject.toml").read_text()
    whole, lite = (tomllib.loads(one)["project"] for one in (text, namespace["lite_project"](text)))
    assert lite["name"] == "tf-pose3d-lite"
    heavy = set(whole["dependencies"]) - set(lite["dependencies"])
    assert {re.match("[a-z-]+", package)[0] for package in heavy} == set(namespace["HEAVY"])
    assert set(lite["optional-dependencies"]["tensorflow"]) == heavy
    assert {"lite", "litert", "render", "video"} < lite["optional-dependencies"].keys()
    assert lite["scripts"] == whole["scripts"]
    with pytest.raises(ValueError, match="no name, dependencies or extras"):
        namespace["lite_project"](text.replace("dependencies = [", "requires = ["))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with the wheel; what the package needs comes from the present one."""
    folder = tmp_path_factory.mktemp("installed")
    # A copy: setuptools builds in place, and what an earlier build left there would come along.
    clone = folder / "clone"
    for name in PARTS:
        shutil.copytree(REPOSITORY / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, clone)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, clone)
    shutil.rmtree(clone)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "-q", "--no-deps", *folder.glob("*.whl"))
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Behind the environment's own packages, and without the links of editable installs.
    (Path(site) / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def elsewhere(installed, tmp_path):
    """Runs a command of the virtual environment in an empty folder, and gives what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def start(program, *arguments):
        return run(installed.parent / program, *arguments, cwd=tmp_path, env=environment)

    return start


@pytest.mark.slow
def test_an_installed_package_works_in_any_folder(elsewhere, installed, tmp_path):
    code = "import tf_pose3d; print(tf_pose3d.__file__, tf_pose3d.load_config('quickstart').ARCH)"
    where, arch = elsewhere("python", "-c", code).split()
    assert Path(where).is_relative_to(installed.parents[1])
    assert arch == "UpliftUpsampleTransformer"
    steps = ["--set", "STEPS_PER_EPOCH=2", "--set", "EPOCHS=1", "--val_subset", "none"]
    elsewhere("tf-pose3d-train", "--config", "quickstart", "--out_dir", "run", *steps)
    weights = "run/checkpoints/last"
    assert "MPJPE" in elsewhere("tf-pose3d-eval", "--weights", weights)
    elsewhere("tf-pose3d-inference", "--demo", "--output", "demo.npz")
    elsewhere("tf-pose3d-export", "--weights", weights, "--format", "saved_model", "--out", "served")
    assert (tmp_path / "demo.npz").exists()
    assert (tmp_path / "served" / "saved_model.pb").exists()
    assert "checkpoint" in elsewhere("tf-pose3d-convert", "--help")
    for name in ("h36m", "humaneva", "lcn", "multiview"):
        assert name in elsewhere("tf-pose3d-prepare", "--help")
        assert "show this help" in elsewhere("tf-pose3d-prepare", name, "--help")


@pytest.mark.slow
@pytest.mark.parametrize("tool", sorted(path.stem for path in (REPOSITORY / "tools").glob("*.py")))
def test_installed_tools_start(elsewhere, tool):
    if tool.endswith("_baseline"):
        pytest.importorskip("torch")
    if tool.endswith(("_baseline", "_writers", "_networks", "_works", "_ours", "_originals")):
        # Tools put their own folder on the path.
        code = "import sys, tf_pose3d.tools as tools; sys.path[:0] = list(tools.__path__)"
        elsewhere("python", "-c", f"{code}; import {tool}")
    else:
        assert "usage:" in elsewhere("python", "-m", f"tf_pose3d.tools.{tool}", "--help")
