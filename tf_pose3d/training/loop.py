"""The training loop, the same for every family."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.examples import Examples
from tf_pose3d.data.steps import epoch_steps
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.products import SMALLEST, narrow_products
from tf_pose3d.models.family import Family
from tf_pose3d.process import XLA_ON_CPU, half_precision_on_cpu
from tf_pose3d.progress import Progress, format_duration
from tf_pose3d.signals import StopSignals
from tf_pose3d.training.checkpoints import (
    checkpoint_path,
    load_checkpoint,
    load_latest_checkpoint,
    save_checkpoint,
)
from tf_pose3d.training.curves import TrainingCurves
from tf_pose3d.training.epochs import EpochPart, EpochPlan
from tf_pose3d.training.history import MetricHistory
from tf_pose3d.training.optimizers import current_rates, make_optimizer
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.hdf5 import save_weights
from tf_pose3d.weights.backbones import start_from_backbone

__all__ = ["Interrupted", "Trainer", "TrainingResult"]

# Share of a network's weights in large matrix products from which on these alone are narrowed.
_LEAST_NARROWED = 0.25
# Keys that a resumed run may change: they steer how long and where, not what is computed.
_FREE_KEYS = {"EPOCHS", "GPU_ID", "CHECKPOINT_INTERVAL", "DATASET_TEST_3D_SUBSAMPLE_STEP", "EVAL_FLIP"}

# (model, first n examples or -1) -> metric name -> value
Validation = Callable[[keras.Model], dict[str, float]]


class Interrupted(Exception):
    """Training stopped on a signal after its state was saved.

    Attributes:
        signal: The signal's number.
        checkpoint: Where the state is.
    """

    def __init__(self, signal: int, checkpoint: Path) -> None:
        super().__init__(f"stopped by signal {signal}, state saved in {checkpoint}")
        self.signal = signal
        self.checkpoint = checkpoint


@dataclasses.dataclass
class TrainingResult:
    """What a run leaves.

    Attributes:
        best_weights, last_weights: Files, None where there are none.
        history: Metrics of validation by epoch.
        test: Errors of the test at the end by setting, in mm; None without one.
    """

    best_weights: Path | None
    last_weights: Path | None
    history: MetricHistory
    test: dict[str, Any] | None = None


class Trainer:
    """Trains a family's model on examples and keeps its files.

    In `out_dir`: `checkpoints/cp_*.h5` (full state), `checkpoints/best_weights_NNNN.h5`,
    `checkpoints/last_weights_NNNN.h5`, `tb_<time>/` (TensorBoard), `log.txt`, `curves.csv`, `curves.png`.

    Every step is a function of the seed and the step number alone, and a checkpoint holds all state, so
    that a resumed run equals an uninterrupted one bit for bit.

    Args:
        family, config: What to train.
        examples: What to train on.
        out_dir: An existing folder.
        strategy: Where to train.
        validation: Computes metrics of a model every VALIDATION_INTERVAL epochs; None: no validation.
        initial_weights: `.h5` file to start from.
        chief: Whether this process writes files.
        log: Receives lines of text.
        before_saving: Called before weights and checkpoints are written; may raise Pose3DError.
        after_steps: Called after the last step: what follows needs no other worker.

    Raises:
        Pose3DError: On settings that do not fit, and from `run`.
    """

    def __init__(
        self,
        family: Family,
        config: TrainingConfig,
        examples: Examples,
        out_dir: Path,
        strategy: tf.distribute.Strategy,
        validation: Validation | None = None,
        initial_weights: Path | None = None,
        chief: bool = True,
        log: Callable[[str], None] = print,
        before_saving: Callable[[], None] | None = None,
        after_steps: Callable[[], None] | None = None,
    ) -> None:
        self.before_saving = before_saving or (lambda: None)
        self.after_steps = after_steps or (lambda: None)
        self.family = family
        self.config = config
        self.examples = examples
        self.strategy = strategy
        self.validation = validation
        self.chief = chief
        self.log = log
        self.folder = Path(out_dir) / "checkpoints"
        self.out_dir = Path(out_dir)
        if chief:
            self.folder.mkdir(parents=True, exist_ok=True)
        steps = epoch_steps(len(examples), config.BATCH_SIZE, config.STEPS_PER_EPOCH)
        further = []
        for held in getattr(examples, "further", ()):
            count = epoch_steps(len(held.examples), config.BATCH_SIZE)
            count = min(count, config.STEPS_PER_EPOCH or count)
            further.append(EpochPart(held.examples, count, held.first_epoch))
        self.plan = EpochPlan([*further, EpochPart(examples, steps)])
        # Per-replica batches of each part, made when they are first asked for.
        self._iterators: dict[int, Parsed] = {}
        self.step = 0
        self._seconds_between: float | None = None
        self.history = MetricHistory()
        self.curves = TrainingCurves(self.out_dir, log)
        self.best_weights: Path | None = None
        self.last_weights: Path | None = None

        self._said_precision = False
        if config.JIT_COMPILE and not tf.config.list_physical_devices("GPU"):
            log(f"JIT_COMPILE: {XLA_ON_CPU}")
        keras.utils.set_random_seed(config.SHUFFLE_SEED)
        tf.config.experimental.enable_op_determinism()
        keras.config.set_dtype_policy("float32")
        with strategy.scope():
            self.model = self._build(family)
            if initial_weights is not None:
                family.load_initial_weights(self.model, initial_weights)
            else:
                start_from_backbone(self.model, config, log)
            self.average = None
            if config.EMA_ENABLED:
                self.average = self._build(family)
                self.average.set_weights(self.model.get_weights())
            self.optimizer = make_optimizer(config, steps, self.plan.longer)
            if config.MIXED_PRECISION == "mixed_float16":
                self.optimizer = keras.optimizers.LossScaleOptimizer(self.optimizer)
            self.trained = family.trained_variables(self.model, config)
            self.optimizer.build(self.trained)
            # The sum of the epoch's losses, and the first step whose loss was not finite.
            self.loss_sum = keras.Variable(0.0, dtype="float32", trainable=False, name="loss_sum")
            self.bad_step = keras.Variable(-1, dtype="int64", trainable=False, name="bad_step")
        self.loss = family.loss(config)
        self._train_step = self._make_train_step()

    def _build(self, family: Family) -> keras.Model:
        """A network that computes as MIXED_PRECISION says.

        Its large matrix products alone are narrowed; a network of convolutions or graphs, which has few, is
        in half precision throughout but for what Keras's policy leaves out.
        """
        policy = self.config.MIXED_PRECISION
        model = family.build_model(self.config)
        if policy is None:
            return model
        dtype = policy.removeprefix("mixed_")
        share = narrow_products(model, dtype)
        what = f"matrix products over {SMALLEST} features and more, {share:.0%} of the weights, in {dtype}"
        if share < _LEAST_NARROWED:
            what = f"layers compute in {dtype}"
            keras.config.set_dtype_policy(policy)
            keras.utils.set_random_seed(self.config.SHUFFLE_SEED)
            model = family.build_model(self.config)
        if not self._said_precision:
            self._said_precision = True
            on_cpu = not tf.config.list_physical_devices("GPU")
            self.log(f"{policy}: {what}{', ' + half_precision_on_cpu(dtype) if on_cpu else ''}")
        return model

    @property
    def validated_model(self) -> keras.Model:
        """The model that is validated and saved: the moving average where there is one."""
        return self.model if self.average is None else self.average

    def _groups(self) -> dict[str, list[keras.Variable]]:
        groups = {
            "model": self.model.variables,
            "optimizer": self.optimizer.variables,
            "loss": [self.loss_sum],
        }
        if self.average is not None:
            groups["average"] = self.average.variables
        return groups

    def _make_train_step(self) -> Callable[..., None]:
        replicas = self.strategy.num_replicas_in_sync

        def replica_step(batch: dict[str, tf.Tensor]) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs = self.model(batch, training=True)
                # Replicas hold equal shares, so the mean over all is the mean of their means.
                loss = self.loss(outputs, batch) / replicas
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, [variable.value for variable in self.trained])
            self.optimizer.apply(gradients, self.trained)
            return loss

        compiled = tf.function(replica_step, jit_compile=True) if self.config.JIT_COMPILE else replica_step

        # The batch is taken inside the graph, where its shapes are the data set's: one graph serves
        # every batch, so that a resumed run computes in the very order of an uninterrupted one.
        @tf.function(autograph=False)
        def train_step(batches: Parsed, step: tf.Tensor, decay: tf.Tensor) -> None:
            losses = self.strategy.run(compiled, (next(batches),))
            loss = self.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
            self.loss_sum.assign_add(loss)
            bad = tf.logical_and(tf.logical_not(tf.math.is_finite(loss)), self.bad_step < 0)
            self.bad_step.assign(tf.where(bad, step, self.bad_step))
            if self.average is not None:
                pairs = zip(self.average.weights, self.model.weights, strict=True)
                for averaged, weight in pairs:
                    averaged.assign_sub((1 - decay) * (averaged.value - weight.value))

        return train_step

    def _batches(self, examples: Parsed, first: int) -> Parsed:
        """Per-replica batches of a kind of examples from a step of theirs on."""
        config = self.config
        shards = self.strategy.num_replicas_in_sync

        def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = shards // context.num_input_pipelines
            start = context.input_pipeline_id * local
            return examples.training_dataset(
                config.BATCH_SIZE, first, shards=shards, shard_ids=range(start, start + local)
            )

        if shards == 1:
            return iter(make(tf.distribute.InputContext()))
        return iter(self.strategy.distribute_datasets_from_function(make))

    def run(self, resume: bool | Path = False) -> TrainingResult:
        """Trains until EPOCHS.

        Args:
            resume: Continue from the latest checkpoint in `out_dir`, or from this one.

        Raises:
            Pose3DError: Nothing to resume or a checkpoint that does not fit; a loss that is not finite
                (weights and checkpoints written before stay); a file that cannot be written.
            Interrupted: On SIGTERM or SIGINT, after the state was saved.
        """
        config = self.config
        if resume:
            self._restore(resume if isinstance(resume, Path) else None)
        first_epoch = self.plan.epoch_of(self.step)
        with contextlib.ExitStack() as stack:
            stop = stack.enter_context(StopSignals())
            writer = None
            if self.chief:
                stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
                writer = tf.summary.create_file_writer(str(self.out_dir / f"tb_{stamp}"))
                stack.callback(writer.close)
            self._iterators.clear()
            for epoch in range(first_epoch, config.EPOCHS + 1):
                self._run_epoch(epoch, stop, writer)
        return TrainingResult(self.best_weights, self.last_weights, self.history)

    def _epoch_batches(self, epoch: int, done: int) -> Iterator[Parsed]:
        """What each step that is left of an epoch takes its batch from."""
        for index, first, count in self.plan.segments(epoch, done):
            if index not in self._iterators:
                self._iterators[index] = self._batches(self.plan.parts[index].examples, first)
            yield from itertools.repeat(self._iterators[index], count)

    def _run_epoch(self, epoch: int, stop: StopSignals, writer: Parsed) -> None:
        config, of_epoch = self.config, self.plan.steps(epoch)
        start, first = datetime.datetime.now(), self.step
        done = self.step - self.plan.before(epoch)
        if done == 0:
            self.loss_sum.assign(0.0)
        self.family.begin_epoch(self.model, config, epoch)
        with Progress(
            of_epoch - done,
            f"epoch {epoch}/{config.EPOCHS}",
            later_steps=self.plan.before(config.EPOCHS + 1) - self.plan.before(epoch + 1),
            later_seconds=self._seconds_later(epoch),
        ) as progress:
            for batches in self._epoch_batches(epoch, done):
                decay = 0.0
                if config.EMA_ENABLED and config.EMA_DECAY is not None:
                    decay = min(config.EMA_DECAY, (1 + self.step) / (10 + self.step))
                try:
                    self._train_step(
                        batches, tf.constant(self.step, tf.int64), tf.constant(decay, tf.float32)
                    )
                except tf.errors.OpError:
                    # TensorFlow hides what a reader of images found wrong behind an error of its own.
                    failure = getattr(self.examples, "failure", None)
                    if failure is None:
                        raise
                    raise failure from None
                self.step += 1
                text = ""
                if progress.due():
                    self._require_finite()
                    in_epoch = self.step - self.plan.before(epoch)
                    text = f"loss {float(np.asarray(self.loss_sum)) / in_epoch:.6f}"
                progress.update(text)
                if stop.received is not None and self.step < self.plan.before(epoch + 1):
                    self._stop(stop.received, checkpoint_path(self.folder, epoch - 1, self.step))
        if epoch == config.EPOCHS:
            self.after_steps()
        self._require_finite()
        trained = datetime.datetime.now()
        seconds = (trained - start).total_seconds()
        steps = self.step - first
        loss = float(np.asarray(self.loss_sum)) / of_epoch
        self.log(
            f"epoch {epoch}/{config.EPOCHS}: loss {loss:.6f}, {format_duration(seconds)}, "
            f"{seconds / steps:.3f} s/step"
        )
        scalars = {"train/loss": loss, "train/step_duration": seconds / steps}
        scalars.update({f"train/{name}": rate for name, rate in current_rates(self.optimizer).items()})
        metrics: dict[str, float] = {}
        if self.validation is not None and epoch % config.VALIDATION_INTERVAL == 0:
            metrics = self.validation(self.validated_model)
            self.history.add(epoch, metrics)
            scalars.update({f"val/{name}": value for name, value in metrics.items()})
            self.log(f"validation: {', '.join(f'{name} {value:.4g}' for name, value in metrics.items())}")
            self._keep_best(epoch)
        if writer is not None:
            with writer.as_default():
                for name, value in scalars.items():
                    tf.summary.scalar(name, value, step=epoch)
            writer.flush()
        if self.chief:
            rate = scalars["train/LR"]
            self.curves.append(epoch, rate, loss, metrics.get("MPJPE"), metrics.get("PAMPJPE"))
        self._keep_last(epoch)
        if epoch % config.CHECKPOINT_INTERVAL == 0:
            self._save(checkpoint_path(self.folder, epoch))
        # What validation and files of this epoch took, they will take in each that follows.
        self._seconds_between = (datetime.datetime.now() - trained).total_seconds()
        if stop.received is not None:
            self._stop(stop.received, checkpoint_path(self.folder, epoch))

    def _seconds_later(self, epoch: int) -> float | None:
        """What validation and files from this epoch on take, as in the last one; None: not known yet."""
        if self._seconds_between is None:
            return None if self.validation is not None else 0.0
        return self._seconds_between * (self.config.EPOCHS - epoch + 1)

    def _require_finite(self) -> None:
        bad = int(np.asarray(self.bad_step))
        if bad >= 0:
            kept = sorted(path.name for path in self.folder.glob("*.h5"))
            raise Pose3DError(
                f"the loss is not finite since step {bad} (counted from 0); "
                f"kept in {self.folder}: {', '.join(kept) or 'nothing yet'}; "
                "a lower initial_learning_rate in SCHEDULE_PARAMS may help"
            )

    def _save(self, path: Path) -> None:
        if not self.chief:
            return
        self.before_saving()
        state = {
            "step": self.step,
            "config": self.config.to_dict(),
            "history": self.history.values,
            "best_weights": self.best_weights.name if self.best_weights else None,
            "last_weights": self.last_weights.name if self.last_weights else None,
        }
        save_checkpoint(path, self._groups(), state)

    def _stop(self, number: int, path: Path) -> None:
        self._require_finite()
        self._save(path)
        raise Interrupted(number, path)

    def _restore(self, named: Path | None) -> None:
        """Takes up a run at the checkpoint that is named, else at the latest one that is whole."""
        if named is None:
            path, state = load_latest_checkpoint(self.folder, self._groups(), self.log)
        else:
            path, state = named, load_checkpoint(named, self._groups())
        self._keep_epsilon(state["config"])
        # A key that is younger than the checkpoint was at its default.
        held = {**type(self.config)().to_dict(), **state["config"]}
        for key, value in self.config.to_dict().items():
            before = held.get(key)
            # Earlier runs did not note their data set.
            if key == "DATASET" and before is None:
                continue
            if before != value and key not in _FREE_KEYS:
                raise Pose3DError(
                    f"{path}: was trained with {key} {before}, this run says {value}; "
                    "continue with the run's own config, or start anew in another --out_dir"
                )
        self.step = state["step"]
        self.history = MetricHistory(state["history"])
        self.curves.restore(self.plan.epoch_of(self.step) - 1)
        for name in ("best_weights", "last_weights"):
            file = state[name] and self.folder / state[name]
            setattr(self, name, file if file and file.exists() else None)
        self.log(f"continuing from {path}, step {self.step}")

    def _keep_epsilon(self, before: Mapping[str, Parsed]) -> None:
        """Lets a run that began with TensorFlow's form of Adam's epsilon go on with it."""
        if before.get("EPSILON_AFTER_CORRECTION", False) or not self.config.EPSILON_AFTER_CORRECTION:
            return
        self.config = self.config.replace(EPSILON_AFTER_CORRECTION=False)
        adam = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        adam.epsilon_after_correction = False
        self.log("the run began with EPSILON_AFTER_CORRECTION false, and goes on so")

    def _write_weights(self, name: str, epoch: int, previous: Path | None) -> Path | None:
        path = self.folder / f"{name}_{epoch:04d}.h5"
        if not self.chief:
            return path
        self.before_saving()
        save_weights(self.validated_model, path, self.config.to_dict())
        if previous is not None and previous != path:
            previous.unlink(missing_ok=True)
        return path

    def _keep_best(self, epoch: int) -> None:
        metric = self.config.BEST_CHECKPOINT_METRIC
        if metric is None:
            return
        best = self.history.best(metric)
        if best is not None and best[0] == epoch:
            self.best_weights = self._write_weights("best_weights", epoch, self.best_weights)
            self.log(f"best so far by {metric}: {self.best_weights}")

    def _keep_last(self, epoch: int) -> None:
        self.last_weights = self._write_weights("last_weights", epoch, self.last_weights)
