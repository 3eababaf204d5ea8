import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.layers.losses import mean_joint_distance


def test_distance_and_gradient():
    target = np.zeros((1, 2, 3), "float32")
    predicted = tf.constant([[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = mean_joint_distance(predicted, target)
    assert float(loss) == pytest.approx(2.5)
    # The second joint is exact: its gradient is 0, not NaN.
    np.testing.assert_allclose(tape.gradient(loss, predicted), [[[0.3, 0.4, 0], [0, 0, 0]]], atol=1e-7)
