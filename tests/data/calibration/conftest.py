"""One rig in the files of many tools, with keypoints and the points that they come from."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

ARCHIVE = Path(__file__).resolve().parents[2] / "golden" / "calibration" / "rigs.zip"


@pytest.fixture(scope="session")
def rigs(tmp_path_factory):
    """Folder with `exact` and `exact_k3`, each with a folder per tool and `people.npz`."""
    folder = tmp_path_factory.mktemp("rigs")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def people(rigs):
    """Name of a rig -> points `(F, J, 3)` metres and keypoints `(4, F, J, 3)`."""
    held = {}
    for name in ("exact", "exact_k3"):
        with np.load(rigs / name / "people.npz") as file:
            held[name] = file["points"].astype(np.float64), file["keypoints"].astype(np.float64)
    return held
