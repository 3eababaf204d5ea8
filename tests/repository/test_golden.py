"""Reference numbers of every family are in the repository, and small."""

from __future__ import annotations

from pathlib import Path

import pytest

from tf_pose3d.models.family import FAMILIES

# This package's own: there is no original to equal.
OWN = {"general"}
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def test_the_files_are_small():
    sizes = {path: path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()}
    assert max(sizes.values()) <= 1_000_000, max(sizes, key=sizes.__getitem__)
    assert sum(sizes.values()) < 12_000_000


@pytest.mark.parametrize("name", sorted({short for short, _ in FAMILIES.values()} - OWN))
def test_every_family_has_a_case(name):
    assert list((GOLDEN / name).glob("*/forward.npz"))
