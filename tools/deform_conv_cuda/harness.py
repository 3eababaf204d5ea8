"""Build the CUDA kernels without TensorFlow; check and time them against torchvision where there is a GPU.

    python tools/deform_conv_cuda/harness.py [--build-only] [--output FOLDER] [--arch sm_90]

Checking and timing need PyTorch and torchvision with CUDA. Wrap the command in `compute-sanitizer` to look
for accesses outside the tensors. PyTorch's TF32 stays off, so that both sides compute in float32.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OPS = HERE.parents[1] / "tf_pose3d" / "ops"
SOURCES = OPS / "deform_conv" / "src"

# name: batch, channels, height = width, filters, dilation = padding, deformable groups, mask
SHAPES = {
    "DenseWarper, dilation 3": (12, 20, 96, 20, 3, 20, False),
    "DenseWarper, dilation 6": (12, 20, 96, 20, 6, 20, False),
    "DenseWarper, dilation 12": (12, 20, 96, 20, 12, 20, False),
    "DenseWarper, dilation 18": (12, 20, 96, 20, 18, 20, False),
    "DenseWarper, dilation 24": (12, 20, 96, 20, 24, 20, False),
    "ResNet stage": (4, 256, 48, 256, 1, 1, False),
    "ResNet stage, modulated": (4, 256, 48, 256, 1, 1, True),
}


def build(folder: Path, arch: str) -> Path:
    """Compile the launchers into a shared library for one GPU architecture; returns its path."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path=os.path.join(home, "bin"))
    if nvcc is None:
        sys.exit("no nvcc found: install the CUDA toolkit or set CUDA_HOME")
    library = folder / "libdeform_conv_cuda.so"
    flags = ["-O3", "-std=c++17", "-shared", "-cudart", "static", "-Xcompiler", "-fPIC", f"-arch={arch}"]
    sources = [HERE / "launchers.cu", SOURCES / "deform_conv_cuda.cu"]
    includes = [f"-I{SOURCES}", f"-I{OPS / 'include'}"]
    subprocess.run([nvcc, *flags, *includes, *map(str, sources), "-o", str(library)], check=True)
    return library


def load(library: Path):
    """The library's functions, with their argument types."""
    functions = ctypes.CDLL(str(library))
    shape, pointer = ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p
    functions.deform_conv_forward.argtypes = [shape, *[pointer] * 7]
    functions.deform_conv_backward_bytes.argtypes = [shape]
    functions.deform_conv_backward_bytes.restype = ctypes.c_int64
    functions.deform_conv_backward.argtypes = [shape, *[pointer] * 12]
    return functions


