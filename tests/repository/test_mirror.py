"""tests/ mirrors the package: tests/data/test_windows.py tests tf_pose3d/data/windows.py."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# What concerns several rooms: whole programs, families of one kind, the repository itself.
ACROSS = ("programs", "families", "repository")
# What concerns all of a room.
WHOLE_ROOM = {
    "models/test_other_backends.py",
    "ops/test_op_contexts.py",
    "ops/test_sanitizers.py",
    "ops/test_transformer_kernels.py",
}


def test_every_test_file_names_a_module_or_folder():
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        name = path.relative_to(REPOSITORY / "tests")
        if name.parts[0] in ACROSS or name.as_posix() in WHOLE_ROOM:
            continue
        room = REPOSITORY / "tf_pose3d" / name.parent
        tested = path.stem.removeprefix("test_")
        found = [*room.rglob(f"{tested}.py"), *(place for place in room.rglob(tested) if place.is_dir())]
        assert found or tested == room.name, f"tests/{name}: tf_pose3d/{name.parent} has no {tested}"


def test_what_concerns_a_whole_room_is_there():
    for name in WHOLE_ROOM:
        assert (REPOSITORY / "tests" / name).exists(), name
