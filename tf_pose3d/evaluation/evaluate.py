"""Errors of a model on a data set; one road for Python and `eval.py`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.examples import Examples
from tf_pose3d.data.sources import Source, choose_source
from tf_pose3d.evaluation.examples import examples_of
from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import load_model
from tf_pose3d.weights.opening import converted_weights

if TYPE_CHECKING:
    import keras

__all__ = ["EvaluationRun", "evaluate", "run_evaluation"]

Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class EvaluationRun:
    """What one evaluation gives.

    Attributes:
        evaluations: One per setting, e.g. per s_in; see the protocol.
        examples: What was predicted.
    """

    evaluations: Sequence[Any]
    examples: Examples

    @property
    def numbers(self) -> dict[str, Any]:
        """Errors by setting (`"all"` where there is one), in mm: what `eval.py --json` writes."""
        return {one.label or "all": one.results for one in self.evaluations}


def run_evaluation(
    model: keras.Model,
    config: TrainingConfig,
    source: Source,
    subset: str,
    log: Log | None = None,
    name: str = "model",
    action_wise: bool = True,
    show_progress: bool = False,
) -> EvaluationRun:
    """Evaluates a model by its family's protocol.

    Args:
        model: With its weights.
        config: What to evaluate under, e.g. another s_in than the model's own config says.
        source: The data set.
        subset: Its part, by name.
        log: Takes notes and tables; None: nothing is said.
        name: Of the model, for messages.
        action_wise: Tables also by action.
        show_progress: Show a progress bar.

    Raises:
        Pose3DError: What the reader finds wrong, or data that do not hold what the model reads.
    """
    say = log or (lambda line: None)
    family = get_family(config.ARCH)
    protocol = get_protocol(family, source.dataset)
    examples = examples_of(config, source, subset, "test", say)
    for note in examples.notes():
        say(note)
    say(f"{name}: {examples.num_centres} {protocol.predicted} of {subset}")
    evaluations = []
    for evaluation in protocol.evaluate(model, config, examples, show_progress):
        say(protocol.tables(evaluation, action_wise))
        evaluations.append(evaluation)
    return EvaluationRun(evaluations, examples)


def evaluate(
    model: keras.Model | str | os.PathLike,
    dataset: str | None = None,
    subset: str = "test",
    *,
    options: Mapping[str, Any] | None = None,
    log: Log | None = None,
    **keys: Any,
) -> dict[str, Any]:
    """The numbers of `eval.py --json`: errors in mm, by setting.

        numbers = tf_pose3d.evaluate("logs/mine/checkpoints/best", dataset="synthetic", subset="S9")
        print(numbers["all"]["all_frames"]["frame_wise"]["mpjpe"])

    Args:
        model: A model of this package, a weight file, or a prefix of its path.
        dataset: A name of `tf_pose3d.datasets()` or the path of a 3D file (`.npz`); None: the config's.
        subset: Which part of it: a subset or a subject.
        options: What the data set's reader is told, e.g. `{"keypoints": "gt"}`; see
            `tf_pose3d.data.datasets.get_dataset(NAME).options`.
        log: Takes the tables that the program prints; None: nothing is said.
        **keys: Config keys to overwrite, e.g. `MASK_STRIDE=5`; the network stays as it was trained. They also
            say what a release's checkpoint does not tell.

    Returns:
        Label of a setting (`"all"` where a family has one) -> its results, see the family's protocol in
        `tf_pose3d.evaluation.protocols`.

    Raises:
        Pose3DError: Unreadable weights, an unknown data set, or data that do not hold what the model reads.
    """
    name = "model"
    if isinstance(model, (str, os.PathLike)):
        name = str(model)
        with converted_weights(model, keys, log=log or (lambda line: None)):
            model = load_model(model)
    config = model.config.replace(**keys) if keys else model.config
    spec = get_family(config.ARCH).data_spec(config, "test")
    source = choose_source(dataset, config, spec, options, test=True)
    return run_evaluation(model, config, source, subset, log, name).numbers
