"""What a network is trained and tested on, by the name of a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tf_pose3d.data.examples import Examples, choose_source, open_examples
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family

if TYPE_CHECKING:
    import keras

__all__ = ["examples"]


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
    family = get_family(config.ARCH)
    spec = family.data_spec(config, split)
    source = choose_source(dataset, config, spec, options)
    skeletons = family.skeleton(config), family.input_skeleton(config)
    return open_examples(source, subset, spec, skeletons[0], config.SHUFFLE_SEED, log, skeletons[1])
