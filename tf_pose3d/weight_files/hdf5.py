"""Weight files (`.h5`) in the layout that Keras 2 wrote, both ways.

Such a file has a root attribute `layer_names` and one group per top-level layer, whose attribute
`weight_names` lists its datasets: the trainable weights first, then the others. Inner names like
`temporal_block_1/mha_2/dense_12/kernel:0` depend on how many layers had been made before in the writing
process, so weights are matched by the name of their top-level layer and their position within it.

The name of a top-level layer depends on that, too, where Keras made it (`dense_7`). Files written here say of
such layers by what attribute of the model they are held (`encoder`, `blocks/0`), and are matched by that. In
files that do not say it, and for layers that no attribute holds, a class's layers are matched in their order,
if model and file have equally many; names count if they are the same ones on both sides.

Files written here also carry the model's full config, so that they can be used without a config file, and
checksums of it and of each layer, see `checksums`.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.hdf5_values import checked_hdf5, hdf5_attribute
from tf_pose3d.json_text import parse_json
from tf_pose3d.types import Parsed
from tf_pose3d.version import __version__
from tf_pose3d.weight_files.checksums import CHECKSUM, checksum_of, compare_checksum
from tf_pose3d.weight_files.tensorflow1 import find_tensorflow1_checkpoint

if TYPE_CHECKING:
    import keras

__all__ = [
    "convert_held_weights",
    "drop_weights",
    "hold_weights",
    "kind_of_weights",
    "load_weights",
    "opened_hdf5",
    "read_config",
    "read_layout",
    "read_weights",
    "save_weights",
    "seal_weights",
    "stored_dataset",
    "weight_fault",
]

_CONFIG = "tf_pose3d_config"
_VERSION = "tf_pose3d_version"
# Attribute of a layer's group: where the model holds the layer, whose name says nothing.
_PATH = "tf_pose3d_path"
# Room for one attribute in an HDF5 object header (64 kB less its own bookkeeping), as Keras 2 counts it.
_ATTRIBUTE_BYTES = 64512
# Where newer Keras 2 releases keep variables that belong to the model itself.
_TOP_LEVEL = "top_level_model_weights"
# Weights of trained networks stay far below, and averages of their layers' values, too.
_LARGEST_WEIGHT = 1e12
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class _FileLayer(list[tuple[str, h5py.Dataset]]):
    """A layer's names and datasets.

    Attributes:
        layer: Its name in the file.
        group: Where the file has them.
        place: Where the model that wrote them held the layer, if the file says that.
    """

    layer: str
    group: h5py.Group
    place: str | None = None

    def text(self) -> str:
        """What the layer's checksum is of besides its arrays."""
        return _layer_text(self.layer, self.place, [name for name, _ in self])

    def check(self, values: Sequence[np.ndarray], path: str | os.PathLike) -> None:
        """Holds all values, as stored, against what was written.

        Raises:
            Pose3DError: They differ.
        """
        named = ((name, value) for (name, _), value in zip(self, values, strict=True))
        compare_checksum(self.group, self.text(), named, what=f"{path}: layer {self.layer}")


def _layer_text(layer: str, place: str | None, names: Sequence[str]) -> str:
    return "\0".join([layer, place or "", *names])


def save_weights(
    model: keras.Model,
    path: str | os.PathLike,
    config: Mapping[str, Any] | None = None,
    **attributes: str | int | float,
) -> None:
    """Writes the weights of a built model, whole or not at all.

    A Keras 2 model with layers of the same names loads the file by position or by name. Whether a layer is
    frozen makes no difference. Half-precision weights are stored in float32.

    Args:
        model: A built model, all of whose variables belong to layers.
        path: The file to write.
        config: The model's full config, stored as JSON; see `read_config`.
        **attributes: Further root attributes, such as the epoch.

    Raises:
        Pose3DError: the model is not built, holds variables of its own, has two top-level layers of one name
            or weights that are not finite; or the file cannot be written.
    """
    buffer = _as_hdf5(model, path, config, attributes)
    with write_whole(path) as output:
        output.write(buffer.getbuffer())


