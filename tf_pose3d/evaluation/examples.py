"""What a network is trained and tested on, by the name of a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tf_pose3d.data.examples import Examples, open_examples
from tf_pose3d.data.sources import Source, choose_source
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import TrainingConfig

__all__ = ["examples", "examples_of"]


def examples(
    model: keras.Model,
    dataset: str | None = None,
    subset: str = "train",
    split: str = "train",
    *,
    options: Mapping[str, Any] | None = None,
    log: Callable[[str], None] | None = None,
) -> Examples:
    """The examples of a data set, cut as the model reads them.

        windows = tf_pose3d.examples(model, "synthetic", "S1")
        model.fit(windows.training_dataset(64), steps_per_epoch=len(windows) // 64)

    Args:
        model: Of this package; its config says what it reads.
        dataset: A name of `tf_pose3d.datasets()` or the path of a 3D file (`.npz`); None: the config's.
        subset: Which part of it: a subset or a subject.
        split: What they are for: `"train"` (with mirror images, where the config says so), `"val"` or
            `"test"`.
        options: What the data set's reader is told; see `tf_pose3d.evaluate`.
        log: Takes notes about the data; None: nothing is said.

    Returns:
        For families that read 2D poses `tf_pose3d.data.windows.Windows`: `training_dataset(batch_size)` gives
        endless shuffled batches, `ordered_batches(batch_size)` each example once.

    Raises:
        Pose3DError: A split or data set that there is not, or what the reader finds wrong.
    """
    if split not in ("train", "val", "test"):
        raise Pose3DError(f"split is {split!r}, expected train, val or test")
    config = model.config
    source = choose_source(dataset, config, get_family(config.ARCH).data_spec(config, split), options)
    return examples_of(config, source, subset, split, log)


def examples_of(
    config: TrainingConfig, source: Source, subset: str, split: str, log: Callable[[str], None] | None = None
) -> Examples:
    """The examples of a chosen data set, cut as a config's model reads them.

    Args:
        config: Of the model.
        source: The data set.
        subset, split, log: As of `examples`.

    Raises:
        Pose3DError: What the reader finds wrong, or data that do not hold what the model reads.
    """
    family = get_family(config.ARCH)
    return open_examples(
        source,
        subset,
        family.data_spec(config, split),
        family.skeleton(config),
        config.SHUFFLE_SEED,
        log,
        family.input_skeleton(config),
    )