class Case:
    """One shape: the same numbers for both sides."""

    def __init__(
        self, torch, functions, batch, channels, size, filters, dilation, deformable_groups, with_mask
    ):
        generator = torch.Generator(device="cuda").manual_seed(0)

        def random(*sizes):
            return torch.randn(*sizes, generator=generator, device="cuda")

        self.torch, self.functions, self.dilation = torch, functions, dilation
        taps = 9 * deformable_groups
        self.x = random(batch, channels, size, size)
        self.offset = 2 * random(batch, 2 * taps, size, size)
        self.weight = random(filters, channels, 3, 3) / (3 * channels**0.5)
        self.mask = (
            torch.rand(batch, taps, size, size, generator=generator, device="cuda") if with_mask else None
        )
        self.grad_y = random(batch, filters, size, size)
        numbers = [batch, size, size, channels, size, size, filters, 3, 3, 1, 1]
        numbers += [dilation] * 4 + [1, deformable_groups, 1]
        self.shape = (ctypes.c_int64 * len(numbers))(*numbers)
        self.kernel = self.weight.permute(2, 3, 1, 0).contiguous()
        bytes_needed = functions.deform_conv_backward_bytes(self.shape)
        self.workspace = torch.empty(bytes_needed, dtype=torch.uint8, device="cuda")
        self.y = torch.empty_like(self.grad_y)
        self.grads = [torch.empty_like(t) for t in (self.x, self.offset, self.kernel)]
        self.grad_mask = None if self.mask is None else torch.empty_like(self.mask)

    def _call(self, function, *tensors):
        stream = self.torch.cuda.current_stream().cuda_stream
        status = function(self.shape, *(None if t is None else t.data_ptr() for t in tensors), stream)
        if status:
            sys.exit(f"CUDA error {status}")

    def forward(self):
        self._call(
            self.functions.deform_conv_forward, self.x, self.offset, self.kernel, self.mask, None, self.y
        )

    def backward(self):
        self._call(
            self.functions.deform_conv_backward,
            *(self.x, self.offset, self.kernel, self.mask, self.grad_y),
            *(*self.grads, self.grad_mask, None, self.workspace),
        )

    def torchvision(self):
        """torchvision's output and the tensors that its gradients belong to."""
        from torchvision.ops import deform_conv2d

        leaves = [t.detach().requires_grad_() for t in (self.x, self.offset, self.weight)]
        mask = None if self.mask is None else self.mask.detach().requires_grad_()
        y = deform_conv2d(*leaves, padding=self.dilation, dilation=self.dilation, mask=mask)
        return y, leaves + ([] if mask is None else [mask])

    def check(self):
        """Largest difference from torchvision over all outputs, relative to each output's largest number."""
        self.forward()
        self.backward()
        y, leaves = self.torchvision()
        y.backward(self.grad_y)
        expected = [y, *(leaf.grad for leaf in leaves)]
        expected[3] = expected[3].permute(2, 3, 1, 0)
        got = [self.y, *self.grads] + ([] if self.mask is None else [self.grad_mask])
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(got, expected, strict=True))


def milliseconds(torch, run, repeats=50):
    """Median time of one call on the GPU."""
    for _ in range(10):
        run()
    times = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def compare(torch, functions) -> bool:
    """Print a line for each shape; returns whether all results agree."""
    right = True
    for name, numbers in SHAPES.items():
        case = Case(torch, functions, *numbers)
        error = case.check()
        y, leaves = case.torchvision()
        with torch.no_grad():
            theirs = milliseconds(torch, case.torchvision)
        theirs_back = milliseconds(
            torch,
            lambda y=y, leaves=leaves, g=case.grad_y: torch.autograd.grad(y, leaves, g, retain_graph=True),
        )
        ours, ours_back = milliseconds(torch, case.forward), milliseconds(torch, case.backward)
        right &= error < 1e-4
        print(
            f"{name:26s} error {error:.1e}  forward {ours:.3f} ms, torchvision {theirs:.3f} ms "
            f"({theirs / ours:.2f} x)  backward {ours_back:.3f} ms, torchvision {theirs_back:.3f} ms "
            f"({theirs_back / ours_back:.2f} x)"
        )
    return right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-only", action="store_true", help="compile and link, run nothing")
    parser.add_argument("--output", type=Path, help="folder for the library (default: a temporary one)")
    parser.add_argument("--arch", help="GPU architecture (default: the GPU's own, else sm_90)")
    arguments = parser.parse_args()
    torch = None
    if not arguments.build_only:
        try:
            import torch
            import torchvision  # noqa: F401
        except ImportError as error:
            sys.exit(f"{error}: checking needs PyTorch and torchvision with CUDA; use --build-only")
        if not torch.cuda.is_available():
            sys.exit("PyTorch finds no GPU: use --build-only")
    arch = arguments.arch or "sm_90"
    if torch is not None and not arguments.arch:
        arch = "sm_{}{}".format(*torch.cuda.get_device_capability())
    with tempfile.TemporaryDirectory() as temporary:
        library = build(arguments.output or Path(temporary), arch)
        functions = load(library)
        print(f"built {library.name} for {arch}")
        if torch is None:
            return 0
        return 0 if compare(torch, functions) else 1


if __name__ == "__main__":
    sys.exit(main())
