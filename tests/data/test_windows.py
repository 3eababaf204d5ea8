"""Windows against the release's own, and the arithmetic behind them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.camera import Camera, project, world_to_camera
from tf_pose3d.data import human36m
from tf_pose3d.data.amass import read_amass
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import FrameStore, Windows, pack_visible
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton


def make_sequence(frames=30, fps=50.0, seed=0, subject="S1", action="Walking", camera=True, **changes):
    random = np.random.default_rng(seed)
    values = {
        "subject": subject,
        "action": action,
        "name": f"{action} {seed}",
        "skeleton": get_skeleton("uplift_17"),
        "fps": fps,
        "camera": human36m.CAMERAS["S1"][seed % 4] if camera else None,
        "pose_2d": random.uniform(0, 1000, (frames, 17, 2)).astype(np.float32),
        "pose_3d": random.normal(size=(frames, 17, 3)).astype(np.float32),
    }
    return Sequence(**{**values, **changes})


@pytest.mark.parametrize(
    ("name", "length", "stride", "mask_stride"),
    [("n71_stride5_sin20", 71, 5, 20), ("n41_stride2_sin10", 41, 2, 10), ("n27_stride1", 27, 1, None)],
)
def test_windows_are_the_releases(golden, shared, name, length, stride, mask_stride):
    expected = np.load(golden / "sequences.npz")
    data = shared / "golden" / "data"
    sequences = human36m.read_human36m(
        data / "data_3d_h36m.npz",
        data / "data_2d_h36m_cpn_ft_h36m_dbb.npz",
        human36m.split_subjects("test"),
    )
    spec = WindowSpec(
        length=length,
        stride=stride,
        mask_strides=(mask_stride,) if mask_stride else None,
        align_mask=True,
    )
    windows = Windows(sequences, spec, subjects=human36m.SUBJECTS, actions=human36m.ACTIONS)
    assert len(windows) == expected[f"{name}/count"]
    batch = windows.batch(tf.constant(expected[f"{name}/index"]))
    for ours, theirs in {
        "pose_3d": "pose_3d",
        "keypoints_2d": "pose_2d",
        "pad_mask": "pad_mask",
        "intrinsics": "camera",
    }.items():
        np.testing.assert_allclose(batch[ours], expected[f"{name}/{theirs}"], atol=1e-5, err_msg=ours)
    for key in ("subject", "action", "frame"):
        np.testing.assert_array_equal(batch[key], expected[f"{name}/{key}"], err_msg=key)
    if mask_stride:
        np.testing.assert_array_equal(batch["stride_mask"], expected[f"{name}/stride_mask"])


def test_amass_windows_are_the_releases(golden, shared):
    expected = np.load(golden / "sequences.npz")
    sequences = read_amass(shared / "golden" / "data" / "amass", "val")
    drawn = expected["amass/camera18"]
    for number, frame in enumerate(expected["amass/frame"].astype(int)):
        vector = drawn[number]
        width = vector[7]
        camera = Camera(
            id="drawn",
            width=int(width),
            height=int(vector[8]),
            focal_length=vector[9:11] * width / 2,
            center=(vector[11:13] + np.array([1, vector[8] / width])) * width / 2,
            radial=vector[13:16],
            tangential=vector[16:18],
            orientation=vector[:4],
            translation=vector[4:7],
        )
        spec = WindowSpec(length=71, stride=5, step=8, mask_strides=(10,), mirror="none")
        windows = Windows(sequences, spec, cameras=[camera])
        assert len(windows) == expected["amass/count"]
        world = windows.store.arrays["pose_3d"]
        matches = [
            window
            for window in range(len(windows))
            if windows.centre_frames(np.array([window]))[1][0] == frame
            and np.allclose(world[windows.rows([window])["rows"][0]], expected["amass/pose_world"][number])
        ]
        assert len(matches) == 1
        batch = windows.batch(tf.constant(matches))
        np.testing.assert_allclose(batch["pose_3d"][0], expected["amass/pose_3d"][number], atol=2e-5)
        np.testing.assert_allclose(batch["keypoints_2d"][0], expected["amass/pose_2d"][number], atol=2e-5)
        np.testing.assert_array_equal(batch["pad_mask"][0], expected["amass/pad_mask"][number])


def test_padding_repeats_the_sample_that_the_stride_hits():
    windows = Windows([make_sequence(frames=12)], WindowSpec(length=5, stride=5))
    rows = windows.rows(tf.range(12))["rows"].numpy()
    assert rows[7].tolist() == [2, 2, 7, 7, 7]
    assert rows[0].tolist() == [0, 0, 0, 5, 10]
    assert windows.rows([7])["pad_mask"].numpy()[0].tolist() == [0, 1, 1, 0, 0]


def test_zero_padding_gives_zeros():
    spec = WindowSpec(length=5, stride=5, padding="zeros", mirror="in_batch")
    batch = Windows([make_sequence(frames=12)], spec).batch([0])
    for window in range(2):
        padded = batch["pad_mask"][window].numpy() == 0
        assert padded.tolist() == [True, True, False, False, False]
        assert not np.any(batch["keypoints_2d"][window].numpy()[padded])
        assert np.all(np.any(batch["pose_3d"][window].numpy()[~padded], axis=(1, 2)))


def test_windows_never_cross_sequences():
    sequences = [make_sequence(frames=frames, seed=seed) for seed, frames in enumerate((7, 1, 23, 4))]
    windows = Windows(sequences, WindowSpec(length=9, stride=2))
    index = windows.rows(tf.range(windows.num_centres))
    for rows, sequence in zip(index["rows"].numpy(), index["sequence"].numpy(), strict=True):
        first = windows.store.offsets[sequence]
        assert rows.min() >= first
        assert rows.max() < first + windows.store.lengths[sequence]


def test_higher_frame_rates_widen_the_strides():
    slow = make_sequence(frames=40)
    fast = make_sequence(frames=80, fps=100.0)
    spec = WindowSpec(length=5, stride=2, mask_strides=(4,), align_mask=True)
    windows = Windows([slow, fast], spec)
    index = windows.rows([20, 40 + 40])
    rows = index["rows"].numpy() - windows.store.offsets[:, None]
    assert rows[0].tolist() == [16, 18, 20, 22, 24]
    assert rows[1].tolist() == [32, 36, 40, 44, 48]
    np.testing.assert_array_equal(index["stride_mask"][0], index["stride_mask"][1])


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_frame_rates_that_do_not_divide_are_refused(fps):
    with pytest.raises(Pose3DError, match="expected a multiple of 50"):
        Windows([make_sequence(fps=fps)], WindowSpec())


def test_mirrored_entries_are_mirror_images():
    sequence = make_sequence()
    windows = Windows([sequence], WindowSpec(length=3, mirror="entries"))
    assert len(windows) == 60
    straight, mirrored = windows.batch([4]), windows.batch([34])
    flip = list(sequence.skeleton.flip_order)
    for key in ("keypoints_2d", "pose_3d"):
        image = straight[key].numpy()[:, :, flip] * ([-1, 1] if key == "keypoints_2d" else [-1, 1, 1])
        np.testing.assert_array_equal(mirrored[key], image)
    signs = np.ones(11)
    signs[[4, 9]] = -1
    np.testing.assert_allclose(mirrored["intrinsics"][0], straight["intrinsics"][0] * signs)


def test_in_batch_mirroring_interleaves():
    windows = Windows([make_sequence()], WindowSpec(length=3, mirror="in_batch"))
    assert len(windows) == 60
    batch = windows.batch([4, 9])
    entries = Windows([make_sequence()], WindowSpec(length=3, mirror="entries")).batch([4, 34, 9, 39])
    for key, values in entries.items():
        np.testing.assert_array_equal(batch[key], values, err_msg=key)


def test_an_epoch_holds_every_window_once():
    windows = Windows([make_sequence(frames=50), make_sequence(frames=14)], WindowSpec(mirror="entries"))
    seen = np.concatenate([windows.shuffled(tf.constant(step), 16) for step in range(8)])
    assert sorted(seen) == list(range(128))
    again = np.concatenate([windows.shuffled(tf.constant(step), 16) for step in range(8, 16)])
    assert sorted(again) == list(range(128))
    assert seen.tolist() != again.tolist()
    other = Windows(
        [make_sequence(frames=50), make_sequence(frames=14)], WindowSpec(mirror="entries"), seed=1
    )
    assert other.shuffled(tf.constant(0), 16).numpy().tolist() != seen[:16].tolist()


def test_a_batch_may_be_larger_than_the_data():
    windows = Windows([make_sequence(frames=5)], WindowSpec())
    assert np.bincount(windows.shuffled(tf.constant(3), 12)).sum() == 12
    assert set(np.bincount(windows.shuffled(tf.constant(0), 10)).tolist()) == {2}


def test_random_masks_follow_the_releases_distribution():
    spec = WindowSpec(length=11, stride=5, mask_strides=(10, 20), shift_mask=True)
    windows = Windows([make_sequence(frames=4000)], spec, seed=3)
    mask = windows.batch(tf.range(4000, dtype=tf.int64))["stride_mask"].numpy()
    visible = [np.flatnonzero(row) for row in mask]
    gaps = np.array([np.diff(row)[0] for row in visible])
    assert set(gaps) == {2, 4}
    assert abs(np.mean(gaps == 2) - 0.5) < 0.05
    # Shifts: -1, 0 of 2 tokens, -2 ... 1 of 4, each as likely as the others.
    for gap, shifts in ((2, {-1, 0}), (4, {-2, -1, 0, 1})):
        centre = np.array([row[np.argmin(np.abs(row - 5))] for row in np.array(visible, object)[gaps == gap]])
        counts = np.bincount((centre - 5) % gap, minlength=gap) / len(centre)
        assert len(shifts) == gap
        np.testing.assert_allclose(counts, 1 / gap, atol=0.05)


def test_any_step_can_be_resumed_and_sharded():
    spec = WindowSpec(
        length=9, stride=1, mask_strides=(2, 4), shift_mask=True, mirror="in_batch", pack_visible=True
    )
    windows = Windows([make_sequence(frames=60)], spec, seed=5)
    whole = list(windows.training_dataset(8, last_step=4))
    assert len(whole) == 4
    resumed = list(windows.training_dataset(8, first_step=2, last_step=4))
    for expected, got in zip(whole[2:], resumed, strict=True):
        for key, values in expected.items():
            np.testing.assert_array_equal(got[key], values, err_msg=key)
    shards = list(windows.training_dataset(8, last_step=4, shards=2, shard_ids=(0, 1)))
    assert len(shards) == 8
    for step in range(4):
        frames = np.concatenate([shards[2 * step]["frame"], shards[2 * step + 1]["frame"]])
        np.testing.assert_array_equal(frames, whole[step]["frame"])
    second = list(windows.training_dataset(8, last_step=4, shards=2, shard_ids=(1,)))
    np.testing.assert_array_equal(second[3]["keypoints_2d"], shards[7]["keypoints_2d"])


def test_batches_that_cannot_be_split_are_refused():
    windows = Windows([make_sequence()], WindowSpec(mirror="in_batch"))
    with pytest.raises(Pose3DError, match="BATCH_SIZE 6 is not a multiple of 4"):
        windows.training_dataset(6, shards=2)


def test_visible_frames_are_packed():
    mask = tf.constant([[True, False, True], [False, False, True]])
    packed = pack_visible(mask)
    assert packed["visible_rows"].numpy().tolist() == [0, 2, 5]
    assert packed["visible_lookup"].numpy().tolist() == [[0, 3, 1], [3, 3, 2]]


def test_ordered_batches_cover_every_centre_once():
    sequences = [make_sequence(frames=7), make_sequence(frames=10, seed=1)]
    windows = Windows(sequences, WindowSpec(length=3, step=2))
    batches = list(windows.ordered_batches(4))
    assert [len(batch["frame"]) for batch in batches] == [4, 4, 1]
    frames = np.concatenate([batch["frame"] for batch in batches])
    assert frames.tolist() == [0, 2, 4, 6, 0, 2, 4, 6, 8]
    assert sum(len(batch["frame"]) for batch in windows.ordered_batches(4, count=5)) == 5


def test_world_poses_are_seen_by_one_camera_per_window():
    cameras = [camera for subject in ("S1", "S5") for camera in human36m.CAMERAS[subject]]
    sequence = make_sequence(camera=False, pose_2d=None, world_frame=True)
    windows = Windows([sequence], WindowSpec(length=3, mirror="in_batch"), cameras=cameras)
    batch = windows.batch(tf.range(30, dtype=tf.int64))
    vectors = np.array([np.concatenate([c.extrinsics(), c.intrinsics()]) for c in cameras])
    drawn = set()
    for window in range(60):
        vector = np.concatenate([batch["extrinsics"][window], batch["intrinsics"][window]])
        choice = int(np.argmin(np.abs(vectors - vector).sum(axis=1)))
        drawn.add(choice)
        np.testing.assert_array_equal(vectors[choice], vector)
        world = sequence.pose_3d[windows.rows([window // 2])["rows"][0]]
        if window % 2:
            world = world[:, list(sequence.skeleton.flip_order)] * np.array([-1, 1, 1], np.float32)
        camera = cameras[choice]
        expected = world_to_camera(world, camera.orientation, camera.translation)
        np.testing.assert_allclose(batch["pose_3d"][window], expected, atol=1e-5)
        np.testing.assert_allclose(
            batch["keypoints_2d"][window], project(expected, camera.intrinsics()), atol=1e-5
        )
    assert len(drawn) > 4


def test_per_frame_quantities_travel_along():
    depth = np.arange(30, dtype=np.float32)
    windows = Windows([make_sequence(per_frame={"root_depth": depth})], WindowSpec(length=3))
    assert windows.batch([10])["root_depth"].numpy().tolist() == [[9, 10, 11]]


def test_what_cannot_be_stored_together_is_refused():
    sequence = make_sequence()
    with pytest.raises(Pose3DError, match="no sequences"):
        FrameStore([])
    with pytest.raises(Pose3DError, match="other quantities"):
        FrameStore([sequence, make_sequence(seed=1, pose_3d=None)])
    with pytest.raises(Pose3DError, match="image size"):
        FrameStore([make_sequence(camera=False)])
    with pytest.raises(Pose3DError, match="need cameras"):
        Windows([make_sequence(camera=False, pose_2d=None, world_frame=True)], WindowSpec())
    with pytest.raises(Pose3DError, match="s_in 7 is not a multiple of s_out 5"):
        WindowSpec(stride=5, mask_strides=(7,))
    with pytest.raises(Pose3DError, match="every sequence is empty"):
        Windows([make_sequence(frames=0)], WindowSpec())


@pytest.mark.parametrize("stride", [1, 2])
def test_causal_windows_end_at_their_frame(stride):
    sequences = [make_sequence(12)]
    windows = Windows(sequences, WindowSpec(length=3, stride=stride, causal=True))
    rows = windows.rows(np.arange(12))["rows"].numpy()
    assert windows.spec.target_token == 2
    for frame, row in enumerate(rows):
        first = frame % stride
        np.testing.assert_array_equal(
            row, [max(frame - 2 * stride, first), max(frame - stride, first), frame]
        )


def test_a_fraction_of_the_frames():
    sequences = [make_sequence(20), make_sequence(20, seed=1)]
    windows = Windows(sequences, WindowSpec(length=3, fraction=0.25))
    assert windows.store.lengths.tolist() == [5, 5]


def with_confidence(sequence):
    held = np.full((*sequence.pose_2d.shape[:2], 1), 0.7, np.float32)
    return dataclasses.replace(sequence, pose_2d=np.concatenate([sequence.pose_2d, held], axis=2))


@pytest.mark.parametrize("mirror", ["none", "entries", "in_batch"])
def test_a_third_column_changes_nothing_unless_it_is_read(mirror):
    spec = WindowSpec(length=3, mirror=mirror)
    plain, more = make_sequence(seed=1), with_confidence(make_sequence(seed=1))
    expected, given = (Windows([one], spec).batch(tf.range(4)) for one in (plain, more))
    assert expected.keys() == given.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)
    # Recordings with and without may be mixed.
    assert Windows([plain, more], spec).store.arrays["keypoints_2d"].shape[2] == 2
    read = Windows([more], dataclasses.replace(spec, channels=3)).store.arrays["keypoints_2d"]
    assert read.shape[2] == 3
    assert (read[..., 2] == np.float32(0.7)).all()


@pytest.mark.parametrize("sequence", [make_sequence(), make_sequence(pose_2d=None)])
def test_a_confidence_that_is_read_must_be_there(sequence):
    with pytest.raises(Pose3DError, match="hold 2 numbers a joint, the model reads 3"):
        Windows([sequence], WindowSpec(channels=3))


def test_each_layout_is_mirrored_in_its_own_way():
    poses = np.random.default_rng(0).normal(size=(4, 17, 3)).astype(np.float32)
    pixels = np.random.default_rng(1).uniform(0, 900, (4, 17, 2)).astype(np.float32)
    h36m, coco = get_skeleton("h36m_17"), get_skeleton("coco_17")
    sequence = dataclasses.replace(
        make_sequence(frames=4), skeleton=h36m, skeleton_2d=coco, pose_3d=poses, pose_2d=pixels
    )
    windows = Windows([sequence], WindowSpec(mirror="entries"))
    batch = windows.batch(tf.constant([0, 4]))
    assert (windows.store.skeleton, windows.store.input_skeleton) == (h36m, coco)
    for name, skeleton in (("keypoints_2d", coco), ("pose_3d", h36m)):
        original, image = np.asarray(batch[name])[:, 0]
        np.testing.assert_array_equal(image[:, 1:], original[list(skeleton.flip_order), 1:])
        np.testing.assert_array_equal(image[:, 0], -original[list(skeleton.flip_order), 0])
    with pytest.raises(Pose3DError, match="another joint layout"):
        Windows([sequence, dataclasses.replace(sequence, skeleton_2d=None)], WindowSpec())