def _as_hdf5(
    model: keras.Model,
    path: str | os.PathLike,
    config: Mapping[str, Any] | None,
    attributes: Mapping[str, Any],
) -> io.BytesIO:
    """The content of a weight file; see `save_weights`."""
    import keras

    reserved = {"layer_names", "backend", "keras_version", _CONFIG, _VERSION, CHECKSUM} & attributes.keys()
    if reserved:
        raise ValueError(f"attributes {sorted(reserved)} are written by save_weights itself")
    layers = _model_layers(model)
    paths = _automatic_paths(model)
    # HDF5 cannot close a file cleanly once the disk is full: it writes to memory, plain bytes go to disk.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _write_names(file, "layer_names", list(layers))
        # As ASCII bytes, as Keras wrote them: readers of its time decode them. `backend` states the kernels'
        # layout to Keras 2.
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = keras.__version__.encode("ascii")
        file.attrs[_VERSION] = __version__
        if config is not None:
            text = json.dumps(config)
            file.attrs[_CONFIG], file.attrs[CHECKSUM] = text, checksum_of(text)
        file.attrs.update(attributes)
        for layer, weights in layers.items():
            group = file.create_group(layer)
            if paths.get(layer):
                group.attrs[_PATH] = paths[layer]
            names = _weight_names(layer, weights)
            _write_names(group, "weight_names", names)
            written: list[np.ndarray] = []
            for name, weight in zip(names, weights, strict=True):
                value = _converted(keras.ops.convert_to_numpy(weight), weight.dtype)
                _check_numbers(value, f"cannot write {path}: weight {name} of the model")
                group.create_dataset(name, data=value)
                written.append(value)
            text = _layer_text(layer, paths.get(layer), names)
            group.attrs[CHECKSUM] = checksum_of(text, zip(names, written, strict=True))
        if _TOP_LEVEL not in layers:
            _write_names(file.create_group(_TOP_LEVEL), "weight_names", [])
    return buffer


def seal_weights(file: h5py.File, source: h5py.File, path: str | os.PathLike) -> None:
    """Writes the checksums of the layers of a weight file whose numbers were changed.

    Args:
        file: Open to be written to, in the layout of `save_weights`.
        source: What it was made from, opened by `opened_hdf5`: the same layers and names.
        path: Names the source in messages.

    Raises:
        Pose3DError: The source is in another layout.
    """
    for layer, datasets in _file_layers(source, path).items():
        named = [(name, file[layer][name][()]) for name, _ in datasets]
        file[layer].attrs[CHECKSUM] = checksum_of(datasets.text(), named)


@dataclasses.dataclass
class _Held:
    """Weights that are converted on the way, once they are read.

    Attributes:
        config: What `read_config` gives; known before there is a network.
        convert: Builds the network with the weights.
        content: As a weight file has it, when it was made.
    """

    config: dict[str, Any]
    convert: Callable[[], keras.Model]
    content: bytes | None = None

    def read(self, path: str | os.PathLike) -> bytes:
        if self.content is None:
            self.content = _as_hdf5(self.convert(), path, self.config, {}).getvalue()
        return self.content


# By what the checkpoint's file was then.
_HELD: dict[tuple[str, int, int], _Held] = {}


def _identity(path: str | os.PathLike) -> tuple[str, int, int]:
    """The file, its size and when it was changed; of a TensorFlow 1 checkpoint its table's."""
    place = os.path.realpath(path)
    prefix = find_tensorflow1_checkpoint(place) if not os.path.isfile(place) else None
    facts = os.stat(place if prefix is None else f"{prefix}.index")
    return place, facts.st_size, facts.st_mtime_ns


def hold_weights(
    path: str | os.PathLike, convert: Callable[[], keras.Model], config: Mapping[str, Any]
) -> None:
    """Lets all readers of this module find weights under the path of the checkpoint that they come from.

    Args:
        path: The checkpoint, as it is or will be given to them.
        convert: Gives the model with the checkpoint's weights; called when more than the config is read,
            or by `convert_held_weights`, once.
        config: See `save_weights`.
    """
    _HELD[_identity(path)] = _Held(json.loads(json.dumps(config)), convert)


def convert_held_weights() -> None:
    """Converts what `hold_weights` holds and nobody has read yet.

    Raises:
        Pose3DError: As the conversion.
    """
    for (path, _, _), held in list(_HELD.items()):
        held.read(path)


def _held(path: str | os.PathLike) -> _Held | None:
    return _HELD.get(_identity(path)) if _HELD and os.path.exists(path) else None


