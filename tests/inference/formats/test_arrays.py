"""Arrays with an axis of people, and those whose third numbers are no confidences."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


def test_mhformer_s_people_come_first(tmp_path):
    """The demos of MHFormer, StridedTransformer and PoseFormerV2 save (people, frames, 17, 2)."""
    first, second = made_up.person("h36m_17"), made_up.person("h36m_17", x=200, seed=1)
    np.savez_compressed(tmp_path / "keypoints.npz", reconstruction=np.stack([first, second]))
    video = made_up.read(tmp_path / "keypoints.npz", layout="h36m_17")
    assert video.num_frames == made_up.FRAMES
    np.testing.assert_allclose(made_up.dense(video, 0)[..., :2], first, atol=1e-3)
    np.testing.assert_allclose(made_up.dense(video, 1)[..., :2], second, atol=1e-3)


def test_rtmlib_s_people_come_second(tmp_path, coco):
    """rtmlib gives (people, 17, 2) and scores (people, 17) of each frame, in no order; users stack them."""
    other = made_up.person("coco_17", x=150, seed=1)
    points = np.stack([coco, other], axis=1)
    points[::2] = points[::2, ::-1]
    scores = np.full((made_up.FRAMES, 2, 17), 0.8)
    np.savez(tmp_path / "r.npz", keypoints=points, scores=scores)
    video = made_up.read(tmp_path / "r.npz", layout="coco_17")
    held = sorted((made_up.dense(video, number) for number in range(2)), key=lambda one: one[0, 0, 0])
    np.testing.assert_allclose(held[0][..., :2], other, atol=1e-3)
    np.testing.assert_allclose(held[1][..., :2], coco, atol=1e-3)
    np.testing.assert_allclose(held[1][..., 2], 0.8, atol=1e-6)
    # As a list of arrays, with as many people as there are.
    ragged = np.empty(made_up.FRAMES, object)
    for frame in range(made_up.FRAMES):
        ragged[frame] = points[frame] if frame % 3 else points[frame, :1]
    np.savez(tmp_path / "l.npz", keypoints=ragged)
    video = made_up.read(tmp_path / "l.npz", layout="coco_17")
    assert len(video.people) == 2
    assert sum(len(one.frames) for one in video.people) == 2 * made_up.FRAMES - 3


def test_freemocap_s_third_numbers_are_depths(tmp_path):
    """FreeMoCap's 2D data: (cameras, frames, 553 points, x, y, and z times the width), NaN for nobody."""
    body = made_up.person("mediapipe_33")
    cameras = np.zeros((2, made_up.FRAMES, 553, 3))
    cameras[0, :, :33, :2] = body
    cameras[1, :, :33, :2] = body + 50
    cameras[..., 2] = np.random.default_rng(0).normal(-50, 200, cameras.shape[:3])
    cameras[0, 2] = np.nan
    path = tmp_path / "mediapipe_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy"
    np.save(path, cameras)
    video = made_up.read(path)
    assert video.skeleton.name == "mediapipe_33"
    assert [one.id for one in video.people] == ["0", "1"]
    assert any("third numbers" in note for note in video.warnings)
    assert any("cameras" in note for note in video.notes)
    got = made_up.dense(video)
    assert np.isnan(got[2]).all()
    keep = [frame for frame in range(made_up.FRAMES) if frame != 2]
    np.testing.assert_allclose(got[keep][..., :2], body[keep], atol=1e-3)
    assert (got[keep][..., 2] == 1).all()


def test_points_in_space_are_refused(tmp_path):
    """FreeMoCap's `mediapipe_body_3d_xyz.npy` holds millimetres."""
    np.save(tmp_path / "body_3d_xyz.npy", np.random.default_rng(0).normal(0, 500, (made_up.FRAMES, 33, 3)))
    with pytest.raises(Pose3DError, match=r"third numbers from -.* are no confidences.*points in space"):
        made_up.read(tmp_path / "body_3d_xyz.npy")


def test_zeros_are_missing_joints(tmp_path, coco):
    coco[3:5, 9] = 0
    np.save(tmp_path / "k.npy", coco)
    got = made_up.dense(made_up.read(tmp_path / "k.npy", layout="coco_17"))
    assert np.isnan(got[3:5, 9]).all()
    assert np.isfinite(got[:, :9]).all()


@pytest.mark.parametrize("layout", ["kinect_25", "azure_kinect_32"])
def test_kinect_s_joints(tmp_path, layout):
    """Kinect's joints as pixels of its picture (`MapSkeletonPointToColor` and its kin), 25 or 32 of them."""
    points = made_up.person(layout)
    np.save(tmp_path / "k.npy", points)
    video = made_up.read(tmp_path / "k.npy", layout=layout)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)
