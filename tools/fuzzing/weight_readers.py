"""Weights, checkpoints, configs, and what a training run left in its folder."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.numbers import are_held, held_numbers
from fuzzing.reader import Reader

from tf_pose3d.zip_files import ZIP_DAMAGE

__all__ = ["READERS"]


def _tensors() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        "w1.weight": draw.normal(size=(4, 6)).astype("f4"),
        "w1.bias": draw.normal(size=4).astype("f4"),
        "batch_norm1.num_batches_tracked": np.array(3),
    }


class _Named:
    """A name of another package, pickled without that package."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        raise TypeError("only written, never called")


class _Storage:
    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class _Tensor:
    def __init__(self, storage: _Storage) -> None:
        self.storage = storage

    def __reduce__(self) -> tuple:
        values = self.storage.values
        strides = tuple(step // values.itemsize for step in values.strides)
        arguments = (self.storage, 0, values.shape, strides, False, {})
        return _Named("torch._utils", "_rebuild_tensor_v2"), arguments


class _Pickler(pickle._Pickler):
    """Python's own pickler, which also writes names that this machine may lack."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Named):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> tuple | None:
        if not isinstance(obj, _Storage):
            return None
        kind = {"f4": "FloatStorage", "i8": "LongStorage"}[obj.values.dtype.str[1:]]
        return "storage", _Named("torch", kind), obj.key, "cpu", obj.values.size


def _pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, 2).dump(value)
    return buffer.getvalue()


def _pytorch(zipped: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        storages = {name: _Storage(str(n), v) for n, (name, v) in enumerate(_tensors().items())}
        state = {f"module.{name}": _Tensor(storage) for name, storage in storages.items()}
        content = {"epoch": 7, "lr": 0.001, "state_dict": state, "optimizer": {"state": {}}}
        path = folder / "ckpt_best.pth.tar"
        if zipped:
            with zipfile.ZipFile(path, "w") as archive:
                members = {"data.pkl": _pickled(content), "version": b"3\n", "byteorder": b"little"}
                members |= {f"data/{s.key}": s.values.tobytes() for s in storages.values()}
                for name, held in members.items():
                    archive.writestr(zipfile.ZipInfo(f"archive/{name}"), held)
            return path
        keys = [storage.key for storage in storages.values()]
        parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, keys)
        raw = [s.values.size.to_bytes(8, "little") + s.values.tobytes() for s in storages.values()]
        path.write_bytes(b"".join(map(_pickled, parts)) + b"".join(raw))
        return path

    return make


def _read_pytorch(path: Path) -> Any:
    from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint

    return read_pytorch_checkpoint(path)


def _wrong_checkpoint(checkpoint: Any, path: Path) -> str:
    """Numbers must be some of the file's: nothing else of the machine's memory may reach the weights."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    content = b"".join(file.read_bytes() for file in files)
    if content.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            content = b""
            for name in archive.namelist():
                # A member that the reader had no need of may be damaged.
                with contextlib.suppress(*ZIP_DAMAGE):
                    content += archive.read(name)
    for name, tensor in checkpoint.tensors.items():
        if tensor.nbytes > 100 * len(content):
            return f"{name} is much larger than the file"
        flat = np.ascontiguousarray(tensor).reshape(-1)
        for number in range(min(flat.size, 64)):
            one = flat[number : number + 1]
            if one.tobytes() not in content and one.byteswap().tobytes() not in content:
                return f"{name} holds a number that is not in the file"
    return ""


def _tensorflow1(folder: Path) -> Path:
    import tensorflow as tf

    root = folder / "model"
    root.mkdir()
    arrays = {name.replace(".", "/"): value for name, value in _tensors().items()}
    tf.raw_ops.SaveV2(
        prefix=str(root / "model-7"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(value) for value in arrays.values()],
    )
    (root / "checkpoint").write_text('model_checkpoint_path: "model-7"\n')
    return root


def _read_tensorflow1(path: Path) -> Any:
    from tf_pose3d.weight_files.tensorflow1 import read_tensorflow1_checkpoint

    return read_tensorflow1_checkpoint(path)


@functools.cache
def _network() -> Any:
    import keras

    layers = [keras.layers.Dense(3, name="lift"), keras.layers.Dense(2, name="read_out")]
    return keras.Sequential([keras.Input((4,)), *layers])


def _weights(folder: Path) -> Path:
    from tf_pose3d.weight_files.hdf5 import save_weights

    path = folder / "best_weights.h5"
    keys = np.random.default_rng(0)
    _network().set_weights([keys.normal(size=weight.shape) for weight in _network().weights])
    save_weights(_network(), path, {"ARCH": "Martinez", "BATCH_SIZE": 4}, epoch=3)
    return path


def _without_checksums(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """As files are that others or earlier versions wrote: damage of their numbers is not refused as such."""

    def made(folder: Path) -> Path:
        import h5py

        from tf_pose3d.weight_files.checksums import CHECKSUM

        path = make(folder)
        with h5py.File(path, "r+") as file:
            for held in (file, *file.values()):
                held.attrs.pop(CHECKSUM, None)
        return path

    return made


def _read_weights(path: Path) -> Any:
    from tf_pose3d.weight_files.hdf5 import load_weights, read_config, read_layout

    config, layout = read_config(path), read_layout(path)
    load_weights(_network(), path)
    return config, layout, [np.asarray(weight) for weight in _network().get_weights()]


def _wrong_weights(held: Any, path: Path) -> str:
    config, _, weights = held
    if config is not None and not isinstance(config, dict):
        return "a config that is no object"
    known = held_numbers(path)
    for weight in weights:
        if not np.isfinite(weight).all():
            return "weights that are not finite"
        if not are_held(weight, known):
            return "weights that are not in the file"
    return ""


@functools.cache
def _variables() -> dict[str, list[Any]]:
    import keras

    initial = np.arange(6, dtype="f4").reshape(2, 3)
    variables = [keras.Variable(initial, name="kernel"), keras.Variable(initial[0], name="bias")]
    return {"weights": variables, "optimizer": [keras.Variable(3, dtype="int64", name="iteration")]}


def _checkpoint(folder: Path) -> Path:
    from tf_pose3d.training.checkpoints import save_checkpoint

    path = folder / "cp_0001.h5"
    state = {"step": 10, "config": {"ARCH": "Martinez"}, "history": {"loss": [[1, 0.5]]}}
    save_checkpoint(
        path, _variables(), state | {"best_weights": None, "last_weights": "last_weights_0001.h5"}
    )
    return path


def _read_checkpoint(path: Path) -> Any:
    from tf_pose3d.training.checkpoints import load_checkpoint

    state = load_checkpoint(path, _variables())
    return state, [np.asarray(value) for group in _variables().values() for value in group]


def _wrong_state(held: Any, path: Path) -> str:
    state, values = held
    if not isinstance(state, dict):
        return "a state that is no object"
    if not all(np.isfinite(value).all() for value in values):
        return "variables that are not finite"
    known = held_numbers(path)
    fine = all(are_held(value, known) for value in values)
    return "" if fine else "variables that are not in the file"


@functools.cache
def _keras_network() -> bytes:
    import tempfile

    import tf_pose3d

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        config = tf_pose3d.load_config(arch="martinez").replace(HID_DIM=8)
        tf_pose3d.build_model(config).save(path)
        return path.read_bytes()


def _keras_file(folder: Path) -> Path:
    path = folder / "network.keras"
    path.write_bytes(_keras_network())
    return path


def _read_keras_file(path: Path) -> Any:
    from tf_pose3d.models.keras_file import load_keras_file

    return load_keras_file(path)


def _wrong_network(network: Any, path: Path) -> str:
    known = held_numbers(path)
    for weight in network.get_weights():
        if not np.isfinite(np.asarray(weight)).all():
            return "weights that are not finite"
        if not are_held(weight, known):
            return "weights that are not in the file"
    return ""


def _config(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        values = {"ARCH": "VideoPose3D", "FILTER_WIDTHS": [3, 3], "BATCH_SIZE": 256, "SCHEDULE_PARAMS": {}}
        values |= {"DROP_RATE": 0.25, "EMA_ENABLED": False, "MAX_NORM": None, "KEYPOINTS": "gt"}
        path = folder / f"config{suffix}"
        if suffix == ".json":
            path.write_text(json.dumps(values, indent=1))
        else:
            path.write_text("# ours\n" + "".join(f"{key} {json.dumps(v)}\n" for key, v in values.items()))
        return path

    return make


def _release_config(folder: Path) -> Path:
    path = folder / "MB_ft_h36m.yaml"
    lines = ["# General", "maxlen: 27", "epochs: 60", "batch_size: 32", "learning_rate: 0.0002"]
    lines += ["lr_decay: 0.99", "depth: 2", "dim_feat: 64", "num_heads: 8", "att_fuse: True", "flip: True"]
    path.write_text("\n".join([*lines, "no_conf: False", "subset_list: [H36M-SH]"]) + "\n")
    return path


def _read_config(path: Path) -> Any:
    from tf_pose3d.models.loading import as_config

    return as_config(path)


def _wrong_config(config: Any, path: Path) -> str:
    again = type(config).from_dict(config.to_dict())
    return "" if again == config else "a config that is another one when written and read"


READERS = [
    Reader("PyTorch, zip", _pytorch(True), _read_pytorch, _wrong_checkpoint),
    Reader("PyTorch, older form", _pytorch(False), _read_pytorch, _wrong_checkpoint),
    Reader("TensorFlow 1 checkpoint", _tensorflow1, _read_tensorflow1, _wrong_checkpoint),
    Reader("weights .h5", _weights, _read_weights, _wrong_weights),
    Reader("weights .h5, no checksums", _without_checksums(_weights), _read_weights, _wrong_weights),
    Reader("training checkpoint .h5", _checkpoint, _read_checkpoint, _wrong_state),
    Reader("checkpoint .h5, no checksums", _without_checksums(_checkpoint), _read_checkpoint, _wrong_state),
    Reader("network .keras", _keras_file, _read_keras_file, _wrong_network, 0.1),
    Reader("config .json", _config(".json"), _read_config, _wrong_config),
    Reader("config .txt", _config(".txt"), _read_config, _wrong_config),
    Reader("config .yaml", _release_config, _read_config, _wrong_config),
]
