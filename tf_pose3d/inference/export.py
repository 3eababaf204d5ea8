"""A trained model as a SavedModel, TFLite or ONNX file, checked against the model itself."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command
from tf_pose3d.files import require_writable_folder, staged
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.ops.exporting import exporting
from tf_pose3d.types import Parsed

__all__ = ["FORMATS", "TOLERANCE", "export_model"]

FORMATS = ("saved_model", "tflite", "onnx")
# Largest difference between poses of the export and of the model, metres.
TOLERANCE = 1e-4

_OPSET = 17
_FRAMES = 40
_MIRRORED_INTRINSICS = np.ones(11, np.float32)
_MIRRORED_INTRINSICS[[4, 9]] = -1

Batch = dict[str, Any]


class _Noted(dict):
    """A dict that notes which of its keys are read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Parsed:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Parsed = None) -> Parsed:
        return self[key] if key in self else default  # noqa: SIM401


def export_model(model: keras.Model, path: str | Path, file_format: str) -> dict[str, Any]:
    """Writes a model's forward pass, mirrored averaging included where its config has it.

    The exported function takes a batch of windows by name, as the model reads them: `keypoints_2d
    (B, N, J, C)` in normalised screen coordinates (N = 1 for single frames) and, where the family reads
    them, `stride_mask (B, N)`, `intrinsics (B, 11)`, `root_depth (B, 1, 1)`. It gives `pose_3d (B, J, 3)`,
    metres, root-centred. The compiled operations of this package are not part of such files; `keras.ops`
    computes the same there.

    Args:
        model: With its weights; `model.config` is its config.
        path: A folder for `saved_model`, else a file.
        file_format: One of `FORMATS`. TFLite files take one window at a time.

    Returns:
        `inputs` (name -> shape), `difference_m`: the largest distance between a coordinate of the exported
        model's poses and of the model's, over `windows` windows of random keypoints.

    Raises:
        Pose3DError: An unknown format, a missing library, an operation that the format lacks, or poses that
            differ by more than `TOLERANCE`.
    """
    if file_format not in FORMATS:
        raise Pose3DError(f"unknown export format {file_format!r}, expected one of {', '.join(FORMATS)}")
    if file_format == "onnx":
        _require_onnx()
    path = Path(path)
    require_writable_folder(path.parent)
    batch = _example(model)
    function = _Forward(model, batch)
    batch = {name: batch[name] for name in function.names}
    count = 1 if file_format == "tflite" else None
    signature = {
        name: tf.TensorSpec((count, *values.shape[1:]), values.dtype, name=name)
        for name, values in batch.items()
    }
    module = tf.Module()
    # Held, so that saving finds the weights.
    module.model = model
    module.predict = tf.function(lambda **inputs: {"pose_3d": function(inputs)}, autograph=False)
    write = {"saved_model": _write_saved_model, "tflite": _write_tflite, "onnx": _write_onnx}[file_format]
    with exporting():
        concrete = module.predict.get_concrete_function(**signature)
        _refuse_own_operations(concrete)
        run = write(path, module, concrete)
    expected = function(batch).numpy()
    found = run({name: values.numpy() for name, values in batch.items()})
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        _remove(path)
        raise Pose3DError(
            f"{path}: poses of the exported model are up to {difference:.2g} m from the model's, expected "
            f"at most {TOLERANCE:g}; nothing is kept"
        )
    return {
        "inputs": {name: list(spec.shape) for name, spec in signature.items()},
        "difference_m": difference,
        "windows": len(expected),
    }


def _example(model: keras.Model) -> Batch:
    """Windows of random keypoints with all that the family's pipeline gives."""
    lifter = Lifter(model)
    channels = lifter.spec.channels
    random = np.random.default_rng(0)
    joints = lifter.input_skeleton.num_joints
    start = random.uniform(300, 700, (1, joints, 2))
    points = start + np.cumsum(random.normal(0, 3, (_FRAMES, joints, 2)), axis=0)
    points = np.concatenate([points, np.ones((_FRAMES, joints, 1))], axis=2).astype(np.float32)
    sequence = Sequence(
        subject="",
        action="",
        name="example",
        skeleton=lifter.skeleton,
        camera=default_camera(1000, 1000),
        pose_2d=np.ascontiguousarray(points[..., :channels]),
        skeleton_2d=lifter.input_skeleton,
    )
    sequence = lifter.protocol.complete_sequence(model, model.config, sequence)
    windows = Windows([sequence], lifter.spec)
    batch = windows.batch(tf.range(0, _FRAMES, 5, tf.int64))
    # Which frames are visible is packed for speed only; the mask says the same.
    return {name: values for name, values in batch.items() if not name.startswith("visible_")}


