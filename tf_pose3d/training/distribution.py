"""Which tf.distribute strategy a program runs under."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.process import STRATEGIES

__all__ = ["cluster_name", "is_chief", "make_strategy", "task_index", "worker_addresses"]


def make_strategy(name: str = "auto", gpu_id: int = 0) -> tf.distribute.Strategy:
    """A strategy by name.

    Args:
        name: `"one"`: one device, GPU `gpu_id` where there are GPUs. `"mirrored"`: all GPUs of this
            machine (all logical CPUs where there is no GPU). `"multi_worker"`: one process per worker,
            as TF_CONFIG in the environment says. `"auto"`: multi_worker when TF_CONFIG names several
            workers, else one.
        gpu_id: For `"one"`.

    Raises:
        Pose3DError: Unknown name, no such GPU, or multi_worker without a usable TF_CONFIG.
    """
    if name not in STRATEGIES:
        raise Pose3DError(f"--strategy is {name!r}, expected one of {', '.join(STRATEGIES)}")
    workers = worker_addresses()
    if name == "auto":
        name = "multi_worker" if len(workers) > 1 else "one"
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if name == "multi_worker":
        if not workers:
            raise Pose3DError(
                "--strategy multi_worker needs TF_CONFIG in the environment, e.g. "
                '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = None if gpus else [device.name for device in tf.config.list_logical_devices("CPU")]
        return tf.distribute.MirroredStrategy(devices)
    if not gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    if gpu_id >= len(gpus):
        raise Pose3DError(f"GPU {gpu_id} was asked for, but there are {len(gpus)} (counted from 0)")
    return tf.distribute.OneDeviceStrategy(f"/gpu:{gpu_id}")


def is_chief() -> bool:
    """Whether this process is the one of several workers that writes files."""
    task = _tf_config().get("task", {})
    return task.get("type", "worker") in ("chief", "worker") and task.get("index", 0) == 0


def cluster_name() -> str:
    """Names the workers of this run, the same for all of them; empty: there is one process."""
    workers = worker_addresses()
    return ",".join(map(str, workers)) if len(workers) > 1 else ""


def task_index() -> int:
    """Which worker this process is."""
    return int(_tf_config().get("task", {}).get("index", 0))


def worker_addresses() -> list[str]:
    """`host:port` of each worker, as TF_CONFIG says; empty: there is one process."""
    return list(_tf_config().get("cluster", {}).get("worker", []))


def _tf_config() -> dict:
    text = os.environ.get("TF_CONFIG", "{}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise Pose3DError(f"TF_CONFIG in the environment is not valid JSON: {reason}") from None
    if not isinstance(value, dict):
        raise Pose3DError("TF_CONFIG in the environment is not a JSON object")
    return value
