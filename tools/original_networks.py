"""Networks of the original releases, built from a clone of each, for comparisons.

Nothing of them is part of this package: a tool is given the folder of a clone by `--original NAME=PATH`. What
they import besides PyTorch (timm's DropPath) is stood in for where it is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path

import torch
from torch import nn

# Name -> module in the clone, class, arguments that sizes become, and those that never change.
ORIGINALS = {
    "MotionAGFormer": (
        "model.MotionAGFormer",
        "MotionAGFormer",
        {"frames": "n_frames", "width": "dim_feat", "depth": "n_layers"},
        {"dim_in": 3, "num_heads": 8, "neighbour_num": 2},
    ),
    "MotionBERT": (
        "lib.model.DSTformer",
        "DSTformer",
        {"frames": "maxlen", "width": "dim_feat", "depth": "depth", "ratio": "mlp_ratio"},
        {"dim_in": 3, "dim_rep": 512, "num_heads": 8, "att_fuse": True},
    ),
    "MixSTE": (
        "common.model_cross",
        "MixSTE2",
        {"frames": "num_frame", "width": "embed_dim_ratio", "depth": "depth"},
        {
            "num_joints": 17,
            "in_chans": 2,
            "num_heads": 8,
            "mlp_ratio": 2.0,
            "qkv_bias": True,
            "drop_path_rate": 0,
        },
    ),
}


class DropPath(nn.Module):
    """Leaves out a share of the samples, and enlarges the others."""

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.drop_prob:
            return x
        kept = 1 - self.drop_prob
        shape = (len(x), *(1,) * (x.ndim - 1))
        return x * torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(kept) / kept


def _stand_in_for_timm() -> None:
    if "timm" in sys.modules or importlib.util.find_spec("timm") is not None:
        return
    layers = types.ModuleType("timm.models.layers")
    layers.DropPath = DropPath  # type: ignore[attr-defined]
    layers.to_2tuple = lambda value: (value, value)  # type: ignore[attr-defined]
    layers.trunc_normal_ = nn.init.trunc_normal_  # type: ignore[attr-defined]
    for name in ("timm", "timm.models", "timm.data", "timm.models.helpers", "timm.models.registry"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["timm.models.layers"] = layers
    # Of their image networks, which are not built here.
    for name, names in (
        ("timm.data", ("IMAGENET_DEFAULT_MEAN", "IMAGENET_DEFAULT_STD")),
        ("timm.models.helpers", ("load_pretrained",)),
        ("timm.models.registry", ("register_model",)),
    ):
        for one in names:
            setattr(sys.modules[name], one, None)


def parse_originals(texts: list[str]) -> dict[str, Path]:
    """Name -> folder of `NAME=PATH`; exits on anything else."""
    found = {}
    for text in texts:
        name, _, path = text.partition("=")
        if name not in ORIGINALS or not Path(path).is_dir():
            sys.exit(f"--original {text}: expected NAME=PATH, a clone of one of {', '.join(ORIGINALS)}")
        found[name] = Path(path)
    return found


def original_network(name: str, folder: Path, sizes: dict[str, int]) -> nn.Module:
    """A release's network with its own initial weights.

    Args:
        name: Of `ORIGINALS`.
        folder: A clone of its repository.
        sizes: `frames`, `width`, `depth` and, of some, `ratio`.
    """
    module, kind, arguments, fixed = ORIGINALS[name]
    _stand_in_for_timm()
    sys.path.insert(0, str(folder))
    # Releases call their packages alike (`common`, `model`, `lib`).
    top = module.partition(".")[0]
    for loaded in [held for held in sys.modules if held == top or held.startswith(f"{top}.")]:
        del sys.modules[loaded]
    try:
        network = getattr(importlib.import_module(module), kind)
    finally:
        sys.path.remove(str(folder))
    return network(**{arguments[size]: value for size, value in sizes.items()}, **fixed)
