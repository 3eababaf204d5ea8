import numpy as np
import tensorflow as tf

from tf_pose3d.data.keypoint_noise import add_noise, mask_keypoints, synthetic_keypoints


def key(step):
    return tf.constant([5, step], tf.int64)


def test_errors_and_confidences_are_distributed_as_fitted():
    clean = tf.zeros((400, 27, 17, 2))
    noisy = add_noise(clean, key(0)).numpy()
    # At key frames: joint 0 is nearly always off by the normal error, joint 13 by any for 30 percent.
    root, wrist = noisy[:, :, 0, :2], noisy[:, :, 13, :2]
    expected = np.hypot(0.00366263, 0.002)
    assert abs(root[..., 0].std() / expected - 1) < 0.1
    uniform = 0.06 / 12**0.5
    mixed = (0.70277 * 0.004754**2 + 0.29723 * uniform**2 + 0.002**2) ** 0.5
    assert abs(wrist[..., 0].std() / mixed - 1) < 0.1
    distance = np.linalg.norm(noisy[..., :2], axis=-1)
    mean = np.clip(0.028 / (distance + 0.028) + 1.1 * distance - 0.0046, 0, 1)
    assert noisy[..., 2].min() >= 0
    assert noisy[..., 2].max() <= 1
    assert np.corrcoef(mean.ravel(), noisy[..., 2].ravel())[0, 1] > 0.2


def test_between_key_frames_errors_move_linearly():
    noisy = add_noise(tf.zeros((50, 53, 17, 2)), key(1)).numpy()[..., :2]
    # 53 frames: every other one is a key frame; what remains is the frames' own error, alike in the batch.
    middle = (noisy[:, 0:-2:2] + noisy[:, 2::2]) / 2 - noisy[:, 1::2]
    assert np.ptp(middle, axis=0).max() < 1e-6
    assert 0.001 < middle[0].std() < 0.004


def test_draws_are_those_of_the_step():
    clean = tf.zeros((2, 9, 17, 2))
    np.testing.assert_array_equal(add_noise(clean, key(3)), add_noise(clean, key(3)))
    assert (add_noise(clean, key(3)).numpy() != add_noise(clean, key(4)).numpy()).any()


def test_masks_hide_joints_and_the_same_frames_of_all_clips():
    masked = mask_keypoints(tf.ones((200, 50, 17, 3)), key(0), 0.05, 0.1).numpy()
    hidden = ~masked.any(axis=(2, 3))
    assert (hidden == hidden[0]).all()
    assert 0 < hidden[0].sum() < 15
    assert abs(1 - masked[:, ~hidden[0]].mean() - 0.05) < 0.01


def test_synthetic_keypoints_are_those_of_the_pose():
    pose = tf.constant(np.random.default_rng(0).normal(size=(1, 4, 17, 3)), tf.float32)
    made = synthetic_keypoints(tf.zeros((1, 4, 17, 3)), pose, key(0), False, 0.0, 0.0).numpy()
    np.testing.assert_array_equal(made[..., :2], pose[..., :2])
    assert (made[..., 2] == 1).all()
