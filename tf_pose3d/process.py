"""The whole process: settings that make TensorFlow faster on a CPU, and what libraries print."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator

__all__ = [
    "STRATEGIES",
    "XLA_ON_CPU",
    "cores_apart",
    "half_precision_on_cpu",
    "held_stderr",
    "keep_freed_memory",
    "share_cores",
    "split_cores",
    "tune_process",
]

# How a training is spread over devices and machines, see `tf_pose3d.training.distribution`.
STRATEGIES = ("auto", "one", "mirrored", "multi_worker")

# Of mallopt(3), where -1 as a trim threshold means that nothing is ever given back.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Has the C library keep what tensors free for the next ones instead of giving it back to the system.

    A step of a network frees and takes the same large blocks again and again. By default glibc maps each
    anew, and the system clears it page by page, which can take half of a step's time. What the process
    holds at its peak stays the same; it is returned when the process ends.

    Returns:
        Whether that is so now: only with glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, 2**26))
    return all(mallopt(setting, value) == 1 for setting, value in settings)


# Threads of an operation, and operations at a time.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def split_cores(branches: int | None, cores: int) -> tuple[int, int]:
    """How TensorFlow had best use the cores for a network.

    By itself it splits each operation over all cores and does several at a time, so that the operations of
    two branches wait for each other's halves. With a core for each branch they need not be split.

    Args:
        branches: Parts of about the same size that the network computes beside each other; None: as many as
            there are cores.
        cores: Of the machine, or that may be used.

    Returns:
        (threads of an operation, operations at a time).
    """
    return (1, cores) if branches is None or 1 < branches == cores else (cores, cores)


def share_cores(branches: int | None) -> None:
    """Has TensorFlow use this machine's cores as `split_cores` says, where that differs from its own way.

    That is before TensorFlow is imported; `TF_NUM_INTRAOP_THREADS` and `TF_NUM_INTEROP_THREADS` win where
    they are set.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    split = split_cores(branches, cores)
    if split == (cores, cores) or "tensorflow" in sys.modules or any(name in os.environ for name in _THREADS):
        return
    os.environ.update(zip(_THREADS, map(str, split), strict=True))


def cores_apart() -> int:
    """How many operations TensorFlow does at a time with a core each; 1 where it splits operations."""
    from tensorflow import config

    threading = config.threading
    of_one, beside = (
        int(chosen or os.environ.get(name) or 0)
        for chosen, name in zip(
            (threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()),
            _THREADS,
            strict=True,
        )
    )
    return max(beside, 1) if of_one == 1 else 1


def tune_process() -> None:
    """Keeps freed memory, and takes oneDNN's kernels for matrix products and convolutions.

    TensorFlow reads which kernels to use when it is imported, so that this comes before. It uses oneDNN's
    by itself only on processors with AVX-512; they are faster on others as well. The environment's
    `TF_ENABLE_ONEDNN_OPTS` wins where it is set, and so do glibc's `MALLOC_...` variables.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if not any(name.startswith("MALLOC_") for name in os.environ):
        keep_freed_memory()


@contextlib.contextmanager
def held_stderr() -> Iterator[None]:
    """Holds back what libraries write to file descriptor 2; shows it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


# Of a line wherever a run on a CPU was asked for XLA.
XLA_ON_CPU = "on a CPU XLA is slower for most networks, and level for SemGCN (docs/training.md)"

# What /proc/cpuinfo calls instructions that multiply numbers of half precision.
_INSTRUCTIONS = {
    "bfloat16": {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"},
    "float16": {"amx_fp16": "AMX", "avx512_fp16": "AVX512-FP16"},
}


def half_precision_on_cpu(dtype: str) -> str:
    """What this processor makes of products in half precision, as a phrase of a line.

    Args:
        dtype: `"bfloat16"` or `"float16"`.
    """
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return "whether this processor multiplies it faster than float32 is not known"
    for flag, name in _INSTRUCTIONS[dtype].items():
        if flag in flags:
            return f"which this processor multiplies faster by its {name} instructions"
    return "which this processor has no instructions for: it is only slower"
