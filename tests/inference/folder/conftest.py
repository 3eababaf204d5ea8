"""A task that needs no network, for the workers of folder runs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.fixture
def made_up(monkeypatch):
    """The class of the task, in a module that workers find: they get this process' paths."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("made_up_task").MadeUpTask


@pytest.fixture
def folder(tmp_path):
    """Makes files of an input folder."""
    place = tmp_path / "in"
    place.mkdir()

    def make(**contents):
        for name, content in contents.items():
            path = place / f"{name.replace('__', '/')}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return place

    return make
