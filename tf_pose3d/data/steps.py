"""Endless shuffled training steps, each a function of the seed and its number alone.

Nothing is stored between steps, so that a run which starts at step k sees exactly what an uninterrupted one
sees there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_pose3d.errors import Pose3DError

__all__ = ["epoch_steps", "shuffled_entries", "step_dataset"]


def epoch_steps(entries: int, batch_size: int, steps: int | None = None) -> int:
    """Training steps of an epoch: as many as are asked for, else as many as go once through the data."""
    return steps or -(-entries // batch_size)


def shuffled_entries(stream: int, step: tf.Tensor, batch_size: int, num_entries: int) -> tf.Tensor:
    """`(batch_size,)` int64 entries of training step `step`.

    Steps run through pass after pass over all entries, each in an order of its own. The order is a keyed
    permutation computed per index.

    Args:
        stream: Keys the order; no other draw of the same run may share it.
        step: Training step, from 0.
        batch_size: Entries a step.
        num_entries: Of the data set.
    """
    position = tf.cast(step, tf.int64) * batch_size + tf.range(batch_size, dtype=tf.int64)
    passes = position // num_entries
    # A batch spans several passes only where it is larger than the data.
    streams = tf.fill([batch_size], tf.constant(stream, tf.int64))
    keys = tf.stack([streams, passes, tf.zeros_like(passes)], axis=1)
    # The public wrapper of this op takes a single key only.
    return tf.raw_ops.RandomIndexShuffle(
        index=position % num_entries,
        seed=tf.cast(keys, tf.int32),
        max_index=tf.constant(num_entries - 1, tf.int64),
        rounds=4,
    )


def step_dataset(
    make_batch: Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]],
    entries_of: Callable[[tf.Tensor], tf.Tensor],
    entries: int,
    first_step: int = 0,
    last_step: int | None = None,
    shards: int = 1,
    shard_ids: Sequence[int] = (0,),
    parallel: int = 2,
) -> tf.data.Dataset:
    """Batches of training steps, beginning at any step.

    Args:
        make_batch: (entries of one replica, key of its random draws) -> batch dict.
        entries_of: Step -> `(entries,)` entries of all replicas.
        entries: How many those are; a multiple of `shards`.
        first_step, last_step: First step to give and the one to stop before (None: never).
        shards: Over how many replicas each step is spread.
        shard_ids: The replicas that this data set feeds; it gives their shares in turn.
        parallel: Batches made at the same time.

    Raises:
        Pose3DError: The entries cannot be split so.
    """
    if entries % shards:
        raise Pose3DError(f"BATCH_SIZE {entries} is not a multiple of {shards} replicas")
    local = entries // shards

    def make(number: tf.Tensor) -> dict[str, tf.Tensor]:
        step = number // len(shard_ids)
        shard = tf.gather(tf.constant(list(shard_ids), tf.int64), number % len(shard_ids))
        mine = tf.reshape(entries_of(step)[shard * local : (shard + 1) * local], [local])
        return make_batch(mine, step * shards + shard)

    end = np.iinfo(np.int64).max if last_step is None else last_step * len(shard_ids)
    dataset = tf.data.Dataset.range(first_step * len(shard_ids), end)
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    # Rewriting the pipeline's graph would copy all frames, which are constants in it.
    options.experimental_optimization.apply_default_optimizations = False
    dataset = dataset.map(make, num_parallel_calls=parallel, deterministic=True)
    return dataset.with_options(options).prefetch(2)