def drop_weights(path: str | os.PathLike) -> None:
    """Forgets what `hold_weights` holds of a path."""
    place = os.path.realpath(path)
    for held in [held for held in _HELD if held[0] == place]:
        del _HELD[held]


def kind_of_weights(path: str | os.PathLike) -> str:
    """What a file of weights is by its content.

    Returns:
        `"hdf5"`, `"pytorch"`, `"tensorflow1"` (a file, prefix or folder of a checkpoint), or `""`: something
        else, or nothing at all.
    """
    try:
        if not os.path.isfile(path) or os.fspath(path).endswith((".index", ".meta")) or _is_shard(path):
            return "tensorflow1" if find_tensorflow1_checkpoint(path) is not None else ""
        if str(path).endswith(".keras"):
            return ""
        with open(path, "rb") as file:
            head = file.read(len(_SIGNATURE))
    except OSError:
        return ""
    if head == _SIGNATURE:
        return "hdf5"
    # A zip file, or a pickle of protocol 2 and above.
    return "pytorch" if head[:2] == b"PK" or (head[:1] == b"\x80" and head[1:2] < b"\x06") else ""


def _is_shard(path: str | os.PathLike) -> bool:
    return re.search(r"\.data-\d{5}-of-\d{5}$", os.fspath(path)) is not None


def load_weights(model: keras.Model, path: str | os.PathLike, strict: bool = True) -> list[str]:
    """Loads a weight file into a built model. Either every weight is set, or none.

    Full models that Keras 2 saved are read too (their weights lie in the group `model_weights`). How layers
    are matched whose names Keras made says the module's text.

    Args:
        model: A built model.
        path: The file.
        strict: Whether model and file must have the same layers. If not, layers that only one of them has are
            passed over; those that both have must still agree in every shape.

    Returns:
        The model's layers that the file does not hold, which keep their weights; empty when `strict`.

    Raises:
        Pose3DError: the file is missing, not HDF5, damaged or not in this layout; or it does not fit the
            model (the message names the layer); or it holds NaN or infinity.
    """
    wanted = {layer: weights for layer, weights in _model_layers(model).items() if weights}
    values: list[tuple[keras.Variable, np.ndarray]] = []
    with opened_hdf5(path) as file:
        present = {layer: datasets for layer, datasets in _file_layers(file, path).items() if datasets}
        present = _under_model_names(model, wanted, present)
        missing = [layer for layer in wanted if layer not in present]
        extra = [layer for layer in present if layer not in wanted]
        if strict and (missing or extra):
            reasons = []
            if missing:
                reasons.append(f"the file lacks layers {_listed(missing)}")
            if extra:
                reasons.append(f"the model has no layers {_listed(extra)}")
            raise Pose3DError(f"{path} does not fit the model: {'; '.join(reasons)}")
        if len(missing) == len(wanted):
            raise Pose3DError(
                f"{path} holds none of the model's layers: it has {_listed(list(present))}, "
                f"the model {_listed(list(wanted))}"
            )
        common = [(layer, weights) for layer, weights in wanted.items() if layer in present]
        for layer, weights in common:
            _check_shapes(path, layer, present[layer], weights)
        for layer, weights in common:
            stored = [dataset[()] for _, dataset in present[layer]]
            for weight, (name, _), held in zip(weights, present[layer], stored, strict=True):
                value = _converted(held, weight.dtype)
                _check_numbers(value, f"{path}: layer {layer}, weight {name}")
                values.append((weight, value))
            present[layer].check(stored, path)
    for weight, value in values:
        weight.assign(value)
    return missing


def read_weights(
    path: str | os.PathLike, wanted: Mapping[str, Sequence[tuple[int, ...]]]
) -> dict[str, list[np.ndarray]]:
    """The weights of a file without a Keras model, float32.

    Args:
        path: The file.
        wanted: Shapes of the weights of each top-level layer.

    Raises:
        Pose3DError: As `load_weights`.
    """
    values: dict[str, list[np.ndarray]] = {}
    with opened_hdf5(path) as file:
        present = {layer: datasets for layer, datasets in _file_layers(file, path).items() if datasets}
        for layer, shapes in wanted.items():
            held = [dataset.shape for _, dataset in present.get(layer, [])]
            if held != list(shapes):
                raise Pose3DError(
                    f"{path} does not fit its config: layer {layer} has weights of shapes {held}, expected "
                    f"{list(shapes)}"
                )
        for layer in wanted:
            stored = [dataset[()] for _, dataset in present[layer]]
            values[layer] = [value.astype(np.float32, copy=False) for value in stored]
            for value, (name, _) in zip(values[layer], present[layer], strict=True):
                _check_numbers(value, f"{path}: layer {layer}, weight {name}")
            present[layer].check(stored, path)
    return values


