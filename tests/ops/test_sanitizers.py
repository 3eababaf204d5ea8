"""The kernels without TensorFlow, under the address and undefined behaviour sanitizers.

The CUDA kernels run on the CPU here, in an emulation that executes blocks in turn: that finds wrong
indices and wrong sums, not races. Where there is a GPU, tools/deform_conv_cuda/harness.py checks the rest.
"""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tf_pose3d.ops import build, cache

HERE = Path(__file__).resolve().parent
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-O1", "-g", "-std=c++17", "-w", "-fno-math-errno", "-ffp-contract=fast", *SANITIZERS]
FOLDERS = (HERE, HERE / "deform_conv", cache.INCLUDE, *cache.OPS.glob("*/src"))
INCLUDES = [f"-I{folder}" for folder in FOLDERS]

pytestmark = pytest.mark.slow


@pytest.fixture
def compiler(tmp_path):
    path = build.find_compiler()
    if path is None:
        pytest.skip("no C++ compiler")
    probe = tmp_path / "probe.cc"
    probe.write_text("int main() { return 0; }\n")
    if subprocess.run([path, *SANITIZERS, probe, "-o", tmp_path / "probe"], check=False).returncode:
        pytest.skip("the C++ compiler has no sanitizers")
    return path


def compile_and_run(commands, link, program):
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0] * len(running)
    subprocess.run([*link, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    assert result.stdout == "0 failures\n"


@pytest.mark.parametrize(
    ("operation", "harness"),
    [
        ("deform_conv", "cpu_harness.cc"),
        ("layer_norm", "harness.cc"),
        ("line_maximum", "harness.cc"),
    ],
)
def test_cpu_kernels(compiler, tmp_path, operation, harness):
    kernels = cache.OPS / operation / "src" / f"{operation}_cpu.cc"
    harness = HERE / operation / harness
    jobs = {"baseline.o": ["-DTF_POSE3D_ISA=baseline", kernels], "harness.o": [harness]}
    if platform.machine() == "x86_64":
        for name, options in build.X86.items():
            jobs[f"{name}.o"] = [f"-DTF_POSE3D_ISA={name}", *options, kernels]
        jobs["harness.o"].append("-DTF_POSE3D_X86")
    commands = [
        [compiler, *FLAGS, *INCLUDES, *arguments, "-c", "-o", tmp_path / target]
        for target, arguments in jobs.items()
    ]
    link = [compiler, *FLAGS, *(tmp_path / target for target in jobs), "-lpthread"]
    compile_and_run(commands, link, tmp_path / "harness")


@pytest.mark.parametrize(
    ("operation", "kernels"),
    [
        ("deform_conv", ["deform_conv_cuda.cu"]),
        ("deform_psroi_pooling", ["deform_psroi_pooling_cuda.cu", "deform_psroi_pooling_baseline.cc"]),
    ],
)
def test_cuda_kernels_in_emulation(compiler, tmp_path, operation, kernels):
    flags = [*FLAGS, f"-I{HERE / 'cuda_emulation'}", *INCLUDES, "-DTF_POSE3D_ISA=baseline"]
    sources = [HERE / operation / "cuda_harness.cc"]
    sources += [cache.OPS / operation / "src" / name for name in kernels]
    compile_and_run([], [compiler, *flags, "-x", "c++", *sources], tmp_path / "harness")


def test_cuda_harness_builds_and_links(tmp_path):
    if build.find_nvcc() is None:
        pytest.skip("no nvcc")
    script = HERE.parents[1] / "tools" / "deform_conv_cuda" / "harness.py"
    subprocess.run([sys.executable, script, "--build-only", "--output", tmp_path], check=True)
    library = ctypes.CDLL(str(tmp_path / "libdeform_conv_cuda.so"))
    assert library.deform_conv_forward
    assert library.deform_conv_backward
