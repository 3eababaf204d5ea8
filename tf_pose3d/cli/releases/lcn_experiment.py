"""LCN's experiment folders: where weights, results and tables of a test lie, and which weights fit.

`experiment/testN/checkpoints/{best,final}/` hold the release's TensorFlow 1 checkpoints; this package's
weights lie beside these two folders, as `best_weights_NNNN.h5` and `last_weights_NNNN.h5`.
`experiment/testN/result_MODE.{pkl,npz}` hold predictions in pixels.
"""

from __future__ import annotations

import dataclasses
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.data.archive import load_archive
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.weight_files.hdf5 import read_config

if TYPE_CHECKING:
    import keras

__all__ = [
    "KINDS",
    "FoundWeights",
    "find_weights",
    "load_fitting_model",
    "read_result",
    "test_folder",
    "test_numbers",
    "write_log",
    "write_result",
]

# The release's names of a test's checkpoints -> the stem of this package's weight files.
_STEMS = {"best": "best_weights", "final": "last_weights"}
KINDS = tuple(_STEMS)


@dataclasses.dataclass(frozen=True)
class FoundWeights:
    """Weights that may serve.

    Attributes:
        path: An `.h5` file, or the folder of a TensorFlow 1 checkpoint.
        folder: Where results go.
        modified: When they were written, seconds.
    """

    path: Path
    folder: Path
    modified: float


def test_numbers(text: str) -> list[int]:
    """The numbers of `--test-indices 1,2,3`, in rising order.

    Raises:
        Pose3DError: Something else.
    """
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 0:
        raise Pose3DError(f"--test-indices {text}: expected whole numbers with commas between, e.g. 1,2")
    return numbers


def test_folder(root: str | Path, number: int) -> Path:
    """`experiment/testN`."""
    return Path(root) / f"test{number}"


def _weights_in(folder: Path, which: str) -> Iterator[FoundWeights]:
    from tf_pose3d.weight_files.tensorflow1 import find_tensorflow1_checkpoint

    checkpoints = folder / "checkpoints"
    for path in checkpoints.glob(f"{_STEMS[which]}_*.h5"):
        yield FoundWeights(path, folder, path.stat().st_mtime)
    prefix = find_tensorflow1_checkpoint(checkpoints / which)
    if prefix is not None and (checkpoints / which).is_dir():
        yield FoundWeights(checkpoints / which, folder, Path(f"{prefix}.index").stat().st_mtime)


def find_weights(
    root: str | Path, which: str | None, number: int | None, models: str | Path
) -> list[FoundWeights]:
    """Weights that a test's number, or none, may mean, the newest first.

    Args:
        root: The folder of the experiments.
        which: `best` or `final`; None, without a number: either.
        number: Of the test; None: all tests, and LCN's `.h5` files in `models`.
        models: Folder of converted weights.

    Raises:
        Pose3DError: The test has no such weights.
    """
    if number is not None:
        folder = test_folder(root, number)
        kind = which or KINDS[0]
        found = sorted(_weights_in(folder, kind), key=lambda weights: -weights.modified)
        if not found:
            checkpoints = folder / "checkpoints"
            raise Pose3DError(
                f"no {kind} weights of test {number}: looked for {checkpoints / _STEMS[kind]}_*.h5 and a "
                f"TensorFlow checkpoint in {checkpoints / kind}; train with --test-indices {number}, put "
                "the released checkpoint there, or choose with --checkpoints"
            )
        return found
    found = [
        weights
        for folder in sorted(Path(root).glob("test*"))
        for kind in ([which] if which else KINDS)
        for weights in _weights_in(folder, kind)
    ]
    for path in sorted(Path(models).glob("*.h5")):
        config = read_config(path)
        if config is not None and config.get("ARCH") == "LCN":
            found.append(FoundWeights(path, Path(root) / path.stem, path.stat().st_mtime))
    return sorted(found, key=lambda weights: -weights.modified)


def load_fitting_model(weights: FoundWeights, wanted: dict[str, Any]) -> keras.Model:
    """The network of some weights, if it is the one that is wanted.

    Args:
        weights: From `find_weights`.
        wanted: Config keys that say what network it must be.

    Raises:
        Pose3DError: It is another one; the message says in which key.
    """
    from tf_pose3d.models.loading import load_model
    from tf_pose3d.weights.convert import convert

    if weights.path.suffix != ".h5":
        return convert(weights.path, "lcn", **wanted)
    held = read_config(weights.path)
    if held is None:
        raise Pose3DError(f"{weights.path}: holds no config; LCN's weights are written with theirs")
    for name, value in wanted.items():
        if name in held and held[name] != value:
            raise Pose3DError(f"{weights.path} was trained with {name} {held[name]}, not {value}")
    return load_model(weights.path)


def write_result(folder: Path, mode: str, result: np.ndarray) -> list[Path]:
    """Writes `(N, J, 3)` poses in pixels as `result_MODE.pkl`, the release's form, and as `.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"result_{mode}.pkl", folder / f"result_{mode}.npz"]
    with write_whole(paths[0]) as file:
        pickle.dump({"result": result}, file, protocol=4)
    with write_whole(paths[1]) as file:
        np.savez(file, result=result)
    return paths


def read_result(folder: Path, mode: str) -> tuple[np.ndarray, Path]:
    """The poses `(N, J, 3)` in pixels of a test, from the newer of its two files, and that file.

    Raises:
        Pose3DError: There is none, or it holds something else.
    """
    paths = [
        path for path in (folder / f"result_{mode}.npz", folder / f"result_{mode}.pkl") if path.is_file()
    ]
    if not paths:
        raise Pose3DError(
            f"{folder} holds no result_{mode}.npz or .pkl; make it with inference.py --mode {mode} "
            f"--test-indices {folder.name.removeprefix('test')}"
        )
    path = max(paths, key=lambda path: path.stat().st_mtime)
    archive = load_archive(path)
    result = archive.get("result") if isinstance(archive, dict) else None
    if not isinstance(result, np.ndarray) or result.dtype.kind not in "fiu":
        raise Pose3DError(f"{path} holds no array under the key result")
    if result.ndim == 2 and result.shape[1] in (51, 48):
        result = result.reshape(len(result), -1, 3)
    return result, path


def write_log(folder: Path, what: str, mode: str, table: object) -> Path:
    """Writes a table as `err_WHAT_MODE_TIME.log`."""
    path = folder / f"err_{what}_{mode}_{time.strftime('%Y-%m-%d-%H-%M')}.log"
    with write_whole(path, "w") as file:
        file.write(f"{table}\n")
    return path
