"""Networks of the original releases, built from a clone of each, for comparisons.

Nothing of them is part of this package: a tool is given the folder of a clone by `--original NAME=PATH`. What
they import besides PyTorch is stood in for where it is not installed (timm's DropPath), and what no Python 3
or no processor takes is changed while it is read; the clone stays as it is. `Original.changed` says what.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "ORIGINALS",
    "Original",
    "obstacle",
    "original_module",
    "original_network",
    "parse_originals",
]


@dataclasses.dataclass(frozen=True)
class Original:
    """A release and how it is brought to run here.

    Attributes:
        repository: On GitHub.
        module: That holds the network; clones are recognised by it.
        needs: Packages besides PyTorch, or TensorFlow, that have no stand-in here.
        changes: Module -> texts of its source and what is read in their stead.
        changed: The same in words, and what is stood in for.
        unused: Modules that it imports and that its network does not use, with the names in them.
        missing: Files that the release imports and does not hold.
        obstacle: Why it does not run here; empty where it does.
    """

    repository: str
    module: str
    needs: tuple[str, ...] = ()
    changes: dict[str, tuple[tuple[str, str], ...]] = dataclasses.field(default_factory=dict)
    changed: str = ""
    unused: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    missing: tuple[str, ...] = ()
    obstacle: str = ""


_TIMM = "timm's DropPath is stood in for where timm is not installed"
ORIGINALS = {
    "SemGCN": Original(
        "garyzhao/SemGCN",
        "models.sem_gcn",
        ("scipy",),
        {"models.sem_gcn": (("self.nonlocal", "self.non_local"),)},
        "`self.nonlocal`, which Python 3 refuses, is read as `self.non_local`",
    ),
    "HOIF": Original(
        "happyvictor008/Higher-Order-Implicit-Fairing-Networks-for-3D-Human-Pose-Estimation",
        "models.h_gcn_ii",
        ("scipy",),
    ),
    "HGCN": Original("ZhimingZo/HGCN", "models.h_gcn", ("scipy",)),
    "VideoPose3D": Original("facebookresearch/VideoPose3D", "common.model"),
    "RIE": Original("paTRICK-swk/Pose3D-RIE", "common.model"),
    "StridedTransformer": Original(
        "Vegetebird/StridedTransformer-Pose3D", "model.strided_transformer", ("einops",)
    ),
    "PoseFormer": Original("zczcwh/PoseFormer", "common.model_poseformer", ("einops",), changed=_TIMM),
    "Uplift": Original(
        "goldbricklemon/uplift-upsample-3dhpe",
        "common.net.uplift_upsample_transformer",
        ("einops", "tf_keras"),
        {
            f"common.net.{module}": (
                (
                    f"super({layer}, self).__init__(self, **kwargs)",
                    f"super({layer}, self).__init__(**kwargs)",
                ),
            )
            for module, layer in (
                ("vision_transformer", "TransformerBlock"),
                ("uplift_upsample_transformer", "StridedTransformerBlock"),
            )
        },
        changed="runs on tf_keras, Keras 2, which refuses the `self` that two layers give as an argument; "
        "TensorFlow Addons' AdamW is its Adam after a step of decay",
    ),
    "LCN": Original(
        "CHUNYUWANG/lcn-pose",
        "network.models_att",
        ("scipy", "tf_keras"),
        changed="runs on tf_keras, Keras 2, in TensorFlow 1's graphs",
    ),
    "MotionBERT": Original("Walter0807/MotionBERT", "lib.model.DSTformer"),
    "MotionAGFormer": Original("TaatiTeam/MotionAGFormer", "model.MotionAGFormer", changed=_TIMM),
    "MixSTE": Original(
        "JinluZhang1126/MixSTE",
        "common.model_cross",
        ("einops",),
        changed=f"local_attention, which its network does not use, is left out; {_TIMM}",
        unused={"local_attention": ("LocalAttention",)},
    ),
    "D3DP": Original(
        "paTRICK-swk/D3DP",
        "common.diffusionpose",
        ("einops",),
        {"common.diffusionpose": (("device='cuda'", "device='cpu'"), (".cuda()", ""))},
        "tensors that it puts on a GPU stay on the processor; " + _TIMM,
    ),
    "EHFusion": Original(
        "JihuaPeng/Grouped3DHPE",
        "common.onestage_model",
        missing=("common/Block_lib.py", "common/embedding.py"),
    ),
    "DenseWarper": Original(
        "lingli1724/DenseWarper-ICLR2026",
        "lib.models.DenseWarper_network",
        obstacle="its deformable convolution is a CUDA extension of PyTorch 1, without a form for processors",
    ),
}

# The arguments that sizes become, and those that never change.
_SIZES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "MotionAGFormer": (
        "MotionAGFormer",
        {"frames": "n_frames", "width": "dim_feat", "depth": "n_layers"},
        {"dim_in": 3, "num_heads": 8, "neighbour_num": 2},
    ),
    "MotionBERT": (
        "DSTformer",
        {"frames": "maxlen", "width": "dim_feat", "depth": "depth", "ratio": "mlp_ratio"},
        {"dim_in": 3, "dim_rep": 512, "num_heads": 8, "att_fuse": True},
    ),
    "MixSTE": (
        "MixSTE2",
        {"frames": "num_frame", "width": "embed_dim_ratio", "depth": "depth"},
        {
            "num_joints": 17,
            "in_chans": 2,
            "num_heads": 8,
            "mlp_ratio": 2.0,
            "qkv_bias": True,
            # As its run.py trains it; nothing is dropped in inference.
            "drop_path_rate": 0.1,
        },
    ),
}


def parse_originals(texts: Sequence[str]) -> dict[str, Path]:
    """Name -> folder of `NAME=PATH`; exits on anything else."""
    names = {name.lower(): name for name in ORIGINALS}
    found = {}
    for text in texts:
        given, _, path = text.partition("=")
        name = names.get(given.lower())
        if name is None or not Path(path).is_dir():
            sys.exit(f"--original {text}: expected NAME=PATH, a clone of one of {', '.join(ORIGINALS)}")
        original = ORIGINALS[name]
        if not (Path(path) / original.module.replace(".", "/")).with_suffix(".py").is_file():
            sys.exit(
                f"--original {text}: no {original.module.replace('.', '/')}.py in it; expected a clone of "
                f"github.com/{original.repository}"
            )
        found[name] = Path(path).resolve()
    return found


def obstacle(name: str, folder: Path | None) -> str:
    """Why a release cannot run here, as far as that is known before it is tried; empty where it may."""
    original = ORIGINALS[name]
    if original.obstacle:
        return original.obstacle
    if folder is None:
        return f"no clone given (--original {name}=PATH, of github.com/{original.repository})"
    lacking = [path for path in original.missing if not (folder / path).exists()]
    if lacking:
        return f"{' and '.join(lacking)}, which it imports, {'is' if len(lacking) == 1 else 'are'} not in it"
    needed = [package for package in original.needs if importlib.util.find_spec(package) is None]
    if needed:
        return f"needs {' and '.join(needed)}: pip install {' '.join(needed)}"
    return ""


class _Changed(importlib.machinery.SourceFileLoader):
    """Reads a module with some texts in the stead of others."""

    def __init__(self, name: str, path: str, changes: tuple[tuple[str, str], ...]) -> None:
        super().__init__(name, path)
        self._changes = changes

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> types.CodeType:  # type: ignore[override]
        text = data.decode("utf-8")
        for old, new in self._changes:
            if old not in text:
                raise ImportError(f"{path}: no {old!r} in it, which is changed where it is read")
            text = text.replace(old, new)
        return super().source_to_code(text.encode("utf-8"), path)


class _Finder:
    """Finds the modules of a clone whose source is changed."""

    def __init__(self, folder: Path, changes: dict[str, tuple[tuple[str, str], ...]]) -> None:
        self._folder, self._changes = folder, changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._changes:
            return None
        file = str((self._folder / name.replace(".", "/")).with_suffix(".py"))
        loader = _Changed(name, file, self._changes[name])
        return importlib.util.spec_from_file_location(name, file, loader=loader)


def _stand_in_for_timm() -> None:
    if "timm" in sys.modules or importlib.util.find_spec("timm") is not None:
        return
    import torch
    from torch import nn

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

    _stand_in("timm")
    _stand_in("timm.models")
    _stand_in(
        "timm.models.layers",
        DropPath=DropPath,
        to_2tuple=lambda value: (value, value),
        trunc_normal_=nn.init.trunc_normal_,
    )
    # Of their image networks, which are not built here.
    _stand_in("timm.data", IMAGENET_DEFAULT_MEAN=None, IMAGENET_DEFAULT_STD=None)
    _stand_in("timm.models.helpers", load_pretrained=None)
    _stand_in("timm.models.registry", register_model=None)


def _stand_in(name: str, **values: Any) -> None:
    """Puts a module of these values where imports find it."""
    module = types.ModuleType(name)
    # `torch.compile` looks at every loaded module's specification.
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for key, value in values.items():
        setattr(module, key, value)
    sys.modules[name] = module


def original_module(name: str, folder: Path, module: str = "") -> Any:
    """A module of a release.

    Releases call their packages alike (`common`, `model`, `lib`): what another clone left is dropped.

    Args:
        name: Of `ORIGINALS`.
        folder: A clone of its repository.
        module: Another than the network's.
    """
    original = ORIGINALS[name]
    module = module or original.module
    if "timm" in original.changed:
        _stand_in_for_timm()
    for name_of, names in original.unused.items():
        if name_of not in sys.modules and importlib.util.find_spec(name_of) is None:
            _stand_in(name_of, **dict.fromkeys(names))
    top = module.partition(".")[0]
    for loaded in [held for held in sys.modules if held == top or held.startswith(f"{top}.")]:
        if not str(getattr(sys.modules[loaded], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[loaded]
    finder: Any = _Finder(folder, original.changes)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(module)
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = written


def original_network(name: str, folder: Path, sizes: dict[str, Any]) -> Any:
    """The network of MotionAGFormer's, MotionBERT's or MixSTE's release, with its own initial weights.

    Args:
        name: Of these.
        folder: A clone of its repository.
        sizes: `frames`, `width`, `depth` and, of some, `ratio`.
    """
    kind, arguments, fixed = _SIZES[name]
    network = getattr(original_module(name, folder), kind)
    return network(**{arguments[size]: value for size, value in sizes.items()}, **fixed)
