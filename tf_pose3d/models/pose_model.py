"""What every network is to Keras: `model(array)`, `fit` with the family's loss, files with the config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tf_pose3d.config import Config
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Family, get_family
from tf_pose3d.types import Parsed, Tensor, Tensors

__all__ = ["PoseModel"]


_KEYPOINTS = "keypoints_2d"
_POSE = "pose_3d"


class PoseModel(keras.Model):
    """A network that reads a dict of arrays and gives a dict of arrays, with its family's config.

    A network that reads one array alone takes it bare, too: `model(keypoints)` is
    `model({"keypoints_2d": keypoints})`. Channels beyond those that it reads are passed over.

    `compile(optimizer=...)` without a loss trains with the loss of the config's family on batches such as
    `tf_pose3d.data.windows.Windows` gives them, inputs and targets in one dict; validation reports the
    family's. With a loss or metrics of the user's own the prediction is `pose_3d`, and the truth what the
    data give beside the inputs, else the batch's `pose_3d` at the predicted frame, root-centred.

    `model.save("x.keras")` keeps the config, and `keras.models.load_model` brings it back.

    Args:
        config: Config of the family, or its dict; None: a network of sizes of its own, which needs a loss of
            the user's to train.
        **kwargs: Of `keras.Model`.

    Attributes:
        config: As given; `tf_pose3d.build_model` and `load_model` set it.
        settings: Arguments of the constructor, by name.
    """

    config: Config | None
    settings: dict[str, Any]

    def __init__(self, *, config: Config | Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = {}
        self.config = _as_config(config)
        # Identities, as Keras would take a list of variables for state of the model.
        self._frozen_by_family: frozenset[int] = frozenset()
        self._trains_family_loss = self._has_metrics = False
        self._named_losses = self._named_metrics = False

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the inputs that the network cannot do without, in the order in which they are told.

        None stands for any size. A network of single frames has N = 1, and takes arrays without that axis.
        """
        raise NotImplementedError

    # Of networks with attention: whether poses stay within a millimetre where large products are narrowed
    # (`tf_pose3d.layers.products`).
    lifts_narrowed = False

    # Whether windows may be longer, or shorter, than `input_shapes` says.
    _reads_longer_windows = False
    _reads_shorter_windows = False

    def as_inputs(self, inputs: Tensor) -> Tensor:
        """The dict that the network reads, of a dict or of an array.

        Args:
            inputs: A dict with at least the keys of `input_shapes`, or, where there is one key alone, its
                array.

        Raises:
            Pose3DError: An array where the network reads several, a key that is missing, or an array of
                another shape; the message says which keys and shapes there should be.
        """
        shapes = self.input_shapes
        if not isinstance(inputs, Mapping):
            if len(shapes) > 1:
                raise Pose3DError(f"{self.name} reads {_listed(shapes)}: give a dict of these, not one array")
            inputs = {next(iter(shapes)): ops.convert_to_tensor(inputs)}
        missing = [name for name in shapes if name not in inputs]
        if missing:
            raise Pose3DError(
                f"{self.name} reads {_listed(shapes)}: the inputs lack {', '.join(missing)}, they have "
                f"{', '.join(map(str, inputs)) or 'nothing'}"
            )
        for name in (_KEYPOINTS, "image"):
            if name in shapes and hasattr(inputs[name], "shape"):
                self._check_shape(name, tuple(inputs[name].shape), shapes[name])
        keypoints = inputs.get(_KEYPOINTS)
        if hasattr(keypoints, "shape") and _KEYPOINTS in shapes:
            channels = shapes[_KEYPOINTS][-1]
            if channels is not None and keypoints.shape[-1] != channels:
                return {**inputs, _KEYPOINTS: keypoints[..., :channels]}
        return inputs

    def _check_shape(self, name: str, given: tuple[Any, ...], wanted: tuple[int | None, ...]) -> None:
        single = name == _KEYPOINTS and wanted[1] == 1
        found = (*given[:1], 1, *given[1:]) if single and len(given) == len(wanted) - 1 else given

        def fits(axis: int) -> bool:
            size, expected = found[axis], wanted[axis]
            if size is None or expected is None or size == expected:
                return True
            if name != _KEYPOINTS:
                return False
            if axis == 1 and self._reads_shorter_windows and size < expected:
                return True
            # Further channels are passed over; a longer window may give a sequence.
            return size > expected and (axis == 3 or (axis == 1 and self._reads_longer_windows))

        if len(found) == len(wanted) and all(fits(axis) for axis in range(len(wanted))):
            return
        more = "more" if self._reads_longer_windows else "fewer" if self._reads_shorter_windows else ""
        shape = _spelled(wanted, more if name == _KEYPOINTS else "")
        if single:
            shape = f"{_spelled((None, *wanted[2:]))} or {shape}"
        hint = "; put an axis for the batch in front" if len(found) == len(wanted) - 1 and not single else ""
        raise Pose3DError(f"{self.name}: {name} has shape {given}, expected {shape}{hint}")

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The outputs by name for a dict of inputs or a bare array, see the class.

        Raises:
            Pose3DError: Inputs that the network cannot read.
        """
        return super().__call__(self.as_inputs(inputs), *args, **kwargs)

    def stateless_call(
        self,
        trainable_variables: Tensor,
        non_trainable_variables: Tensor,
        inputs: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """As in Keras, for the inputs that the model takes."""
        return super().stateless_call(
            trainable_variables, non_trainable_variables, self.as_inputs(inputs), *args, **kwargs
        )

    # Training with Keras

    def target_pose(self, batch: Tensors) -> Tensor:
        """The true pose that `pose_3d` should be: `(B, J, 3)` metres, root-centred.

        Args:
            batch: Has `pose_3d`, `(B, N, J, 3)` or `(B, J, 3)`, camera frame.

        Raises:
            Pose3DError: There is none, or the model has no config, which names the root.
        """
        if _POSE not in batch:
            raise Pose3DError(f"{self.name}: the batch has no {_POSE} to compare with")
        pose = batch[_POSE]
        if len(pose.shape) == 4:
            # Of windows that end at their frame the last one, else the middle one.
            pose = pose[:, -1 if self.settings.get("causal") else pose.shape[1] // 2]
        family, config = self._family()
        root = family.root_joint(config)
        return pose - pose[:, root : root + 1]

    def _family(self) -> tuple[Family, Any]:
        """The family and its config.

        Raises:
            Pose3DError: The model has none.
        """
        if self.config is None:
            raise Pose3DError(
                f"{self.name} has no config, which names its loss and its root: make it by "
                "tf_pose3d.build_model or set model.config; or give targets and compile(loss=...)"
            )
        return get_family(self.config.ARCH), self.config

    def compile(
        self,
        optimizer: object = "rmsprop",
        loss: object = None,
        *args: Any,
        metrics: object = None,
        weighted_metrics: object = None,
        jit_compile: object = "auto",
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`; without `loss` the family's, for the weights that the family trains.

        `jit_compile="auto"` is what the config says (JIT_COMPILE) under TensorFlow, where XLA has none of the
        compiled operations; Keras's own choice elsewhere.

        Raises:
            Pose3DError: No loss, and no config that has one.
        """
        for variable in self.variables:
            if id(variable) in self._frozen_by_family:
                variable.trainable = True
        self._frozen_by_family = frozenset()
        if loss is None:
            family, config = self._family()
            trained = {id(weight) for weight in family.trained_variables(self, config)}
            # Freezing the variables, not their layers, leaves these in training mode.
            frozen = [weight for weight in self.trainable_variables if id(weight) not in trained]
            for variable in frozen:
                variable.trainable = False
            self._frozen_by_family = frozenset(map(id, frozen))
        self._trains_family_loss = loss is None
        # Keras keeps the metrics of an earlier call where a later one gives none.
        self._has_metrics |= metrics is not None or weighted_metrics is not None
        self._named_losses = isinstance(loss, Mapping)
        self._named_metrics = isinstance(metrics, Mapping) or isinstance(weighted_metrics, Mapping)
        if jit_compile == "auto" and keras.backend.backend() == "tensorflow":
            jit_compile = bool(getattr(self.config, "JIT_COMPILE", False))
        super().compile(
            optimizer,
            loss,
            *args,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as a saved model was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The user's loss, or the family's of outputs and batch, and what layers add."""
        if not self._trains_family_loss:
            y, y_pred = self._pair(x, y, y_pred, self._named_losses)
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if not isinstance(x, Mapping) or y is not None:
            raise Pose3DError(
                f"{self.name}: the family's loss reads batches that are one dict of inputs and targets, as "
                "Windows.training_dataset gives them; for pairs (x, y) give compile(loss=...)"
            )
        family, config = self._family()
        loss = family.loss(config, "train" if training else "val")(y_pred, dict(x))
        for added in self.losses:
            loss = loss + ops.cast(added, loss.dtype)
        return loss

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """The metrics of `pose_3d`, see the class."""
        if self._has_metrics:
            y, y_pred = self._pair(x, y, y_pred, self._named_metrics)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _pair(self, x: Tensor, y: Tensor, y_pred: Tensor, named: bool) -> tuple[Any, Any]:
        """Truth and prediction: arrays, or dicts where the user's losses or metrics go by name."""
        if y is None:
            y = self.target_pose(x if isinstance(x, Mapping) else {})
            return ({_POSE: y}, {_POSE: y_pred[_POSE]}) if named else (y, y_pred[_POSE])
        if isinstance(y, Mapping):
            if named:
                return y, {name: y_pred[name] for name in y}
            return y[_POSE], y_pred[_POSE]
        return ({_POSE: y}, {_POSE: y_pred[_POSE]}) if named else (y, y_pred[_POSE])

    def fit(self, *args: Any, **kwargs: Any) -> Parsed:
        """As `keras.Model.fit`; what the family changes from epoch to epoch changes here, too.

        Datasets of `Windows.training_dataset` are endless: give `steps_per_epoch`.
        """
        bound = inspect.signature(super().fit).bind(*args, **kwargs)
        if self.config is not None and self._trains_family_loss:
            given = bound.arguments.get("callbacks")
            if isinstance(given, keras.callbacks.CallbackList):
                given.append(_BeginEpoch())
            else:
                others = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
                bound.arguments["callbacks"] = [_BeginEpoch(), *others]
        return super().fit(*bound.args, **bound.kwargs)

    # Files

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.config is not None:
            config["config"] = self.config.to_dict()
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """Says that a saved network was built; shapes follow from its arguments."""
        return {"input_shape": None} if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Creates every weight."""
        self.build()

    def export(
        self,
        filepath: Parsed,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Parsed = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.export`; no call is needed before, as the config says what is read.

        `tf_pose3d.export` writes the same networks with their mirrored averaging and checks what it wrote.
        """
        if input_signature is None:
            input_signature = [self._input_specs()]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def _input_specs(self) -> dict[str, keras.InputSpec]:
        return {
            name: keras.InputSpec(
                dtype="bool" if name == "stride_mask" else "float32", shape=(None, *shape[1:]), name=name
            )
            for name, shape in self.input_shapes.items()
        }


class _BeginEpoch(keras.callbacks.Callback):
    """Lets the family set what follows the epochs."""

    def on_epoch_begin(self, epoch: int, logs: Tensor = None) -> None:
        model = self.model
        get_family(model.config.ARCH).begin_epoch(model, model.config, epoch + 1)


def _as_config(config: Config | Mapping[str, Any] | None) -> Config | None:
    if config is None or isinstance(config, Config):
        return config
    arch = config.get("ARCH")
    if not isinstance(arch, str):
        raise Pose3DError("the model's config has no ARCH, which names its family")
    return get_family(arch).config_class.from_dict(config, source="the model's config")


def _listed(names: Parsed) -> str:
    return ", ".join(names)


def _spelled(shape: tuple[int | None, ...], other: str = "") -> str:
    """`(B, 27, 17, 2)`; a window that may have another length is spelled `27 or more`, `27 or fewer`."""
    sizes = ["B" if axis == 0 else "any" if size is None else str(size) for axis, size in enumerate(shape)]
    if other:
        sizes[1] += f" or {other}"
    return f"({', '.join(sizes)})"
