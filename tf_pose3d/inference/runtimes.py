"""ONNX Runtime and LiteRT behind one face: arrays by name in, arrays by name out, without TensorFlow."""

from __future__ import annotations

import abc
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra
from tf_pose3d.types import Parsed

__all__ = ["BACKENDS", "LiteRTRuntime", "OnnxRuntime", "Runtime", "open_exported"]

Arrays = dict[str, np.ndarray]


class Runtime(abc.ABC):
    """Runs an exported file.

    Attributes:
        label: The library and its version.
        inputs: Shape of each input by name; None: any size.
        outputs: Names of what it gives.
        one_at_a_time: Whether a call takes one window alone.
        ending: Of its files.
        export_format: What `tools/export.py --format` calls it.
    """

    label: str
    inputs: dict[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    one_at_a_time: ClassVar[bool]
    ending: ClassVar[str]
    export_format: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def require(cls) -> None:
        """Checks that the library is installed, without importing it.

        Raises:
            Pose3DError: It is not; the message says how to install it.
        """

    @abc.abstractmethod
    def run(self, batch: Mapping[str, np.ndarray]) -> Arrays:
        """All outputs for a batch with every one of `inputs`."""


class OnnxRuntime(Runtime):
    """ONNX Runtime on the processor.

    Args:
        path: `.onnx` file.
        outputs: Names of what it is expected to give.

    Raises:
        Pose3DError: The file cannot be read, or gives something else.
    """

    one_at_a_time = False
    ending = ".onnx"
    export_format = "onnx"

    def __init__(self, path: Path, outputs: Sequence[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Errors alone: what it warns of, users can do nothing about.
        options.log_severity_level = 3
        # What other libraries obey by themselves; a folder's workers set it.
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if threads.isdecimal():
            options.intra_op_num_threads = int(threads)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no class of their own that is public
            reason = " ".join(str(error).split())[:200]
            raise Pose3DError(f"{path}: ONNX Runtime cannot read it: {reason}") from None
        self.label = f"ONNX Runtime {onnxruntime.__version__}"
        self.inputs = {
            held.name: tuple(size if isinstance(size, int) else None for size in held.shape)
            for held in self._session.get_inputs()
        }
        self.outputs = tuple(held.name for held in self._session.get_outputs())
        _require_outputs(path, self.outputs, outputs)

    @classmethod
    def require(cls) -> None:
        require_extra("onnxruntime", "ONNX Runtime", "lite", "--backend onnx")

    def run(self, batch: Mapping[str, np.ndarray]) -> Arrays:
        given = {name: batch[name] for name in self.inputs}
        return dict(zip(self.outputs, self._session.run(self.outputs, given), strict=True))


class LiteRTRuntime(Runtime):
    """LiteRT, TensorFlow Lite's interpreter in a package of its own, on the processor.

    Its files do not hold the names of outputs, which stand in them in alphabetical order.

    Args:
        path: `.tflite` file.
        outputs: Names of what it is expected to give.

    Raises:
        Pose3DError: The file cannot be read, or gives another number of outputs.
    """

    one_at_a_time = True
    ending = ".tflite"
    export_format = "tflite"

    def __init__(self, path: Path, outputs: Sequence[str]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._interpreter = Interpreter(model_path=str(path))
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise Pose3DError(f"{path}: LiteRT cannot read it: {reason}") from None
        self.label = f"LiteRT {metadata.version('ai-edge-litert')}"
        self._places = {
            held["name"].partition(":")[0].removeprefix("serving_default_"): held
            for held in self._interpreter.get_input_details()
        }
        self.inputs = {
            name: tuple(None if size < 0 else int(size) for size in held["shape_signature"])
            for name, held in self._places.items()
        }
        details = sorted(self._interpreter.get_output_details(), key=lambda held: _number_of(held["name"]))
        _require_outputs(path, [held["name"] for held in details], outputs, by_name=False)
        self.outputs = tuple(sorted(outputs))
        self._results = [held["index"] for held in details]
        self._shapes: dict[str, tuple[int, ...]] = {}

    @classmethod
    def require(cls) -> None:
        require_extra("ai_edge_litert", "LiteRT", "litert", "--backend litert")

    def run(self, batch: Mapping[str, np.ndarray]) -> Arrays:
        shapes = {name: batch[name].shape for name in self._places}
        if shapes != self._shapes:
            for name, held in self._places.items():
                if -1 in held["shape_signature"]:
                    self._interpreter.resize_tensor_input(held["index"], shapes[name])
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, held in self._places.items():
            self._interpreter.set_tensor(held["index"], batch[name])
        self._interpreter.invoke()
        found = [self._interpreter.get_tensor(place) for place in self._results]
        return dict(zip(self.outputs, found, strict=True))


# What `--backend` takes.
BACKENDS: dict[str, type[OnnxRuntime | LiteRTRuntime]] = {"onnx": OnnxRuntime, "litert": LiteRTRuntime}


def open_exported(path: Path, backend: str, outputs: Sequence[str]) -> Runtime:
    """The runtime of an exported file.

    Args:
        path: It.
        backend: One of `BACKENDS`.
        outputs: Names of what it is expected to give.

    Raises:
        Pose3DError: The library is missing, or the file is unreadable or holds something else.
    """
    BACKENDS[backend].require()
    return BACKENDS[backend](path, outputs)


def _require_outputs(path: Path, found: Sequence[str], expected: Sequence[str], by_name: bool = True) -> None:
    fits = set(expected) <= set(found) if by_name else len(expected) == len(found)
    if not fits:
        raise Pose3DError(
            f"{path}: gives {', '.join(found)}, expected {', '.join(expected)}; was it written by "
            "tools/export.py from these weights?"
        )


def _number_of(name: Parsed) -> int:
    """5 of Identity_5:0 or StatefulPartitionedCall:5, 0 of Identity."""
    text, _, place = name.partition(":")
    if text.startswith("StatefulPartitionedCall") and place.isdecimal():
        return int(place)
    digits = text.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0