def read_config(path: str | os.PathLike) -> dict[str, Any] | None:
    """The config that a weight file carries, or None: files of the original releases hold none.

    Raises:
        Pose3DError: the file is missing, not HDF5 or damaged, or its config is not a JSON object.
    """
    held = _held(path)
    if held is not None:
        return copy.deepcopy(held.config)
    with opened_hdf5(path) as file:
        text = hdf5_attribute(file, _CONFIG)
        if text is None:
            return None
        if not isinstance(text, str):
            raise Pose3DError(f"{path}: attribute {_CONFIG} is not a text")
        try:
            config = parse_json(text, "the text")
        except Pose3DError as error:
            raise Pose3DError(f"{path}: attribute {_CONFIG} is not JSON: {error}") from None
        if not isinstance(config, dict):
            raise Pose3DError(f"{path}: attribute {_CONFIG} is not a JSON object")
        compare_checksum(file, text, what=f"{path}: attribute {_CONFIG}")
    return config


def read_layout(path: str | os.PathLike) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Top-level layers of a weight file in their order, each with the names and shapes of its weights.

    Raises:
        Pose3DError: the file is missing, not HDF5, damaged or not in this layout.
    """
    with opened_hdf5(path) as file:
        return {
            layer: [(name, dataset.shape) for name, dataset in datasets]
            for layer, datasets in _file_layers(file, path).items()
        }


def _model_layers(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Top-level layers of a built model in their order, each with its weights in the order of the file."""
    if not model.built:
        raise Pose3DError(f"model {model.name} is not built; call it on a batch first")
    layers: dict[str, list[keras.Variable]] = {}
    for layer in model.layers:
        if layer.name in layers:
            raise Pose3DError(f"model {model.name} has two top-level layers named {layer.name}")
        layers[layer.name] = _ordered_weights(layer)
    in_layers = {id(weight) for weights in layers.values() for weight in weights}
    own = [weight.path for weight in model.weights if id(weight) not in in_layers]
    if own:
        raise Pose3DError(f"model {model.name} holds variables outside any layer: {_listed(own)}")
    return layers


def _automatic_base(layer: keras.Layer) -> str | None:
    """What a name that Keras made begins with, `dense` of `dense_7`; None where the name was given.

    A given name of the same form cannot be told apart, and is matched as well.
    """
    base = _snake_case(type(layer).__name__)
    return base if re.fullmatch(rf"{re.escape(base)}(_\d+)?", layer.name) else None


def _snake_case(name: str) -> str:
    """A class's name as Keras turns it into that of a layer."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _automatic_paths(model: keras.Model) -> dict[str, str | None]:
    """Top-level layers whose names Keras made, each with where the model's attributes hold it, or None."""
    import keras

    places: dict[int, str] = {}

    def note(held: Parsed, place: str) -> None:
        if isinstance(held, keras.Layer):
            places.setdefault(id(held), place)
        elif isinstance(held, Mapping):
            for key, value in held.items():
                note(value, f"{place}/{key}")
        elif isinstance(held, (list, tuple)):
            for number, value in enumerate(held):
                note(value, f"{place}/{number}")

    for attribute, held in vars(model).items():
        # Private attributes are Keras's own lists of everything, too.
        if not attribute.startswith("_"):
            note(held, attribute)
    return {layer.name: places.get(id(layer)) for layer in model.layers if _automatic_base(layer) is not None}


