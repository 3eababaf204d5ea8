"""Compile the operations: `python -m tf_pose3d.ops.build [LIBRARY] [--cuda | --no-cuda]`.

The library is made for the TensorFlow that is installed. The CPU kernels are compiled for the compiler's
default instruction set and, on x86, for AVX2 and AVX-512 as well; the choice is made when they run, so that
a library may be carried to another machine of the same architecture.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import cache

WANTED_GPUS = (70, 75, 80, 86, 89, 90, 100)

# Instruction sets beside the compiler's default, as `instruction_sets.h` chooses among them.
X86 = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"],
}

_FLAGS = ["-O3", "-fPIC", "-std=c++17", "-fno-math-errno", "-ffp-contract=fast", "-w"]
# How the names of sources end, in the order in which they are compiled: what takes longest comes first.
_SIMD = "_cpu.cc"  # kernels, compiled once per instruction set
_BASELINE = "_baseline.cc"  # kernels, compiled for the default instruction set alone
_TENSORFLOW = "_op.cc"
_TENSORFLOW_GPU = "_op_gpu.cc"
_CUDA = "_cuda.cu"


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


def build(cuda: bool, library: str = cache.MAIN_LIBRARY) -> Path:
    """The compiled library, built unless it exists; several processes may ask at once.

    Args:
        cuda: with kernels for NVIDIA GPUs, which takes nvcc and some minutes.
        library: which one, see `cache.OPTIONAL_LIBRARIES`.

    Raises:
        Pose3DError: there is no compiler, it fails, or there is nowhere to write.
    """
    existing = cache.find(cuda, library)
    if existing:
        return existing
    folder = cache.writable_directory()
    with cache.locked(folder):
        target = folder / cache.library_name(cuda, library)
        if not target.is_file() or cache.distrust(target):
            with cache.scratch(folder) as scratch:
                cache.publish(_compile(scratch, cuda, library), target)
        return target


def _compile(scratch: Path, cuda: bool, library: str) -> Path:
    import tensorflow as tf

    compiler = find_compiler()
    if compiler is None:
        raise Pose3DError("no C++ compiler found: install g++ or set CXX")
    sources = cache.sources(library)

    def ending(suffix: str) -> list[Path]:
        return [path for path in sources if path.name.endswith(suffix)]

    flags = [*_FLAGS, f"-I{cache.INCLUDE}"]
    baseline = [*flags, "-DTF_POSE3D_ISA=baseline"]
    tensorflow_flags = [*tf.sysconfig.get_compile_flags(), *flags]
    jobs = [(path, "baseline", baseline) for path in ending(_SIMD)]
    if platform.machine().lower() in ("x86_64", "amd64"):
        wider = [
            (path, name, [*flags, f"-DTF_POSE3D_ISA={name}", *options])
            for path in ending(_SIMD)
            for name, options in X86.items()
        ]
        jobs = wider + jobs
        tensorflow_flags.append("-DTF_POSE3D_X86")
    jobs += [(path, "op", tensorflow_flags) for path in ending(_TENSORFLOW)]
    jobs += [(path, "baseline", baseline) for path in ending(_BASELINE)]
    commands = [
        ([compiler, *options, "-c", str(path)], scratch / f"{path.name}.{kind}.o")
        for path, kind, options in jobs
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
            ([nvcc, "-ccbin", compiler, *wrapped, "-c", str(path)], scratch / f"{path.name}.o")
            for path in ending(_TENSORFLOW_GPU)
        ]
        commands += [(cuda_command(nvcc, path), scratch / f"{path.name}.o") for path in ending(_CUDA)]
        link = [nvcc, "-shared", "-cudart", "static", "-ccbin", compiler]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = [pool.submit(_run, [*command, "-o", str(target)]) for command, target in commands]
        try:
            for result in results:
                result.result()
        finally:
            pool.shutdown(cancel_futures=True)
    built = scratch / "library.so"
    _run([*link, *(str(item) for _, item in commands), "-o", str(built), *_link_flags(tf, nvcc_links=cuda)])
    return built


def cuda_command(nvcc: str, source: Path) -> list[str]:
    """The command that compiles one of the CUDA sources, up to its output."""
    flags = ["-O3", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", "-w", f"-I{cache.INCLUDE}"]
    return [nvcc, *flags, *gpu_targets(nvcc), "-c", str(source)]


def _link_flags(tf: ModuleType, nvcc_links: bool) -> list[str]:
    flags: list[str] = tf.sysconfig.get_link_flags()
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
        prog="python -m tf_pose3d.ops.build", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "library",
        nargs="?",
        choices=(cache.MAIN_LIBRARY, *cache.OPTIONAL_LIBRARIES),
        default=cache.MAIN_LIBRARY,
        help="which library (default: %(default)s, all that the package itself calls)",
    )
    parser.add_argument(
        "--cuda",
        action=argparse.BooleanOptionalAction,
        help="compile kernels for NVIDIA GPUs (default: where nvcc and a TensorFlow with CUDA are found)",
    )
    arguments = parser.parse_args(argv)
    cuda = arguments.cuda
    try:
        if cuda is None:
            import tensorflow as tf

            cuda = find_nvcc() is not None and tf.test.is_built_with_cuda()
        print(build(cuda, arguments.library))
    except Pose3DError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
