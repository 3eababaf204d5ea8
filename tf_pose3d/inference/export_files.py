"""Writers of exported models, each of which gives a function that runs the file it wrote."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command
from tf_pose3d.files import staged, staged_folder
from tf_pose3d.types import Parsed

__all__ = ["Run", "require_onnx", "write_onnx", "write_saved_model", "write_tflite"]

# Runs an exported file on a batch of inputs by name; gives outputs by name.
Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

_OPSET = 17
# Constants of fewer numbers stay in float32.
_SMALL_CONSTANT = 64


def write_saved_model(path: Path, module: tf.Module, concrete: Parsed) -> Run:
    if path.exists() and (
        not path.is_dir() or (any(path.iterdir()) and not (path / "saved_model.pb").exists())
    ):
        raise Pose3DError(f"{path} exists and is no SavedModel, expected a new folder")
    with staged_folder(path) as temporary:
        try:
            tf.saved_model.save(module, str(temporary), signatures={"serving_default": concrete})
        except tf.errors.OpError as error:
            raise Pose3DError(f"cannot write {path}: {' '.join(str(error.message).split())[:200]}") from None
    loaded = tf.saved_model.load(str(path)).signatures["serving_default"]

    def run(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = loaded(**{name: tf.constant(values) for name, values in batch.items()})
        return {name: values.numpy() for name, values in outputs.items()}

    return run


def write_tflite(path: Path, module: tf.Module, concrete: Parsed) -> Run:
    # The converter leaves weights as variables, which its interpreter finds uninitialised.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(concrete)])
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises what it likes for an operation that it lacks
        first = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise Pose3DError(f"{path}: TensorFlow Lite cannot hold this model: {first}") from None
    with staged(path) as temporary:
        temporary.write_bytes(content)
    with warnings.catch_warnings():
        # TensorFlow points to the package that will hold the interpreter one day.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    places = {held["name"].partition(":")[0]: held for held in interpreter.get_input_details()}
    # TFLite calls outputs Identity, Identity_1 and so on, in the order of their names.
    names = sorted(concrete.structured_outputs)
    details = sorted(interpreter.get_output_details(), key=lambda held: _number_of(held["name"]))
    outputs = {name: held["index"] for name, held in zip(names, details, strict=True)}

    def run(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for number in range(len(next(iter(batch.values())))):
            for name, held in places.items():
                one = batch[name][number : number + 1]
                if -1 in held["shape_signature"]:
                    interpreter.resize_tensor_input(held["index"], one.shape)
            interpreter.allocate_tensors()
            for name, held in places.items():
                interpreter.set_tensor(held["index"], batch[name][number : number + 1])
            interpreter.invoke()
            for name, place in outputs.items():
                found[name].append(interpreter.get_tensor(place))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    return run


def _number_of(name: str) -> int:
    """5 of Identity_5:0, 0 of Identity."""
    digits = name.partition(":")[0].rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def require_onnx() -> None:
    missing = [name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise Pose3DError(f"ONNX needs {' and '.join(missing)}: {install_command('onnx')}")


def _erfc(context: Parsed, node: Parsed, name: str, arguments: list) -> None:
    """Erfc, which tf2onnx lacks and GELU needs, as 1 - Erf."""
    node.type, node.domain = "Erf", ""
    one = context.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
    context.insert_new_node_on_output("Sub", node.output[0], inputs=[one, node.output[0]])


def write_onnx(path: Path, module: tf.Module, concrete: Parsed, half: bool = False) -> Run:
    import onnxruntime
    import tf2onnx

    signature = list(concrete.structured_input_signature[1].values())
    names = [spec.name for spec in signature]
    outputs = sorted(concrete.structured_outputs)

    @tf.function(input_signature=signature, autograph=False)
    def positional(*values: tf.Tensor) -> list[tf.Tensor]:
        given = module.predict(**dict(zip(names, values, strict=True)))
        return [given[name] for name in outputs]

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        try:
            graph, _ = tf2onnx.convert.from_function(
                positional, input_signature=signature, opset=_OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
            )
            _rename(graph.graph, names, outputs)
            if half:
                _halve(graph.graph)
            made.write_bytes(graph.SerializeToString())
            session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
        except Exception as error:  # neither library has one class for what it cannot convert
            reason = " ".join(str(error).split())[:200]
            raise Pose3DError(f"{path}: ONNX cannot hold this model: {reason}") from None
        with staged(path) as temporary:
            shutil.copyfile(made, temporary)

    def run(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(outputs, batch), strict=True))

    return run


def _rename(graph: Parsed, inputs: list[str], outputs: list[str]) -> None:
    """Gives an ONNX graph's inputs and outputs their names; the converter calls them Identity:0 and so on."""
    new = dict(zip([held.name for held in graph.input], inputs, strict=True))
    new |= dict(zip([held.name for held in graph.output], outputs, strict=True))
    for held in (*graph.input, *graph.output):
        held.name = new[held.name]
    for node in graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                names[number] = new.get(name, name)


def _halve(graph: Parsed) -> None:
    """Holds an ONNX graph's large constants in float16; a cast, which runtimes fold, makes them float32."""
    import onnx

    casts = []
    for held in list(graph.initializer):
        values = onnx.numpy_helper.to_array(held)
        if values.dtype != np.float32 or values.size <= _SMALL_CONSTANT:
            continue
        name = held.name
        held.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
