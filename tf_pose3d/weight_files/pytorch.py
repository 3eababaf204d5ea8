"""Reads PyTorch checkpoints without PyTorch and without running what they contain.

`torch.save` has written two forms. The newer one is a zip file with a pickle, in which tensors refer to
storages, and one member per storage. The older one is a file of pickles (a magic number, a protocol number,
facts about the writing machine, the content, the list of storages) followed by the storages' raw bytes.
Storages are read only where a wanted tensor lies in them, so that an optimizer's state costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed
from tf_pose3d.unpickling import DAMAGE, Admitted, PlainUnpickler, Refused, reason_of
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.zip_files import ZIP_DAMAGE, check_growth

__all__ = ["read_pytorch_checkpoint"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# Keys under which releases keep the network, in the order in which they are looked for.
_STATE_KEYS = ("state_dict", "model_pos", "model_state_dict", "model")
# VideoPose3D's second network; its tensors are read, too, with this before their names.
_TRAJECTORY = "model_traj"
_BFLOAT16 = "bfloat16"
_DAMAGE = (*DAMAGE, *ZIP_DAMAGE)
# Bytes that the tensors of any file may take; beyond, their number depends on the file's size.
_ALWAYS_ALLOWED = 1 << 26
# PyTorch's own limit is 64; networks have at most five.
_MOST_AXES = 32
_STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _StorageType:
    """Stands for `torch.FloatStorage` and its siblings, which pickles name and never call."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code

    def __setstate__(self, state: Parsed) -> None:
        raise Refused("changes a storage type; only plain data is read")

    @property
    def itemsize(self) -> int:
        return 2 if self.code == _BFLOAT16 else np.dtype(self.code).itemsize


@dataclasses.dataclass(frozen=True)
class _Storage:
    """A storage that a pickle refers to: `count` numbers from number `first` on of the one named `key`."""

    kind: _StorageType
    key: str
    first: int
    count: int

    def __setstate__(self, state: Parsed) -> None:
        raise Refused("changes a storage after it was checked; only plain data is read")


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor that a pickle describes; offset and strides count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __setstate__(self, state: Parsed) -> None:
        raise Refused("changes a tensor after it was checked; only plain data is read")


class _Inert:
    """Takes the place of an object that is of no use here, such as a random number generator."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Parsed) -> None:
        pass


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage) or type(shape) is not tuple or type(strides) is not tuple:
        raise ValueError("a tensor without storage or shape")
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise ValueError(f"a tensor of {len(shape)} axes with {len(strides)} strides")
    if not all(type(number) is int and 0 <= number < 2**62 for number in numbers):
        raise ValueError("a tensor whose offset, shape or strides are no whole numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: _Tensor, *_: Any) -> _Tensor:
    return tensor


def _torch_names() -> dict[tuple[str, str], Any]:
    inert = Admitted(_Inert)
    names: dict[tuple[str, str], Any] = {
        ("torch._utils", "_rebuild_tensor"): Admitted(_rebuild_tensor),
        ("torch._utils", "_rebuild_tensor_v2"): Admitted(_rebuild_tensor),
        ("torch._utils", "_rebuild_parameter"): Admitted(_rebuild_parameter),
        ("torch", "Size"): Admitted(tuple),
        ("torch", "device"): inert,
        ("numpy.random", "__RandomState_ctor"): inert,
        ("numpy.random._pickle", "__randomstate_ctor"): inert,
        ("numpy.random._pickle", "__bit_generator_ctor"): inert,
        ("numpy.random._mt19937", "MT19937"): inert,
    }
    for name, code in _STORAGES.items():
        for module in ("torch", "torch.cuda", "torch.storage"):
            names[module, name] = _StorageType(code)
    return names


_NAMES = _torch_names()


class _Unpickler(PlainUnpickler):
    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream, _NAMES)

    def persistent_load(self, identity: Parsed) -> _Storage:
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] not in ("storage", b"storage"):
            raise Refused("refers to something that is no tensor storage")
        _, kind, key, _, count, *view = identity
        if not isinstance(kind, _StorageType) or type(count) is not int or count < 0:
            raise ValueError("a storage without type or size")
        if not view or view[0] is None:
            return _Storage(kind, str(key), 0, count)
        # The oldest form: a storage that is a part of another one.
        _, first, length = view[0]
        if type(first) is not int or type(length) is not int or first < 0 or length < 0:
            raise ValueError("a part of a storage that begins or ends nowhere")
        return _Storage(kind, str(key), first, length)


# storage key -> the storage's bytes
_Reader = Callable[[str], bytes]


def _array(tensor: _Tensor, read: _Reader, little: bool) -> np.ndarray:
    """A tensor's numbers, out of its storage."""
    storage = tensor.storage
    half = storage.kind.code == _BFLOAT16
    dtype = np.dtype("u2" if half else storage.kind.code)
    count = math.prod(tensor.shape)
    if count == 0:
        return np.zeros(tensor.shape, np.float32 if half else dtype)
    stored = np.frombuffer(read(storage.key), dtype.newbyteorder("<" if little else ">"))
    stored = stored[storage.first : storage.first + storage.count]
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset + last >= len(stored) or count > len(stored):
        raise ValueError(f"a tensor of shape {tensor.shape} does not fit its storage of {len(stored)}")
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    array = np.lib.stride_tricks.as_strided(stored[tensor.offset :], tensor.shape, strides)
    if half:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype, order="C")


