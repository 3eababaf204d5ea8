"""Hints about optional libraries: each is a command that works from a clone, for an extra that exists."""

import re
import sys
from pathlib import Path

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import (
    install_command,
    require_av,
    require_extra,
    require_matplotlib,
    require_pillow,
)

ROOT = Path(__file__).parents[1]
PLACES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("t*/**/*.py")]


def declared_extras():
    """Names of the extras in pyproject.toml; Python 3.10 has no reader of TOML."""
    text = (ROOT / "pyproject.toml").read_text()
    section = re.search(r"^\[project\.optional-dependencies\]\n(.*?)^\[", text, re.M | re.S)[1]
    return set(re.findall(r"^(\w+) = ", section, re.M))


def test_the_command_is_the_one_that_the_readme_gives():
    assert install_command("test") == 'pip install ".[test]"'
    assert install_command("test") in (ROOT / "README.md").read_text()
    assert install_command("onnx", "render") == 'pip install ".[onnx,render]"'


def test_every_hint_names_an_extra_that_exists():
    # The distribution without TensorFlow has an extra that brings it.
    assert '"tensorflow = ["' in (ROOT / "tools" / "build_lite.py").read_text()
    known, hints = {*declared_extras(), "tensorflow"}, 0
    for path in PLACES:
        text = path.read_text(encoding="utf-8")
        # There is no project of this name on an index.
        assert not re.search(r"pip install '?\"?tf_pose3d\[[a-z]", text), path
        found = re.findall(r"pip install '?\"?\.\\?\[([a-z,]+)\\?\]", text)
        found += re.findall(r"install_command\(['\"](\w+)['\"]\)", text)
        found += re.findall(r"require_extra\(\"[^\"]+\", \"[^\"]+\", \"(\w+)\"", text)
        for names in found:
            assert set(names.split(",")) <= known, (path, names)
        hints += len(found)
    assert hints > 15


@pytest.mark.parametrize(
    ("module", "require", "extra"),
    [
        ("PIL", require_pillow, "render"),
        ("av", require_av, "render"),
        ("matplotlib", require_matplotlib, "plots"),
    ],
)
def test_a_missing_library_is_named_with_its_command(monkeypatch, module, require, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Pose3DError, match=rf'which is not installed: pip install "\.\[{extra}\]"$'):
        require()


def test_a_library_that_is_there():
    require_extra("numpy", "NumPy", "test", "this test")
