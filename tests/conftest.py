"""Fixtures that every test folder shares."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_runtest_setup(item: pytest.Item) -> None:
    # TensorFlow asks the processor, not oneDNN, whether it has bfloat16; oneDNN held to less than the
    # processor is (a way of seeing how others round) ends the process.
    held = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if item.get_closest_marker("bfloat16") and held in ("SSE41", "AVX", "AVX2"):
        pytest.skip(f"oneDNN held to {held} has no bfloat16")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference outputs small enough to live in the repository."""
    return REPOSITORY / "tests" / "golden"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data kept beside the checkout; tests that need it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}")
    return folder


@pytest.fixture(scope="session")
def golden_file(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the path of a golden file; one of more than a megabyte lies in parts, `NAME.0` and so on."""

    def find(name: str) -> Path:
        path = golden / name
        if path.exists():
            return path
        parts = sorted(path.parent.glob(f"{path.name}.*"))
        whole = tmp_path_factory.mktemp("golden") / path.name
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        return whole

    return find


@pytest.fixture(scope="session")
def made_tensors() -> Callable[[dict[str, list[int]]], dict[str, np.ndarray]]:
    """Gives tensors of a PyTorch checkpoint by their names and shapes, with numbers that the names decide.

    They stand for checkpoints that are too large to keep.
    """

    def make(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
        tensors = {}
        for name, shape in shapes.items():
            # The older generator: NumPy promises that its numbers stay.
            random = np.random.RandomState(zlib.crc32(name.encode()))
            if name.endswith("num_batches_tracked"):
                tensors[name] = np.array(3)
                continue
            if len(shape) > 1:
                values = random.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5
            elif name.endswith(("weight", "running_var")):
                values = random.uniform(0.5, 1.5, shape)
            else:
                values = 0.1 * random.normal(size=shape)
            tensors[name] = values.astype(np.float32)
        return tensors

    return make


@pytest.fixture(scope="session")
def write_pytorch() -> Callable[[Path, dict[str, np.ndarray], str], Path]:
    """Writes tensors as `torch.save` writes `{entry: state_dict}`, without PyTorch."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def whole(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    def write(path: Path, tensors: dict[str, np.ndarray], entry: str) -> Path:
        parts = []
        with zipfile.ZipFile(path, "w") as archive:
            for number, (name, array) in enumerate(tensors.items()):
                floats = array.dtype == np.float32
                array = array if floats else array.astype(np.int64)
                kind = b"FloatStorage" if floats else b"LongStorage"
                strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
                parts += [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n((", text("storage")]
                parts += [b"ctorch\n" + kind + b"\n", text(str(number)), text("cpu")]
                parts += [b"J" + struct.pack("<i", array.size) + b"tQK\0"]
                parts += [whole(array.shape), whole(strides if array.ndim else ())]
                parts += [b"\x89ccollections\nOrderedDict\n)RtR"]
                archive.writestr(f"archive/data/{number}", array.tobytes())
            content = b"\x80\x02}" + text(entry) + b"}(" + b"".join(parts) + b"us."
            archive.writestr("archive/data.pkl", content)
        return path

    return write


@contextlib.contextmanager
def _small_file_limit(size: int = 4096) -> Iterator[None]:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def small_file_limit() -> Callable[..., AbstractContextManager[None]]:
    """A block in which no file can grow beyond 4 kB, or beyond `size` bytes: a real error of the system.

    A block, and not the whole test: the limit holds for every file of the process, and the runner's own
    output may be one that is longer already.
    """
    return _small_file_limit