def _under_model_names(
    model: keras.Model, wanted: Mapping[str, Any], present: Mapping[str, _FileLayer]
) -> dict[str, _FileLayer]:
    """A file's layers under the names that the model has for them, where Keras made these.

    Args:
        model: Built.
        wanted: The model's layers with weights.
        present: The file's layers with weights.
    """
    paths = {layer: place for layer, place in _automatic_paths(model).items() if layer in wanted}
    names = dict.fromkeys(present)  # file's name -> model's; None: not matched yet
    in_file = {held.place: layer for layer, held in present.items() if held.place is not None}
    for layer, place in paths.items():
        if place in in_file:
            names[in_file[place]] = layer
    taken = set(names.values())
    bases: dict[str, list[str]] = {}
    for layer in model.layers:
        base = _automatic_base(layer)
        if base is not None and layer.name in paths and layer.name not in taken:
            bases.setdefault(base, []).append(layer.name)
    given = wanted.keys() - paths.keys()
    for base, layers in bases.items():
        form = re.compile(rf"{re.escape(base)}(_\d+)?")
        candidates = [
            layer
            for layer, name in names.items()
            if name is None and layer not in given and form.fullmatch(layer)
        ]
        if set(candidates) == set(layers):
            names.update({layer: layer for layer in layers})
        elif len(candidates) == len(layers):
            names.update(zip(candidates, layers, strict=True))
    result: dict[str, _FileLayer] = {}
    for layer, held in present.items():
        name = names[layer]
        # Nothing may slip in under a name that says nothing: what is left over is told as such.
        result[name or (f"{layer} (of the file)" if layer in paths else layer)] = held
    return result


def _ordered_weights(layer: keras.Layer) -> list[keras.Variable]:
    """Trainable weights, then the others, whether or not the layer is frozen at the moment.

    `layer.trainable_weights` is empty while a layer is frozen; which variables were made as trainable stays
    known only to the layers that own them.
    """
    fixed = {id(weight) for part in layer._flatten_layers() for weight in part._non_trainable_variables}
    return sorted(layer.weights, key=lambda weight: id(weight) in fixed)


def _weight_names(layer: str, weights: list[keras.Variable]) -> list[str]:
    """Dataset names as Keras 2 spells them, beginning with the layer's and unique in its group."""
    names: list[str] = []
    for weight in weights:
        parts = weight.path.split("/")
        stem = "/".join(parts[parts.index(layer) :] if layer in parts else [layer, *parts])
        name, copies = f"{stem}:0", 0
        while name in names:
            copies += 1
            name = f"{stem}_{copies}:0"
        names.append(name)
    return names


def _converted(value: np.ndarray, dtype: str) -> np.ndarray:
    """Floating weights in float32, in float64 if that is the variable's `dtype`; others as they are."""
    import keras

    if not keras.backend.is_float_dtype(dtype):
        return value
    with np.errstate(over="ignore"):
        return value.astype(np.float64 if dtype == "float64" else np.float32, copy=False)


def _write_names(group: h5py.Group, attribute: str, names: list[str]) -> None:
    """Stores a list of strings, in numbered pieces where it is too long for one attribute."""
    encoded = [name.encode() for name in names]
    too_long = next((name for name in encoded if len(name) > _ATTRIBUTE_BYTES), None)
    if too_long is not None:
        raise Pose3DError(f"the name {too_long[:40].decode(errors='replace')}... is too long for HDF5")
    array = np.array(encoded, dtype=None if encoded else "S1")
    pieces = [array]
    while any(piece.nbytes > _ATTRIBUTE_BYTES for piece in pieces):
        pieces = np.array_split(array, len(pieces) + 1)
    if len(pieces) == 1:
        group.attrs[attribute] = array
    else:
        for number, piece in enumerate(pieces):
            group.attrs[f"{attribute}{number}"] = piece


