"""LCN's speed against a plain formulation of the same network, in one process on the same threads.

The plain one is what the release computes, written with TensorFlow: dense matrices clipped to norm 1 and
multiplied with the mask in every step, fused batch normalisation and Adam, in graph mode.

python tools/benchmark_lcn.py [--knn 3 1] [--batch_size 200] [--rounds 12] [--threads 2] [--evaluate]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import numpy as np
import tensorflow as tf

from tf_pose3d.camera import Camera
from tf_pose3d.data.lcn_pickles import LCNItems
from tf_pose3d.evaluation.lcn_results import evaluate_result
from tf_pose3d.models.family import get_family
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.folded import FoldedLCN
from tf_pose3d.training.optimizers import make_optimizer

_STEPS = 4  # timed in one go


class PlainLCN:
    """The baseline: 17 joints, 64 channels, three residual blocks."""

    def __init__(self, mask, channels=64, blocks=3, dropout=0.25):
        self.joints, self.channels, self.blocks, self.dropout = len(mask), channels, blocks, dropout
        self.mask = tf.constant(np.asarray(mask, np.float32)[:, None, :, None])
        rng = np.random.default_rng(0)
        widths = [2] + [channels] * (2 * blocks + 1) + [3]
        shapes = [(self.joints * a, self.joints * b) for a, b in itertools.pairwise(widths)]

        def variable(*shape):
            return tf.Variable((rng.standard_normal(shape) * (2 / shape[0]) ** 0.5).astype(np.float32))

        self.kernels = [variable(*shape) for shape in shapes]
        self.biases = [variable(shape[1]) for shape in shapes]
        norms = range(len(shapes) - 1)
        self.gammas = [tf.Variable(tf.ones(channels)) for _ in norms]
        self.betas = [tf.Variable(tf.zeros(channels)) for _ in norms]
        self.means = [tf.Variable(tf.zeros(channels), trainable=False) for _ in norms]
        self.variances = [tf.Variable(tf.ones(channels), trainable=False) for _ in norms]
        self.trained = [*self.kernels, *self.biases, *self.gammas, *self.betas]
        self.slots = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in self.trained]

    def linear(self, x, index):
        kernel = tf.clip_by_norm(self.kernels[index], 1.0)
        height, width = kernel.shape
        joints = self.joints
        kernel = tf.reshape(kernel, [joints, height // joints, joints, width // joints]) * self.mask
        return tf.matmul(x, tf.reshape(kernel, [height, width])) + self.biases[index]

    def hidden(self, x, index, training):
        shape = tf.shape(x)[0], self.joints * self.channels
        y = tf.reshape(self.linear(x, index), [-1, self.joints, 1, self.channels])
        norm = {"x": y, "scale": self.gammas[index], "offset": self.betas[index], "epsilon": 1e-3}
        if training:
            y, mean, variance = tf.compat.v1.nn.fused_batch_norm(**norm, is_training=True)
            for running, new in ((self.means[index], mean), (self.variances[index], variance)):
                running.assign_sub(0.01 * (running - new))
        else:
            y, _, _ = tf.compat.v1.nn.fused_batch_norm(
                **norm, mean=self.means[index], variance=self.variances[index], is_training=False
            )
        y = tf.nn.leaky_relu(tf.reshape(y, shape), 0.2)
        return tf.nn.dropout(y, self.dropout) if training else y

    def __call__(self, keypoints, training=False):
        x = self.hidden(tf.reshape(keypoints, [-1, self.joints * 2]), 0, training)
        for block in range(self.blocks):
            x = x + self.hidden(self.hidden(x, 2 * block + 1, training), 2 * block + 2, training)
        pose = tf.reshape(self.linear(x, 2 * self.blocks + 1), [-1, self.joints, 3])
        return tf.concat([keypoints + pose[..., :2], pose[..., 2:]], axis=-1)

    def train(self, keypoints, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(keypoints, training=True) - labels))
        gradients = tape.gradient(loss, self.trained)
        for weight, (first, second), gradient in zip(self.trained, self.slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=0.9,
                beta2_power=0.999,
                lr=1e-3,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-8,
                grad=gradient,
            )
        return loss


def this_package(config):
    """(training step, inference) of this package's network: both take a batch dict."""
    family = get_family("lcn")
    model, loss_of = family.build_model(config), family.loss(config)
    optimizer = make_optimizer(config)
    optimizer.build(model.trainable_variables)

    def train(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return loss

    return train, FoldedLCN(model)


def make_batch(size):
    """A batch dict with random poses before an ideal camera."""
    rng = np.random.default_rng(1)
    pose = rng.uniform(-0.8, 0.8, (size, 1, 17, 3)) + np.array([0, 0, 5])
    intrinsics = np.zeros((size, 11), np.float32)
    intrinsics[:, :4] = [1000, 1000, 2.3, 2.3]
    return {
        "keypoints_2d": tf.constant((pose[..., :2] / pose[..., 2:] * 2.3).astype(np.float32)),
        "pose_3d": tf.constant(pose.astype(np.float32)),
        "intrinsics": tf.constant(intrinsics),
    }


def compare(functions, rounds):
    """Median seconds, and median seconds of processor time, per call of each function, taken in turns."""
    for function in functions.values():
        for _ in range(3):
            function()
    walls, processor = ({name: [] for name in functions} for _ in range(2))
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            begin, used = time.perf_counter(), time.process_time()
            for _ in range(_STEPS):
                np.asarray(function())
            walls[name].append((time.perf_counter() - begin) / _STEPS)
            processor[name].append((time.process_time() - used) / _STEPS)
    return {name: (statistics.median(walls[name]), statistics.median(processor[name])) for name in functions}


def report(title, times, size):
    plain_wall, plain_cpu = times["plain"]
    for name, (wall, cpu) in times.items():
        print(
            f"{title:24s} {name:6s} {size / wall:8.0f} poses/s  x{plain_wall / wall:.2f}   "
            f"{1e3 * cpu:7.1f} ms of processor time a batch  x{plain_cpu / cpu:.2f}",
            flush=True,
        )


def time_evaluation(count=540_000):
    """Seconds for the release's tables of so many poses, with and without Procrustes."""
    rng = np.random.default_rng(2)
    camera = Camera("54138969", 1000, 1002, [1145, 1143], [512, 515], np.zeros(3), np.zeros(2))
    pose = (rng.uniform(-0.8, 0.8, (count, 17, 3)) + np.array([0, 0, 5])).astype(np.float32)
    pixels = pose.copy()
    pixels[..., :2] = pose[..., :2] / pose[..., 2:] * camera.focal_length + camera.center
    pixels[..., 2] = (pose[..., 2] - pose[:, :1, 2]) * 230
    pixels += rng.normal(0, 5, pixels.shape)
    numbers = np.arange(count)
    items = LCNItems(
        "synthetic", pixels, pose, np.tile([0.0, 0, 460, 460], (count, 1)), pose[:, 0, 2].astype(float),
        numbers % 2 + 9, numbers % 15 + 2, numbers, numbers, np.zeros(count, int), (camera,), 0.0,
    )  # fmt: skip
    for protocol2 in (False, True):
        begin = time.perf_counter()
        evaluate_result(pixels, items, protocol2=protocol2)
        what = "with Procrustes" if protocol2 else "without Procrustes"
        print(f"evaluation of {count:,} poses {what}: {time.perf_counter() - begin:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--knn", type=int, nargs="+", default=[3, 1], metavar="HOPS")
    parser.add_argument("--batch_size", type=int, default=200, metavar="N")
    parser.add_argument("--rounds", type=int, default=12, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--evaluate", action="store_true", help="also time the evaluation of 540,000 poses")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    batch = make_batch(arguments.batch_size)
    keypoints, labels = batch["keypoints_2d"][:, 0], tf.zeros((arguments.batch_size, 17, 3))
    for knn in arguments.knn:
        config = LCNConfig(KNN=knn)
        plain = PlainLCN(config.mask())
        train, infer = this_package(config)
        steps = {"plain": tf.function(plain.train), "ours": tf.function(train)}
        passes = {"plain": tf.function(plain), "ours": tf.function(infer)}
        times = compare(
            {
                "plain": lambda f=steps["plain"]: f(keypoints, labels),
                "ours": lambda f=steps["ours"]: f(batch),
            },
            arguments.rounds,
        )
        report(f"training, knn {knn}", times, arguments.batch_size)
        times = compare({name: lambda f=f: f(keypoints) for name, f in passes.items()}, arguments.rounds)
        report(f"inference, knn {knn}", times, arguments.batch_size)
    if arguments.evaluate:
        time_evaluation()


if __name__ == "__main__":
    main()
