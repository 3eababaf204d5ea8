"""Modules that are named by strings keep the order of the rooms, which import-linter cannot see.

pyproject.toml holds the order; import-linter holds all `import` statements to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "tf_pose3d"
# Tables of modules that are imported when first asked for, and the package's public names.
TABLES = {
    "__init__.py",
    "cli/releases/__init__.py",
    "data/calibration/formats/__init__.py",
    "data/datasets.py",
    "evaluation/protocols/__init__.py",
    "inference/detectors/detector.py",
    "inference/formats/__init__.py",
    "inference/motion_readers/__init__.py",
    "inference/writers/__init__.py",
    "models/family.py",
    "weights/convert.py",
}
# Ways to import a module by its name; resources and find_spec of importlib import nothing of ours.
IMPORTERS = {"import_module", "__import__", "reload", "exec_module", "spec_from_file_location"}


def rooms() -> list[set[str]]:
    """The layers of pyproject.toml, highest first; those of the last line lie side by side."""
    text = (REPOSITORY / "pyproject.toml").read_text()
    layers = re.search(r"^layers = \[\n(.*?)^\]", text, re.M | re.S)
    assert layers is not None
    return [set(line.split(" : ")) for line in re.findall(r'"([^"]+)"', layers[1])]


def height(room: str) -> int:
    """0 for the base; raises where a room has no layer."""
    order = rooms()
    (found,) = [number for number, names in enumerate(order) if room in names]
    return len(order) - 1 - found


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def named_modules(tree: ast.Module) -> set[str]:
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    texts = {text for text in texts if isinstance(text, str)}
    return {text for text in texts if re.fullmatch(r"tf_pose3d(\.\w+)+(:\w+)?", text)}


def test_every_room_has_a_layer_and_every_layer_a_room():
    there = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    there |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert set().union(*rooms()) == there


def test_only_the_tables_import_by_name():
    found = set()
    for name, tree in sources():
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("importlib"):
                used |= {alias.name for alias in node.names}
        if used & IMPORTERS:
            found.add(name)
    assert found <= TABLES
    assert {"models/family.py", "inference/formats/__init__.py"} <= found


def test_what_the_tables_name_lies_no_higher_than_they():
    count = 0
    for name, tree in sources():
        if name == "__init__.py":
            continue  # the package's public names come from every room
        room = name.partition("/")[0].removesuffix(".py")
        for text in named_modules(tree):
            assert height(text.split(".")[1].partition(":")[0]) <= height(room), (name, text)
            count += 1
    assert count > 30


def test_what_the_tables_name_exists():
    for name, tree in sources():
        for text in named_modules(tree):
            module, _, attribute = text.partition(":")
            place = REPOSITORY.joinpath(*module.split("."))
            path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            assert path.exists(), (name, text)
            if attribute:
                defined = rf"^(class {attribute}\b|def {attribute}\b|{attribute}\b.* = )"
                assert re.search(defined, path.read_text(encoding="utf-8"), re.M), (name, text)
