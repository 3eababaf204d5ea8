"""What tests of readers share."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


@pytest.fixture
def coco():
    """`(F, 17, 2)` pixels of a person in COCO's joints."""
    return made_up.person("coco_17")
