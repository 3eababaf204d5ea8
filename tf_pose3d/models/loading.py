"""Models from configs and weight files: the two lines that serve every family."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.backend import require_keras
from tf_pose3d.config import Config, TrainingConfig, nearest, read_config_file, shipped_configs
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.models.family import FAMILIES, get_family
from tf_pose3d.models.keras_file import load_keras_file
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.hdf5 import load_weights, read_config, save_weights

if TYPE_CHECKING:
    import keras

__all__ = ["as_config", "build_model", "load_config", "load_model", "require_fitting_weights", "save_model"]


def load_config(
    config: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = None,
    arch: str | None = None,
) -> TrainingConfig:
    """The config that a program runs with.

    The family is the config file's ARCH, else the weights', else `arch`. Values are the config file's,
    else those that the weights carry, else the family's defaults.

    Args:
        config: `.json` or `.txt` file, or the name of one that ships, e.g. `"quickstart"`.
        weights: `.h5` file.
        arch: ARCH or short name of a family.

    Raises:
        Pose3DError: A file that cannot be read, an unknown key or value, or no word about the family.
    """
    held = read_config(weights) if weights is not None else None
    if config is not None:
        values = read_config_file(config)
        named = values.get("ARCH") or (held or {}).get("ARCH") or arch
        if named is None:
            raise Pose3DError(f"{config}: no ARCH; add one to the file or give --arch")
        return get_family(named, config).config_class.from_dict(values, source=str(config))
    if held is not None:
        if "ARCH" not in held:
            raise Pose3DError(f"{weights}: the config that it holds has no ARCH")
        return get_family(held["ARCH"], weights).config_class.from_dict(held, source=str(weights))
    if arch is not None:
        return get_family(arch).config_class()
    if weights is not None:
        raise Pose3DError(
            f"{weights}: holds no config, as files of the original releases; give the config file beside it"
        )
    raise Pose3DError("give a config file or weights, or name the family (--arch)")


def require_fitting_weights(weights: str | os.PathLike, config: Config, arch: str | None = None) -> None:
    """Checks that weights are of the family and of the joints that a program is asked to run.

    Args:
        weights: `.h5` file; one that holds no config passes.
        config: With what the flags overwrite.
        arch: What `--arch` says.

    Raises:
        Pose3DError: They are not.
    """
    held = read_config(weights) or {}
    if "ARCH" not in held:
        return
    asked = get_family(arch).arch if arch is not None else config.ARCH
    for name in (asked, config.ARCH):
        if name != held["ARCH"]:
            raise Pose3DError(
                f"{weights} holds weights of {held['ARCH']}, not of {name}; give weights of {name}"
            )
    family = get_family(config.ARCH)
    own = family.config_class.from_dict(held, source=str(weights))
    for layout in (family.skeleton, family.input_skeleton):
        trained, wanted = layout(own), layout(config)
        if trained == wanted:
            continue
        joints, others = (get_skeleton(name).num_joints for name in (trained, wanted))
        raise Pose3DError(
            f"{weights} holds a network of {joints} joints ({trained}), not of {others} ({wanted}); "
            "leave the number of joints as it is, or give other weights"
        )


def as_config(config: str | os.PathLike | Config) -> Parsed:
    """A config from whatever names it.

    Args:
        config: A config; a config file or the name of one that ships; or a family, for its defaults.

    Raises:
        Pose3DError: No such file, shipped config or family.
    """
    if isinstance(config, Config):
        return config
    shipped = shipped_configs()
    if os.path.exists(config) or Path(config).suffix in (".json", ".txt") or str(config) in shipped:
        return load_config(config)
    families = [name for arch, (short, _) in FAMILIES.items() for name in (arch, short)]
    if str(config).lower() not in [name.lower() for name in families]:
        raise Pose3DError(
            f"{config!r} is no config file, shipped config or family"
            f"{nearest(str(config), [*shipped, *families])}"
        )
    return get_family(str(config)).config_class()


def build_model(config: str | os.PathLike | Config) -> keras.Model:
    """A built model with random weights; `model.config` is its config.

    Args:
        config: See `as_config`: `build_model("martinez")` builds the family's default network.

    Raises:
        Pose3DError: As `as_config`.
    """
    made = as_config(config)
    require_keras(f"a network of {made.ARCH}")
    model = get_family(made.ARCH).build_model(made)
    model.config = made
    return model


def load_model(
    weights: str | os.PathLike,
    config: str | os.PathLike | Config | None = None,
    arch: str | None = None,
) -> keras.Model:
    """As `tf_pose3d.load_model`, without checkpoints of the original releases.

    Raises:
        Pose3DError: Unreadable files, or weights that do not fit the config (with layer and shapes).
    """
    if str(weights).endswith(".keras"):
        if config is not None:
            raise Pose3DError(f"{weights} holds its config; give none beside it")
        return load_keras_file(weights)
    weights = resolve_weights(weights)
    if not isinstance(config, Config):
        config = load_config(config, weights, arch)
    model = build_model(config)
    load_weights(model, weights)
    return model


def save_model(model: keras.Model, path: str | os.PathLike) -> Path:
    """Writes a model's weights and config, so that `load_model(path)` needs nothing else."""
    save_weights(model, path, model.config.to_dict())
    return Path(path)
