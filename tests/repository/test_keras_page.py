"""docs/keras.md: its code runs from top to bottom, in one process and an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import keras

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keras.md"


def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    text = PAGE.read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S))
    assert len(blocks) == 6
    # Keras 3.12, the last for Python 3.10, has no such format.
    litert = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 13)
    for block in blocks:
        # Blank lines in front give errors the page's own line numbers.
        lines = "\n" * text.count("\n", 0, block.start(1))
        code = block[1] if litert else re.sub(r'^.*format="litert".*$', "", block[1], flags=re.M)
        exec(compile(lines + code, str(PAGE), "exec"), names)
    assert 0 <= names["report"]["difference_m"] <= 1e-4
    assert names["copy"].config == names["model"].config
    assert names["found"]["mpjpe"] > names["found"]["pa_mpjpe"] > 0
    assert {path.name for path in tmp_path.iterdir()} == {
        *("martinez.keras", "martinez.h5", "martinez.tflite", "martinez"),
        *(("deform", "deform.tflite") if litert else ("deform",)),
    }
