"""tools/profile_lifting.py: every second and every product of a lifting has a place."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("profile_lifting", TOOLS / "profile_lifting.py")
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def test_the_tables_of_a_clip(tool, capsys):
    tool.report("quickstart", None, 4.0, None)
    text = capsys.readouterr().out
    tables: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[1] == "s":
            rows = tables[cells[0]] = []
        elif cells:
            rows.append(cells)
    shares = [float(row[2].rstrip("%")) for row in tables["operations"]]
    assert sum(shares) == pytest.approx(100, abs=1)
    # Of a clip that takes 30 ms the runtime's own is some per cent.
    others = [float(row[2].rstrip("%")) for row in tables["operations"] if row[0] == tool.OTHER]
    assert sum(others) < 5
    # The same products, by kind and by part of the network.
    counts = [sum(float(row[3] or 0) for row in held) for held in tables.values()]
    whole = int(re.search(r"(\d+) GFLOP$", text, re.MULTILINE)[1])
    assert counts == pytest.approx([whole, whole], abs=0.6)
    assert {"temporal_block/mha", "strided_temporal_block/strided_mlp"} <= {
        r[0] for r in tables["products of"]
    }
    rates = [float(row[4]) for row in tables["operations"] if row[0] == tool.ROWS]
    peak = float(re.search(r"float32 (\d+)", text)[1])
    assert 0 < rates[0] < 1.3 * peak


def test_other_ways_of_lifting_are_told(tool):
    with pytest.raises(SystemExit, match="videopose3d_27 does not lift by windows"):
        tool.report("videopose3d_27", None, 1.0, None)
