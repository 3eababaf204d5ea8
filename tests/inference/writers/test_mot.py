"""MOT files, read as OpenSim's documentation describes them."""

import numpy as np
import pytest

from tf_pose3d.inference.motion.angles import opensim_coordinates
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.inference.writers.marker_set import marker_set_text
from tf_pose3d.inference.writers.rigged import rig_of


def read_mot(path):
    """Header and columns: `key=value` lines up to endheader, then names and numbers between tabs."""
    head, table = path.read_text().split("endheader\n")
    facts = dict(line.split("=") for line in head.splitlines() if "=" in line)
    names, *rows = table.splitlines()
    values = np.array([row.split("\t") for row in rows], float)
    assert (len(rows), values.shape[1]) == (int(facts["nRows"]), int(facts["nColumns"]))
    return head, facts, dict(zip(names.split("\t"), values.T, strict=True))


def test_coordinates(motion, tmp_path):
    (staged,) = run_stage([motion], MotionSteps.for_file("walk.mot"))
    write_motion(tmp_path / "walk.mot", staged.motion)
    head, facts, columns = read_mot(tmp_path / "walk.mot")
    assert head.startswith("Coordinates\n")
    assert facts["inDegrees"] == "yes"
    assert "Level by the camera's orientation." in head
    np.testing.assert_allclose(columns["time"], np.arange(5) / 50)
    expected = opensim_coordinates(rig_of(tmp_path / "walk.mot", staged.motion))
    for name, values in expected.items():
        np.testing.assert_allclose(columns[name], values, atol=1e-5)
    assert 0 < columns["knee_angle_r"].max() < 120


@pytest.mark.slow
def test_opensim_reads_coordinates_markers_and_marker_set(motion, tmp_path, monkeypatch):
    # Its log lies where it is imported.
    monkeypatch.chdir(tmp_path)
    opensim = pytest.importorskip("opensim")
    (staged,) = run_stage([motion], MotionSteps.for_file("walk.mot"))
    for name in ("walk.mot", "walk.trc"):
        write_motion(tmp_path / name, staged.motion)
    (tmp_path / "set.xml").write_text(marker_set_text())
    table = opensim.TimeSeriesTable(str(tmp_path / "walk.mot"))
    expected = opensim_coordinates(rig_of(tmp_path / "walk.mot", staged.motion))
    assert list(table.getColumnLabels()) == list(expected)
    assert opensim.Storage(str(tmp_path / "walk.mot")).isInDegrees()
    for name, values in expected.items():
        np.testing.assert_allclose(table.getDependentColumn(name).to_numpy(), values, atol=1e-5)
    markers = opensim.TimeSeriesTableVec3(str(tmp_path / "walk.trc"))
    assert markers.getTableMetaDataString("Units") == "m"
    hip = markers.getDependentColumn("RHip").getElt(3, 0).to_numpy()
    positions = staged.motion.upright()[3, staged.motion.skeleton.index("r_hip")]
    np.testing.assert_allclose(hip, positions, atol=1e-4)
    placed = opensim.MarkerSet(str(tmp_path / "set.xml"))
    names = {placed.get(number).getName() for number in range(placed.getSize())}
    assert len(names) == 13
    assert names <= set(markers.getColumnLabels())
