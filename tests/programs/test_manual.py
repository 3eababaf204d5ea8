"""The manual: it builds, it names all that is public, and the messages that it explains are there."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d import layers, losses, metrics
from tf_pose3d.cli import inference
from tf_pose3d.config import shipped_configs

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"


def texts_of_the_package():
    """Every text in the package's source, adjacent literals joined.

    What f-strings fill in is cut out, unless it is a constant of a module, which is filled in.
    """
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "tf_pose3d").rglob("*.py")]
    constants: dict[str, str] = {}
    for _ in range(2):
        # Twice: constants may be made of others.
        for tree in trees:
            for node in tree.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    held = pieces_of(node.value, constants)
                    if len(held) == 1:
                        constants[node.targets[0].id] = held[0]
    return {
        " ".join(piece.split())
        for tree in trees
        for node in ast.walk(tree)
        for piece in pieces_of(node, constants)
    }


def pieces_of(node, constants):
    """The texts of a literal or f-string between what only a run can fill in."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if not isinstance(node, ast.JoinedStr):
        return []
    pieces = [""]
    for value in node.values:
        if isinstance(value, ast.Constant):
            pieces[-1] += value.value
        elif isinstance(value.value, ast.Name) and value.value.id in constants:
            pieces[-1] += constants[value.value.id]
        else:
            pieces.append("")
    return pieces


def explained_messages():
    page = (DOCS / "messages.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?`)(?: \(a warning\))? \|", page, re.MULTILINE)
    return [message for cell in cells for message in re.findall(r"`(.+?)`", cell)]


def test_every_message_that_the_manual_explains_is_still_there():
    messages = explained_messages()
    assert len(messages) >= 35
    texts = texts_of_the_package()
    gone = [
        (message, piece.strip())
        for message in messages
        for piece in message.split("...")
        if len(piece.strip()) > 3 and not any(piece.strip() in text for text in texts)
    ]
    assert not gone


def test_the_api_page_has_every_public_name():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^::: tf_pose3d\.(\S+)$", page, re.MULTILINE))
    modules = {"layers": layers, "losses": losses, "metrics": metrics}
    public = {name for name in tf_pose3d.__all__ if name not in modules and not name.startswith("__")}
    public |= {f"{name}.{inner}" for name, module in modules.items() for inner in module.__all__}
    assert told == public


def test_every_page_is_in_the_navigation():
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert re.search(rf": {re.escape(page.name)}$", navigation, re.MULTILINE), page.name


def test_the_papers_have_bibtex():
    held = re.findall(r"^@\w+\{(\w+),", (DOCS / "citations.bib").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(held) == len(set(held))
    assert set(tf_pose3d.families()) - {"general"} <= set(held)


def test_bibtex_entries_are_whole():
    """Each has a title, its authors by name, a year, and where it appeared."""
    text = (DOCS / "citations.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{(\w+),\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == text.count("\n@")
    for name, body in entries:
        fields = dict(re.findall(r"^  (\w+) += \{?(.*?)\}?,?$", body, re.MULTILINE))
        assert {"title", "author", "year"} <= set(fields), name
        assert {"booktitle", "journal"} & set(fields), name
        assert "others" not in fields["author"], name
        assert re.fullmatch(r"\d{4}", fields["year"]), name
        assert re.fullmatch(r"\d+--\d+", fields.get("pages", "1--2")), name
        assert body.count("{") == body.count("}"), name


def test_the_readme_is_short_and_what_it_shows_is_there():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (REPOSITORY / target).exists(), target


def test_the_readmes_lifting_runs_as_it_stands(tmp_path, monkeypatch, capfd):
    """Keypoints of a real video, which come along, lift to a walk; the legs of one frame are exchanged."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^python inference.py (--input docs/\S+ .*)$", text, re.MULTILINE)
    words = shlex.split(command)
    words[words.index("--viz_output") + 1] = str(tmp_path / "walk.html")
    monkeypatch.chdir(REPOSITORY)
    assert inference.main([*words, "--output", str(tmp_path / "walk.npz")]) == 0
    told = capfd.readouterr()
    assert "75 frames of 1768x994 at 30 per second, person 1 of 2" in told.out + told.err
    warnings = [line for line in told.err.splitlines() if "warning" in line]
    exchanged = "inference.py: warning: left and right exchanged back in 1 of 75 frames (of the legs in 1)"
    assert warnings == [exchanged]
    assert (tmp_path / "walk.html").stat().st_size > 10_000
    with np.load(tmp_path / "walk.npz") as held:
        joints = [str(name) for name in held["joints"]]
        pose = held["pose_3d"]
        assert held["present"].all()
    ankles = pose[:, joints.index("l_ankle")] - pose[:, joints.index("r_ankle")]
    apart = np.linalg.norm(ankles, axis=-1)
    # A step's length, and hardly anything where one foot passes the other.
    assert 0.4 < apart.max() < 1.2
    assert apart.min() < 0.35


@pytest.mark.slow
def test_the_manual_builds_in_a_minute(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    begin = time.monotonic()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert time.monotonic() - begin < 60
    page = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    for name in tf_pose3d.__all__:
        assert name in page or name.startswith("__")
    assert (tmp_path / "site" / "notebooks" / "lift_keypoints" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((DOCS / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for file in (DOCS / "notebooks").iterdir():
        shutil.copy(file, tmp_path)
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")


def rows_of_sizes():
    """(configs, parameters, GFLOP per frame) of the table of sizes; several configs share a row."""
    rows = []
    for line in (DOCS / "models.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.match(r"`\w+`", cells[0]):
            counts = [int(one.replace(",", "")) for one in cells[2].split(";")]
            names = re.findall(r"`(\w+)`", cells[0])
            rows += [(name, counts[min(i, len(counts) - 1)], cells[3]) for i, name in enumerate(names)]
    return rows


def test_the_table_of_models_has_every_config():
    told = {name for name, _, _ in rows_of_sizes()}
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    for name in shipped_configs():
        assert name in told or f"`{name}`" in text, name


@pytest.mark.slow
def test_parameters_and_operations_are_those_that_are_counted():
    tool = load_tool("count_flops")
    for name, parameters, gflop in rows_of_sizes():
        if name.startswith("densewarper"):
            # Minutes and gigabytes.
            continue
        counted = tool.count(name)
        assert counted["parameters"] == parameters, name
        assert counted["gflop_per_frame"] == pytest.approx(float(gflop.split(",")[0]), rel=0.02), name


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "tools" / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_every_figure_of_the_docs_has_a_command():
    tool = load_tool("reproduce_docs")
    held = tool.registry()
    assert tool.problems(held) == []
    # It sees what is missing.
    held["figures"] = [one for one in held["figures"] if one["section"] != "Quickstart"]
    assert tool.problems(held) == ["results.md: Quickstart: figures without a command"]


def test_a_figure_outside_its_range_is_told(monkeypatch):
    tool = load_tool("reproduce_docs")
    value = {"what": "the answer", "pattern": r"answer (\S+)", "low": 40, "high": 45}
    figure = {"command": "python -c \"print('answer 1,042')\"", "values": [value]}
    assert tool.rerun(figure) == [("the answer", "40 to 45", "1042 (+997)", False)]
    figure["command"] = "python -c \"print('answer 42')\""
    assert tool.rerun(figure) == [("the answer", "40 to 45", "42", True)]
    figure["command"] = 'python -c "raise SystemExit(3)"'
    assert tool.rerun(figure) == [("the answer", "40 to 45", "failed, exit code 3", False)]
