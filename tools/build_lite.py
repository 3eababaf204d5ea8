"""Builds tf-pose3d-lite: the same package without TensorFlow and Keras among its dependencies.

`tf-pose3d-inference` and `tf_pose3d.load()` lift there with the shipped lifters, and with any weights that
`tools/export.py` exported; what needs TensorFlow says so, and how to install it. An extra cannot take a
dependency away, so that this is a distribution of its own, made of this tree.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
NAME = "tf-pose3d-lite"
# Dependencies of the whole that become the extra `tensorflow`.
HEAVY = ("absl-py", "keras", "tensorboard", "tensorflow")
# Extras that are no use without TensorFlow, or that are for developing.
LEFT_OUT = ("cuda", "docs", "onnx", "test")
PARTS = ("tf_pose3d", "config", "tools")
FILES = ("setup.py", "README.md", "LICENSE")


def lite_project(text: str) -> str:
    """The `pyproject.toml` of the distribution, of the whole's.

    Args:
        text: Of the whole's.

    Raises:
        ValueError: The file is laid out in another way than this knows.
    """
    name = 'name = "tf_pose3d"'
    found = re.search(r"^dependencies = \[\n((?:    .+\n)+)\]\n", text, re.M)
    if name not in text or found is None or "[project.optional-dependencies]\n" not in text:
        raise ValueError("pyproject.toml: no name, dependencies or extras as this tool expects them")
    lines = found[1].splitlines()
    names = [re.match(r'\s*"([\w-]+)', line) for line in lines]
    # A library may have a line for each version of Python, and comments stand between.
    heavy = [line for line, name in zip(lines, names, strict=True) if name and name[1] in HEAVY]
    if {name[1] for name in names if name} & set(HEAVY) != set(HEAVY):
        raise ValueError(f"pyproject.toml: expected {', '.join(HEAVY)} among the dependencies")
    light = [line for line in lines if line not in heavy]
    text = text.replace(name, f'name = "{NAME}"')
    text = text.replace(found[0], "\n".join(["dependencies = [", *light, "]", ""]))
    extra = "\n".join(["tensorflow = [", *heavy, "]", ""])
    text = text.replace("[project.optional-dependencies]\n", f"[project.optional-dependencies]\n{extra}")
    for unwanted in LEFT_OUT:
        text, count = re.subn(rf"^{unwanted} = \[(?:[^\n]*\]|\n(?:    .+\n)+\])\n", "", text, flags=re.M)
        if count != 1:
            raise ValueError(f"pyproject.toml: expected one extra {unwanted}")
    return text.replace(", in TensorFlow and Keras 3", ", lifted without TensorFlow")


def build(folder: Path, isolated: bool = True) -> Path:
    """Builds the wheel.

    Args:
        folder: Where to put it.
        isolated: Let pip fetch setuptools for the build; False: take the installed one.

    Returns:
        Its path.

    Raises:
        subprocess.CalledProcessError: pip cannot build it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        # A copy, as setuptools builds in place.
        tree = Path(temporary) / "tree"
        for part in PARTS:
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.o")
            shutil.copytree(REPOSITORY / part, tree / part, ignore=ignored)
        for file in FILES:
            shutil.copy(REPOSITORY / file, tree)
        project = lite_project((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
        (tree / "pyproject.toml").write_text(project, encoding="utf-8")
        made = Path(temporary) / "made"
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
        command += [] if isolated else ["--no-build-isolation"]
        subprocess.run([*command, "-w", str(made), str(tree)], check=True)
        (wheel,) = made.glob("*.whl")
        return Path(shutil.copy(wheel, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="dist", metavar="DIR", help="folder of the wheel (default: dist)")
    parser.add_argument(
        "--no_build_isolation", action="store_true", help="build with the setuptools that is installed"
    )
    given = parser.parse_args()
    print(f"wrote {build(Path(given.out), not given.no_build_isolation)}")


if __name__ == "__main__":
    main()
