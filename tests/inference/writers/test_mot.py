"""MOT files, read as OpenSim's documentation describes them."""

import numpy as np

from tf_pose3d.inference.motion.angles import opensim_coordinates
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import write_motion
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