def _read_zip(stream: IO[bytes], path: Path) -> tuple[Any, _Reader, bool]:
    """The newer form: content, reader of storages, whether numbers are little-endian."""
    archive = zipfile.ZipFile(stream)
    for info in archive.infolist():
        check_growth(info)
    pickles = [name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise Pose3DError(f"{path} is a zip file, but not one that torch.save wrote: it has no data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    root = _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()
    order = f"{folder}byteorder"
    little = order not in archive.namelist() or archive.read(order) != b"big"
    return root, functools.lru_cache(2)(lambda key: archive.read(f"{folder}data/{key}")), little


def _read_pickles(stream: IO[bytes], path: Path) -> tuple[Any, _Reader, bool]:
    """The older form; `stream` stands behind the magic number."""
    protocol = _Unpickler(stream).load()
    if protocol != _PROTOCOL:
        raise Pose3DError(f"{path} is of protocol {protocol!r} of torch.save, expected {_PROTOCOL}")
    machine = _Unpickler(stream).load()
    little = bool(machine.get("little_endian", True)) if isinstance(machine, dict) else True
    root = _Unpickler(stream).load()
    keys = [str(key) for key in _Unpickler(stream).load()]
    # Storages lie one after the other; only their types, which the tensors know, tell their sizes.
    sizes = {storage.key: storage.kind.itemsize for storage in _storages(root)}
    places = {}
    for key in keys:
        header = stream.read(8)
        if len(header) < 8:
            raise ValueError("storages are missing at its end")
        length = int.from_bytes(header, "little" if little else "big") * sizes[key]
        places[key] = (stream.tell(), length)
        stream.seek(length, os.SEEK_CUR)

    def read(key: str) -> bytes:
        position, length = places[key]
        stream.seek(position)
        return stream.read(length)

    return root, functools.lru_cache(2)(read), little


def _storages(root: Parsed) -> Iterator[_Storage]:
    """Every storage that nested containers refer to."""
    waiting, seen = [root], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Tensor):
            yield value.storage
        elif isinstance(value, _Storage):
            yield value
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
            if isinstance(value, dict):
                waiting.extend(value)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise Pose3DError(f"{path} {error} (of whole pickled models, save the state_dict instead)") from None
    except Pose3DError:
        raise
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist, expected a PyTorch checkpoint") from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:  # damage surfaces in zipfile, pickle or numpy
        raise Pose3DError(
            f"{path} is truncated or damaged ({reason_of(error)}); copy or make it again"
        ) from None


def _is_state(value: Parsed) -> bool:
    return isinstance(value, dict) and any(isinstance(part, _Tensor) for part in value.values())


def _find_state(root: Parsed, path: Path) -> tuple[dict[str, _Tensor], dict[str, Any]]:
    """The network's tensors by name, and what lies beside them."""
    if not isinstance(root, dict):
        raise Pose3DError(f"{path} holds a {type(root).__name__}, expected a dict of tensors")
    named = next((name for name in _STATE_KEYS if _is_state(root.get(name))), None)
    if named is None and not _is_state(root):
        keys = ", ".join(map(str, list(root)[:8])) or "nothing"
        raise Pose3DError(f"{path} has no {' or '.join(_STATE_KEYS)} with tensors; it holds {keys}")
    state = root if named is None else root[named]
    tensors = {str(name): value for name, value in state.items() if isinstance(value, _Tensor)}
    if all(name.startswith("module.") for name in tensors):  # written from nn.DataParallel
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors, {} if named is None else root


def _optimizer_settings(optimizer: Parsed) -> dict[str, Any]:
    """`optimizer.NAME` -> single numbers of an optimizer's first group of parameters."""
    groups = optimizer.get("param_groups") if isinstance(optimizer, dict) else None
    first = groups[0] if isinstance(groups, (list, tuple)) and groups else None
    if not isinstance(first, dict):
        return {}
    return {
        f"optimizer.{name}": value
        for name, value in first.items()
        if isinstance(value, (bool, int, float, np.generic))
    }


def _same_state(other: dict[str, _Tensor], state: dict[str, _Tensor]) -> bool:
    """Whether two states hold the same tensors."""
    first = next(iter(state.values()), None)
    return any(value is first for value in other.values())


def _check_sizes(state: dict[str, _Tensor], path: Path) -> None:
    """Tensors may share storages, but not so that a small file becomes much memory."""
    total = sum(math.prod(tensor.shape) * tensor.storage.kind.itemsize for tensor in state.values())
    size = path.stat().st_size
    if total > 16 * size + _ALWAYS_ALLOWED:
        raise ValueError(f"tensors of {total} bytes in a file of {size}")


def read_pytorch_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """The network's tensors and the single numbers beside them.

    Reads `.pth.tar`, `.pth`, `.bin` and `.pt` files in both forms of `torch.save`: a plain state dict, or a
    dict that holds one under `state_dict`, `model_pos`, `model_state_dict` or `model`. A `module.` before all
    names is taken off. Tensors of a `model_traj` beside it follow as `model_traj.NAME`. Of an `optimizer`
    beside it its settings are kept, as `optimizer.NAME`; its state and random number generators are passed
    over.

    Args:
        path: The file; its content decides how it is read, not its name.

    Returns:
        Tensors in their own dtype (bfloat16 as float32), C-ordered and writable.

    Raises:
        Pose3DError: The file is missing, truncated, something else, holds no state dict, or names anything
            that would run code.
    """
    path = Path(path)
    with _explained(path):
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"PK"):
                root, read, little = _read_zip(stream, path)
            elif head[:1] == b"\x80":
                if _Unpickler(stream).load() != _MAGIC:
                    raise Pose3DError(f"{path} is a pickle, but not one that torch.save wrote")
                root, read, little = _read_pickles(stream, path)
            else:
                what = (
                    "an HDF5 file" if head.startswith(b"\x89HDF") else "of another kind" if head else "empty"
                )
                raise Pose3DError(f"{path} is {what}, expected a PyTorch checkpoint")
            state, beside = _find_state(root, path)
            _check_sizes(state, path)
            tensors = {name: _array(tensor, read, little) for name, tensor in state.items()}
            if _is_state(beside.get(_TRAJECTORY)):
                path_state, _ = _find_state(beside[_TRAJECTORY], path)
                for name, tensor in path_state.items():
                    tensors[f"{_TRAJECTORY}.{name}"] = _array(tensor, read, little)
        entries = {
            str(name): value
            for name, value in beside.items()
            if isinstance(value, (bool, int, float, str, np.generic))
        }
        entries.update(_optimizer_settings(beside.get("optimizer")))
        # An optimizer's state holds tensors deeper down.
        others = (name for name, value in beside.items() if _is_state(value))
        left_out = tuple(
            str(name) for name in others if name != _TRAJECTORY and not _same_state(beside[name], state)
        )
    return Checkpoint(str(path), tensors, entries, left_out)
