"""SLEAP's analysis files."""

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


@pytest.mark.parametrize("matlab", [True, False])
def test_tracks(tmp_path, coco, matlab):
    """MATLAB's order of axes, as SLEAP writes it, and Python's; NaN where a node was not found."""
    names = [name.replace("l_", "left_").replace("r_", "right_") for name in get_skeleton("coco_17").joints]
    points = np.stack([coco, made_up.person("coco_17", x=150, seed=1)]).astype(float)
    points[0, 3] = np.nan
    scores = np.full(points.shape[:3], 0.7)
    with h5py.File(tmp_path / "clip.analysis.h5", "w") as file:
        file["node_names"] = np.array(names, "S")
        file["track_names"] = np.array(["anna", "bert"], "S")
        file["tracks"] = points.transpose(0, 3, 2, 1) if matlab else points.transpose(1, 2, 3, 0)
        file["point_scores"] = scores.transpose(0, 2, 1) if matlab else scores.transpose(1, 2, 0)
        file["track_occupancy"] = np.ones((made_up.FRAMES, 2), np.uint8)
    video = made_up.read(tmp_path / "clip.analysis.h5")
    assert (video.format, [one.id for one in video.people]) == ("sleap", ["anna", "bert"])
    got = made_up.dense(video)
    keep = [frame for frame in range(made_up.FRAMES) if frame != 3]
    order = [video.skeleton.index(joint) for joint in get_skeleton("coco_17").joints]
    np.testing.assert_allclose(got[keep][:, order, :2], coco[keep], atol=1e-3)
    np.testing.assert_allclose(got[keep][..., 2], 0.7, atol=1e-6)
    assert np.isnan(got[3]).all()


def test_a_project_is_told_from_its_analysis(tmp_path):
    with h5py.File(tmp_path / "labels.v001.slp", "w") as file:
        file.create_group("metadata").attrs["format_id"] = 1.2
        for name in ("videos_json", "tracks_json", "frames", "instances", "points", "pred_points"):
            file[name] = np.zeros(2)
    with pytest.raises(Pose3DError, match=r"labels.v001.slp is a SLEAP project: export its analysis file"):
        made_up.read(tmp_path / "labels.v001.slp")
