"""A plain TensorFlow formulation of h36m_351, to measure ours against on the same machine.

It computes what the published architecture says in the way the release does: every frame of every
window goes through the spatial part, masked or not; every block is written operation by operation.
Random weights; for timing only.
"""

from __future__ import annotations

import tensorflow as tf

JOINTS, TOKENS, SPATIAL, TEMPORAL, HEADS = 17, 71, 32, 384, 8


class Block(tf.Module):
    """Pre-norm transformer block; with a stride its MLP ends in a strided convolution."""

    def __init__(self, dim, activation, stride=None):
        super().__init__()
        self.dim, self.activation, self.stride = dim, activation, stride
        self.weights = [self._make(dim, dim) for _ in range(4)] + [self._make(dim, 2 * dim)]
        last = (2 * dim, dim) if stride is None else (3, 2 * dim, dim)
        self.last = self._make(*last)
        self.biases = [self._make(dim) for _ in range(4)] + [self._make(2 * dim), self._make(dim)]
        self.norms = [self._make(dim) for _ in range(4)]

    @staticmethod
    def _make(*shape):
        return tf.Variable(tf.random.normal(shape, stddev=0.05))

    def _norm(self, x, which):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        gain, shift = self.norms[2 * which : 2 * which + 2]
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * gain + shift

    def _dense(self, x, which):
        return tf.nn.bias_add(tf.tensordot(x, self.weights[which], 1), self.biases[which])

    def __call__(self, x, penalty=None):
        length, depth = x.shape[1], self.dim // HEADS

        def heads(y):
            return tf.transpose(tf.reshape(y, (-1, length, HEADS, depth)), (0, 2, 1, 3))

        y = self._norm(x, 0)
        query, key, value = (heads(self._dense(y, which)) for which in range(3))
        logits = tf.matmul(query, key, transpose_b=True) / float(depth) ** 0.5
        if penalty is not None:
            logits += penalty
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(logits), value), (0, 2, 1, 3))
        x += self._dense(tf.reshape(mixed, (-1, length, self.dim)), 3)
        hidden = self.activation(self._dense(self._norm(x, 1), 4))
        if self.stride is None:
            return x + tf.nn.bias_add(tf.tensordot(hidden, self.last, 1), self.biases[5])
        shortened = tf.nn.conv1d(hidden, self.last, self.stride, "VALID") + self.biases[5]
        return x[:, 1:-1][:, :: self.stride] + shortened


class UpliftBaseline(tf.Module):
    """The published network at full size: 4 spatial, 4 temporal, 3 strided blocks."""

    def __init__(self):
        super().__init__()

        def gelu(x):
            return tf.nn.gelu(x, approximate=False)

        self.embed = Block._make(2, SPATIAL)
        self.joints = Block._make(JOINTS, SPATIAL)
        self.spatial = [Block(SPATIAL, gelu) for _ in range(4)]
        self.widen = Block._make(JOINTS * SPATIAL, TEMPORAL)
        self.token = Block._make(TEMPORAL)
        self.frames = Block._make(TOKENS, TEMPORAL)
        self.temporal = [Block(TEMPORAL, tf.nn.relu) for _ in range(4)]
        self.strided = [Block(TEMPORAL, tf.nn.relu, stride) for stride in (3, 10, 3)]
        self.positions = [Block._make(length, TEMPORAL) for length in (71, 23, 3)]
        self.heads = [Block._make(TEMPORAL, JOINTS * 3) for _ in range(2)]

    def __call__(self, keypoints, mask):
        """`(B, 71, 17, 2)`, `(B, 71)` bool -> sequence `(B, 71, 51)`, centre `(B, 51)`."""
        x = tf.reshape(keypoints, (-1, JOINTS, 2))
        x = tf.tensordot(x, self.embed, 1) + self.joints
        for block in self.spatial:
            x = block(x)
        x = tf.reshape(tf.matmul(tf.reshape(x, (-1, JOINTS * SPATIAL)), self.widen), (-1, TOKENS, TEMPORAL))
        visible = tf.cast(mask, tf.float32)[..., None]
        x = visible * x + (1 - visible) * self.token + self.frames
        penalty = (1 - visible[:, None, None, :, 0]) * -1e9
        for index, block in enumerate(self.temporal):
            x = block(x, penalty if index == 0 else None)
        sequence = tf.tensordot(x, self.heads[0], 1)
        for block, position in zip(self.strided, self.positions, strict=True):
            x = block(x + position)
        return sequence, tf.matmul(x[:, 0], self.heads[1])

    def train_step(self, optimizer):
        """A compiled (keypoints, poses, mask) -> loss that also updates the weights."""
        variables = self.trainable_variables

        @tf.function
        def step(keypoints, poses, mask):
            with tf.GradientTape() as tape:
                sequence, centre = self(keypoints, mask)
                target = tf.reshape(poses - poses[:, :, 6:7], (-1, TOKENS, JOINTS, 3))
                error = tf.norm(tf.reshape(sequence, tf.shape(target)) - target, axis=-1)
                middle = tf.norm(tf.reshape(centre, (-1, JOINTS, 3)) - target[:, TOKENS // 2], axis=-1)
                loss = 0.5 * tf.reduce_mean(error) + 0.5 * tf.reduce_mean(middle)
            optimizer.apply(tape.gradient(loss, variables))
            return loss

        return step