class _Forward:
    """The model's pass over a dict of inputs, averaged with its mirror image as the config says.

    Attributes:
        names: The inputs that it reads.
    """

    def __init__(self, model: keras.Model, batch: Batch) -> None:
        noted = _Noted(batch)
        model.call(noted, training=False)
        self.names = sorted(noted.read)
        self._model = model
        lifter = Lifter(model)
        self._flips = lifter.config.EVAL_FLIP
        self._input_flip, self._flip_order = lifter.input_skeleton.flip_order, lifter.skeleton.flip_order

    def __call__(self, batch: Batch) -> tf.Tensor:
        poses = tf.cast(self._model(batch, training=False)["pose_3d"], tf.float32)
        if not self._flips:
            return poses
        image = {**batch, "keypoints_2d": self._mirrored(batch["keypoints_2d"], self._input_flip)}
        if "intrinsics" in batch:
            image["intrinsics"] = batch["intrinsics"] * _MIRRORED_INTRINSICS
        mirrored = tf.cast(self._model(image, training=False)["pose_3d"], tf.float32)
        return (poses + self._mirrored(mirrored, self._flip_order)) / 2

    @staticmethod
    def _mirrored(points: tf.Tensor, flip_order: tuple[int, ...]) -> tf.Tensor:
        signs = tf.constant([-1.0] + [1.0] * (points.shape[-1] - 1), points.dtype)
        return tf.gather(points, flip_order, axis=-2) * signs


def _refuse_own_operations(concrete: tf.types.experimental.ConcreteFunction) -> None:
    graph = concrete.graph.as_graph_def()
    nodes = [node.op for node in graph.node]
    nodes += [node.op for function in graph.library.function for node in function.node_def]
    own = sorted({name for name in nodes if name.startswith("TfPose3d")})
    if own:
        raise Pose3DError(
            f"the model runs compiled operations ({', '.join(own)}) that no export holds, in a function that "
            "was traced before; load the model anew and export it first"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_saved_model(path: Path, module: tf.Module, concrete: Parsed) -> Callable[[dict], np.ndarray]:
    if path.exists() and (
        not path.is_dir() or (any(path.iterdir()) and not (path / "saved_model.pb").exists())
    ):
        raise Pose3DError(f"{path} exists and is no SavedModel, expected a new folder")
    tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})
    loaded = tf.saved_model.load(str(path)).signatures["serving_default"]
    return lambda batch: loaded(**{k: tf.constant(v) for k, v in batch.items()})["pose_3d"].numpy()


def _write_tflite(path: Path, module: tf.Module, concrete: Parsed) -> Callable[[dict], np.ndarray]:
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
    interpreter.allocate_tensors()
    places = {held["name"].partition(":")[0]: held["index"] for held in interpreter.get_input_details()}
    output = interpreter.get_output_details()[0]["index"]

    def run(batch: dict[str, np.ndarray]) -> np.ndarray:
        poses = []
        for number in range(len(next(iter(batch.values())))):
            for name, values in batch.items():
                interpreter.set_tensor(places[name], values[number : number + 1])
            interpreter.invoke()
            poses.append(interpreter.get_tensor(output))
        return np.concatenate(poses)

    return run


def _require_onnx() -> None:
    missing = [name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise Pose3DError(f"ONNX needs {' and '.join(missing)}: {install_command('onnx')}")


def _erfc(context: Parsed, node: Parsed, name: str, arguments: list) -> None:
    """Erfc, which tf2onnx lacks and GELU needs, as 1 - Erf."""
    node.type, node.domain = "Erf", ""
    one = context.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
    context.insert_new_node_on_output("Sub", node.output[0], inputs=[one, node.output[0]])


def _write_onnx(path: Path, module: tf.Module, concrete: Parsed) -> Callable[[dict], np.ndarray]:
    import onnxruntime
    import tf2onnx

    signature = list(concrete.structured_input_signature[1].values())
    names = [spec.name for spec in signature]

    @tf.function(input_signature=signature, autograph=False)
    def positional(*values: tf.Tensor) -> tf.Tensor:
        return module.predict(**dict(zip(names, values, strict=True)))["pose_3d"]

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        try:
            tf2onnx.convert.from_function(
                positional,
                input_signature=signature,
                opset=_OPSET,
                output_path=str(made),
                custom_op_handlers={"Erfc": (_erfc, [])},
            )
            session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
        except Exception as error:  # neither library has one class for what it cannot convert
            reason = " ".join(str(error).split())[:200]
            raise Pose3DError(f"{path}: ONNX cannot hold this model: {reason}") from None
        with staged(path) as temporary:
            shutil.copyfile(made, temporary)

    def run(batch: dict[str, np.ndarray]) -> np.ndarray:
        inputs = {held.name: batch[name] for held, name in zip(session.get_inputs(), names, strict=True)}
        return session.run(None, inputs)[0]

    return run
