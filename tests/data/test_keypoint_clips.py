"""PoseTrack and InstaVariety as MotionBERT's release reads them, and batches of their clips."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.keypoint_clips import (
    KeypointClips,
    crop_clips,
    posetrack_to_h36m,
    read_instavariety,
    read_posetrack,
)
from tf_pose3d.data.window_spec import KeypointSource, WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton


def write_posetrack(folder, tracks):
    """One file whose tracks are `(F, 17, 3)` arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = [
        {"track_id": number, "keypoints": pose.reshape(-1).tolist()}
        for number, track in enumerate(tracks)
        for pose in track
    ]
    (folder / "000001.json").write_text(json.dumps({"annotations": annotations, "images": []}))


def track(frames=35, seed=0):
    poses = np.random.default_rng(seed).uniform(100, 500, (frames, 17, 3))
    poses[..., 2] = 1
    return poses


def write_instavariety(folder, lengths=(100, 81, 40)):
    folder.mkdir(parents=True, exist_ok=True)
    rows = sum(lengths)
    motion = np.random.default_rng(1).uniform(100, 500, (rows, 17, 3)).astype("f4")
    motion[..., 2] = 1
    motion[..., 0] += np.arange(rows)[:, None] * 1000
    np.save(folder / "motion_all.npy", motion)
    np.save(folder / "id_all.npy", np.repeat(np.arange(len(lengths)), lengths))
    return motion


def test_crops_by_hand():
    clip = np.zeros((1, 2, 2, 3), "f4")
    clip[0, :, :, 2] = 1
    clip[0, 0] = [[100, 50, 1], [300, 150, 1]]
    clip[0, 1] = [[200, 100, 1], [900, 900, 0]]
    cropped = crop_clips(tf.constant(np.repeat(clip, 2, axis=0)), tf.constant([1.0, 0.5])).numpy()
    # Fewer than four joints: nothing is known.
    assert not cropped.any()
    clip[0, 1, 1] = [250, 125, 0.5]
    cropped = crop_clips(tf.constant(np.repeat(clip, 2, axis=0)), tf.constant([1.0, 0.5])).numpy()
    np.testing.assert_allclose(cropped[0, 0], [[-1, -0.5, 1], [1, 0.5, 1]], atol=1e-6)
    np.testing.assert_allclose(cropped[0, 1], [[0, 0, 1], [0.5, 0.25, 0.5]], atol=1e-6)
    # A smaller square enlarges the person and clips what is beyond.
    np.testing.assert_allclose(cropped[1, 0], [[-1, -1, 1], [1, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(cropped[1, 1, 1], [1, 0.5, 0.5], atol=1e-6)


def test_posetracks_joints():
    pose = np.zeros((1, 17, 3))
    pose[0, :, 0] = np.arange(17)
    pose[0, :, 2] = 1 - np.arange(17) / 100
    made = posetrack_to_h36m(pose)[0]
    names = get_skeleton("h36m_17").joints
    held = {names[joint]: made[joint, 0] for joint in range(17)}
    assert held["pelvis"] == 11.5
    assert held["spine"] == (11.5 + 1) / 2
    assert (held["neck"], held["head"], held["head_top"]) == (1, 0, 2)
    assert (held["l_shoulder"], held["r_wrist"], held["r_ankle"]) == (5, 10, 16)
    assert made[0, 2] == pytest.approx(0.88)
    assert made[7, 2] == pytest.approx(0.88)


def test_tracks_that_are_too_short_or_hide_the_pelvis_are_left_out(tmp_path):
    hidden, sparse = track(seed=1), track(seed=2)
    hidden[3, 11] = 0
    sparse[:, 5:, 2] = 0
    write_posetrack(tmp_path / "train", [track(), track(29), hidden, sparse])
    clips = read_posetrack(tmp_path / "train")
    assert clips.shape == (1, 30, 17, 3)
    assert np.abs(clips).max() <= 1
    np.testing.assert_array_equal(clips, read_posetrack(tmp_path / "train"))
    assert (clips != read_posetrack(tmp_path / "train", seed=1)).any()


def test_instavarietys_clips_begin_every_27_frames(tmp_path):
    motion = write_instavariety(tmp_path)
    clips = read_instavariety(tmp_path)
    # 100 frames hold one clip, 81 one; of 40 frames, the last video, nothing is made.
    np.testing.assert_array_equal(clips[:, 0], motion[[0, 100]])
    motion[0, 0, 2] = 0
    np.save(tmp_path / "motion_all.npy", motion)
    assert len(read_instavariety(tmp_path)) == 1


def test_batches_are_cropped_mirrored_and_hidden_by_their_step(tmp_path):
    write_instavariety(tmp_path, (300, 300))
    source = KeypointSource("instavariety", "x", 2, noise=False, crop=True)
    spec = WindowSpec(length=81, mirror="random", noise=True, mask_joints=0.3)
    clips = KeypointClips(read_instavariety(tmp_path), source, spec, seed=4)
    batches = list(clips.training_dataset(8).take(3))
    true, made = (np.asarray(batches[1][name]) for name in ("keypoints_true", "keypoints_2d"))
    assert true.shape == made.shape == (8, 81, 17, 3)
    assert np.abs(true).max() <= 1
    hidden = (made == 0).all(axis=-1)
    assert 0.2 < hidden.mean() < 0.4
    np.testing.assert_array_equal(made[~hidden], true[~hidden])
    again = next(iter(clips.training_dataset(8, first_step=1)))
    np.testing.assert_array_equal(again["keypoints_2d"], made)
    assert clips.notes() == [f"{len(clips)} clips of 81 frames of 2D poses (instavariety), from epoch 2 on"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "has no list of annotations"),
        ('{"annotations": [{"track_id": 1, "keypoints": [1, 2]}]}', "annotation 0 needs a track_id and 17"),
        ('{"annotations": [{"keypoints": []}]}', "annotation 0 needs a track_id"),
        ('{"annotations": []}', "no track has 30 poses"),
        ("{", r"000001\.json"),
    ],
)
def test_what_is_wrong_with_posetrack_is_named(tmp_path, content, message):
    (tmp_path / "000001.json").write_text(content)
    with pytest.raises(Pose3DError, match=message):
        read_posetrack(tmp_path)


def test_what_is_wrong_with_instavariety_is_named(tmp_path):
    with pytest.raises(Pose3DError, match=r"holds no \.json"):
        read_posetrack(tmp_path)
    with pytest.raises(Pose3DError, match=r"has no motion_all\.npy"):
        read_instavariety(tmp_path)
    write_instavariety(tmp_path)
    (tmp_path / "id_all.npy").write_bytes(b"x")
    with pytest.raises(Pose3DError, match=r"id_all\.npy is no \.npy file of numbers"):
        read_instavariety(tmp_path)
    np.save(tmp_path / "id_all.npy", np.zeros(3))
    with pytest.raises(Pose3DError, match="expected 221 numbers"):
        read_instavariety(tmp_path)
    np.save(tmp_path / "motion_all.npy", np.zeros((3, 16, 3)))
    with pytest.raises(Pose3DError, match=r"of shape \(3, 16, 3\), expected \(rows, 17, 3\)"):
        read_instavariety(tmp_path)