def _read_names(group: h5py.Group, attribute: str) -> list[str] | None:
    """The inverse of `_write_names`; None where there is no such attribute."""
    if attribute in group.attrs:
        pieces = [hdf5_attribute(group, attribute)]
    else:
        pieces = []
        while f"{attribute}{len(pieces)}" in group.attrs:
            pieces.append(hdf5_attribute(group, f"{attribute}{len(pieces)}"))
        if not pieces:
            return None
    names = [name for piece in pieces if not isinstance(piece, h5py.Empty) for name in np.atleast_1d(piece)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


@contextlib.contextmanager
def opened_hdf5(path: str | os.PathLike) -> Iterator[h5py.File]:
    """The open HDF5 file; what goes wrong while it is read becomes one line that names it.

    Raises:
        Pose3DError: It is missing, no HDF5 file, truncated or damaged.
    """
    held = _held(path)
    if held is None:
        _require_hdf5(path)
    source = path if held is None else io.BytesIO(held.read(path))
    try:
        with checked_hdf5(source) as file:
            yield file
    except Pose3DError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # what h5py makes of damage
        reason = " ".join(str(error).split())
        raise Pose3DError(f"{path} is truncated or damaged: {reason}") from error


def stored_dataset(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """A dataset of numbers whose values lie in the file itself; None: there is no such.

    Links into other files, virtual datasets and external storage would read what the file does not hold.
    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        return None
    if dataset.shape is None or dataset.dtype.kind not in "fiubV":
        return None
    return dataset


def _require_hdf5(path: str | os.PathLike) -> None:
    """Raises a Pose3DError of a file that is missing or something else."""
    try:
        with open(path, "rb") as file:
            signature = file.read(len(_SIGNATURE))
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist") from None
    except OSError as error:
        raise Pose3DError(f"cannot read {path}: {error.strerror}") from error
    if signature == _SIGNATURE:
        return
    kind = {"pytorch": "a PyTorch checkpoint", "tensorflow1": "of a TensorFlow 1 checkpoint"}
    found = kind.get(kind_of_weights(path))
    if found is None:
        raise Pose3DError(f"{path} is not an HDF5 file")
    raise Pose3DError(
        f"{path} is not an HDF5 file but {found}: convert it by "
        f"python tools/convert_weights.py {path} --arch FAMILY --out models/NAME.h5"
    )


def _file_layers(file: h5py.File, path: str | os.PathLike) -> dict[str, _FileLayer]:
    """Top-level layers in their order, each with the names and datasets of its weights."""
    root = file
    names = _read_names(file, "layer_names")
    if names is None and isinstance(file.get("model_weights"), h5py.Group):
        root = file["model_weights"]
        names = _read_names(root, "layer_names")
    if names is None:
        raise Pose3DError(
            f"{path} is not in the Keras 2 weight layout: it has no layer_names "
            "(Keras 3's own .weights.h5 files are laid out differently)"
        )
    layers = {}
    for layer in names:
        layers[layer] = _datasets(root, layer, path)
    if _TOP_LEVEL not in layers and _TOP_LEVEL in root:
        own = _datasets(root, _TOP_LEVEL, path)
        if own:
            layers[_TOP_LEVEL] = own
    return layers


def _datasets(root: h5py.Group, layer: str, path: str | os.PathLike) -> _FileLayer:
    group = root.get(layer)
    names = _read_names(group, "weight_names") if isinstance(group, h5py.Group) else None
    if names is None:
        raise Pose3DError(f"{path} is damaged: layer {layer} is listed but not stored")
    datasets = _FileLayer()
    datasets.layer, datasets.group = layer, group
    place = hdf5_attribute(group, _PATH)
    datasets.place = place if isinstance(place, str) else None
    for name in names:
        dataset = stored_dataset(group, name)
        if dataset is None or dataset.dtype.kind not in "fiub":
            raise Pose3DError(f"{path} is damaged: weight {name} of layer {layer} is listed but not stored")
        datasets.append((name, dataset))
    return datasets


def _check_shapes(
    path: str | os.PathLike,
    layer: str,
    datasets: list[tuple[str, h5py.Dataset]],
    weights: list[keras.Variable],
) -> None:
    if len(datasets) != len(weights):
        raise Pose3DError(
            f"{path} does not fit the model: layer {layer}: file has {len(datasets)} weights, "
            f"model needs {len(weights)}"
        )
    for number, ((name, dataset), weight) in enumerate(zip(datasets, weights, strict=True), start=1):
        if dataset.shape != tuple(weight.shape):
            raise Pose3DError(
                f"{path} does not fit the model: layer {layer}, weight {number} ({name}): "
                f"file has {dataset.shape}, model needs {tuple(weight.shape)}"
            )


def weight_fault(value: np.ndarray) -> str:
    """What no weight of a trained network can be, as a message goes on: NaN, infinity, or above 1e12."""
    if not value.size:
        return ""
    # Both are NaN where any value is.
    highest, lowest = float(value.max()), float(value.min())
    if not math.isfinite(highest) or not math.isfinite(lowest):
        return "holds NaN or infinity"
    if max(highest, -lowest) > _LARGEST_WEIGHT:
        return f"holds a number beyond {_LARGEST_WEIGHT:g}, which no weight is"
    return ""


def _check_numbers(value: np.ndarray, what: str) -> None:
    fault = weight_fault(value)
    if fault:
        raise Pose3DError(f"{what} {fault}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
