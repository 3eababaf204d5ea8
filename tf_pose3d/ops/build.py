"""Compile the operations: `python -m tf_pose3d.ops.build [--cuda | --no-cuda]`.

The library is made for the TensorFlow that is installed. The CPU kernels are compiled for the compiler's
default instruction set and, on x86, for AVX2 as well; the choice is made when they run, so that a library
may be carried to another machine of the same architecture.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import cache

WANTED_GPUS = (70, 75, 80, 86, 89, 90, 100)

_FLAGS = ["-O3", "-fPIC", "-std=c++17", "-fno-math-errno", "-ffp-contract=fast", "-w"]
# Compiled once per instruction set.
_SIMD_SOURCES = (
    "deform_conv_cpu.cc",
    "transformer_cpu.cc",
    "block_matmul_cpu.cc",
    "normed_activation_cpu.cc",
    "line_maximum_cpu.cc",
    "soft_argmax_cpu.cc",
)
_TENSORFLOW_SOURCES = (
    "deform_conv_op.cc",
    "deform_psroi_pooling_op.cc",
    "transformer_op.cc",
    "block_matmul_op.cc",
    "normed_activation_op.cc",
    "line_maximum_op.cc",
    "soft_argmax_op.cc",
)
_TENSORFLOW_GPU_SOURCES = ("deform_conv_op_gpu.cc", "deform_psroi_pooling_op_gpu.cc")
_CUDA_SOURCES = ("deform_conv_cuda.cu", "deform_psroi_pooling_cuda.cu")


def find_compiler() -> str | None:
    """The C++ compiler: the environment's CXX, else g++, c++ or clang++ on the path; None without one."""
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "c++", "clang++"]
    return next((path for path in map(shutil.which, candidates) if path), None)


def find_nvcc() -> str | None:
    """NVIDIA's compiler, on the path or below CUDA_HOME; None without one."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return shutil.which("nvcc") or shutil.which("nvcc", path=os.path.join(home, "bin"))


def gpu_targets(nvcc: str) -> list[str]:
    """nvcc's flags for every wanted GPU that it knows, and code for later ones to compile as they run."""
    listed = _run([nvcc, "--list-gpu-code"]).split()
    known = [number for number in WANTED_GPUS if f"sm_{number}" in listed]
    if not known:
        raise Pose3DError(f"{nvcc} knows none of the GPUs {', '.join(f'sm_{n}' for n in WANTED_GPUS)}")
    flags = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in known]
    return [*flags, f"-gencode=arch=compute_{known[-1]},code=compute_{known[-1]}"]


def build(cuda: bool) -> Path:
    """The compiled library, built unless it exists; several processes may ask at once.

    Args:
        cuda: with kernels for NVIDIA GPUs, which takes nvcc and some minutes.

    Raises:
        Pose3DError: there is no compiler, it fails, or there is nowhere to write.
    """
    existing = cache.find(cuda)
    if existing:
        return existing
    folder = cache.writable_directory()
    with cache.locked(folder):
        target = folder / cache.library_name(cuda)
        if not target.is_file():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                library = _compile(Path(scratch), cuda)
                library.replace(target)
        return target


def _compile(scratch: Path, cuda: bool) -> Path:
    import tensorflow as tf

    compiler = find_compiler()
    if compiler is None:
        raise Pose3DError("no C++ compiler found: install g++ or set CXX")
    tensorflow_flags = [*tf.sysconfig.get_compile_flags(), *_FLAGS]
    # Everything compiled per instruction set is listed first: it takes longest.
    jobs = [(name, "baseline", [*_FLAGS, "-DTF_POSE3D_ISA=baseline"]) for name in _SIMD_SOURCES]
    if platform.machine().lower() in ("x86_64", "amd64"):
        flags = [*_FLAGS, "-DTF_POSE3D_ISA=avx2", "-mavx2", "-mfma"]
        jobs = [(name, "avx2", flags) for name in _SIMD_SOURCES] + jobs
        tensorflow_flags.append("-DTF_POSE3D_HAS_AVX2")
    jobs += [(name, "op", tensorflow_flags) for name in _TENSORFLOW_SOURCES]
    jobs.append(("deform_psroi_pooling_cpu.cc", "cpu", [*_FLAGS, "-DTF_POSE3D_ISA=baseline"]))
    commands = [
        ([compiler, *flags, "-c", str(cache.SOURCES / name)], scratch / f"{name}.{kind}.o")
        for name, kind, flags in jobs
    ]
    link = [compiler, "-shared"]
    if cuda:
        nvcc = find_nvcc()
        if nvcc is None:
            raise Pose3DError(
                "no nvcc found: install the CUDA toolkit, set CUDA_HOME, or build with --no-cuda"
            )
        # nvcc runs the C++ compiler on these too: it knows where its own headers lie.
        wrapped = [f"-Xcompiler={flag}" for flag in tensorflow_flags]
        commands += [
            ([nvcc, "-ccbin", compiler, *wrapped, "-c", str(cache.SOURCES / name)], scratch / f"{name}.o")
            for name in _TENSORFLOW_GPU_SOURCES
        ]
        commands += [(cuda_command(nvcc, name), scratch / f"{name}.o") for name in _CUDA_SOURCES]
        link = [nvcc, "-shared", "-cudart", "static", "-ccbin", compiler]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = [pool.submit(_run, [*command, "-o", str(target)]) for command, target in commands]
        try:
            for result in results:
                result.result()
        finally:
            pool.shutdown(cancel_futures=True)
    library = scratch / "library.so"
    _run([*link, *(str(item) for _, item in commands), "-o", str(library), *_link_flags(tf, nvcc_links=cuda)])
    return library


def cuda_command(nvcc: str, source: str) -> list[str]:
    """The command that compiles one of the CUDA sources, up to its output."""
    flags = ["-O3", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", "-w"]
    return [nvcc, *flags, *gpu_targets(nvcc), "-c", str(cache.SOURCES / source)]


def _link_flags(tf: object, nvcc_links: bool) -> list[str]:
    flags = tf.sysconfig.get_link_flags()
    if platform.system() == "Darwin":
        flags = [*flags, "-undefined", "dynamic_lookup"]
    return [part for flag in flags for part in ("-Xlinker", flag)] if nvcc_links else flags


def _run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if "error" in line), lines[-1] if lines else "no message")
        raise Pose3DError(f"{Path(command[0]).name} failed: {reason.strip()}")
    return result.stdout


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tf_pose3d.ops.build", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--cuda",
        action=argparse.BooleanOptionalAction,
        help="compile kernels for NVIDIA GPUs (default: where nvcc and a TensorFlow with CUDA are found)",
    )
    cuda = parser.parse_args(argv).cuda
    try:
        if cuda is None:
            import tensorflow as tf

            cuda = find_nvcc() is not None and tf.test.is_built_with_cuda()
        print(build(cuda))
    except Pose3DError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
