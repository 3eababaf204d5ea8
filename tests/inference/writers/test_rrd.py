import sys

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers import check_motion_file, write_motion


def test_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(
        Pose3DError, match=r'x\.rrd: writing \.rrd needs rerun-sdk.*pip install "\.\[rerun\]"'
    ):
        check_motion_file("x.rrd")


def test_a_library_that_cannot_be_imported(tmp_path, monkeypatch):
    """Its pyarrow wants a newer NumPy than bpy allows, which no package declares."""
    (tmp_path / "rerun").mkdir()
    (tmp_path / "rerun" / "__init__.py").write_text("raise ImportError('pyarrow requires NumPy 2.0')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rerun", raising=False)
    with pytest.raises(Pose3DError, match=r"installed but cannot be imported: pyarrow requires NumPy 2\.0; "):
        check_motion_file("x.rrd")


def test_a_recording(motion, tmp_path):
    pytest.importorskip("rerun")
    write_motion(tmp_path / "x.rrd", motion)
    content = (tmp_path / "x.rrd").read_bytes()
    assert content[:3] == b"RRF"
    assert len(content) > 5000
    assert [held.name for held in tmp_path.iterdir()] == ["x.rrd"]
