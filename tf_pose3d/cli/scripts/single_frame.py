"""Scripts of SemGCN and of those that build on it: HGCN and HOIF-Net."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tf_pose3d.cli.scripts.files import find_file, refuse_pytorch_state, run_folder
from tf_pose3d.cli.scripts.script import (
    EVAL,
    INFERENCE,
    TRAIN,
    Given,
    Plan,
    Script,
    ScriptFlag,
    ignored,
    passed,
    read,
)
from tf_pose3d.cli.scripts.temporal import PICTURE_FLAGS
from tf_pose3d.errors import Pose3DError

__all__ = ["SCRIPTS"]

_SCHEDULE = "SCHEDULE_PARAMS"
_RUN = (TRAIN, EVAL)
_LOADING = "batches are made without worker processes"
_READ_OFF = "the weights tell it"


def _common(keypoints: str) -> tuple[ScriptFlag, ...]:
    return (
        passed("-d --dataset", "--dataset", "data set: h36m"),
        passed("-k --keypoints", "--keypoints", "2D poses by name", keypoints, always=True),
        ignored("--num_workers", _LOADING),
    )


def _main_flags(
    keypoints: str, batch: int, epochs: int, gamma: float, snapshot: int, size: tuple[ScriptFlag, ...]
) -> tuple[ScriptFlag, ...]:
    """Flags of `main_gcn.py` or `main_linear.py` with a release's defaults."""
    training = (TRAIN,)
    return (
        *_common(keypoints),
        passed("-a --actions", "--actions", "actions to read", programs=_RUN),
        read("--evaluate", "evaluate", "weights to evaluate, by their path: eval.py --weights"),
        read("-r --resume", "resume", "checkpoint cp_*.h5 of the run to continue"),
        read("-c --checkpoint", "folder", "folder of runs; each gets a new one in it", "checkpoint"),
        passed(
            "--snapshot",
            "--snapshot",
            "epochs between checkpoints",
            snapshot,
            "CHECKPOINT_INTERVAL",
            training,
        ),
        # SemGCN's README writes --epoch.
        passed("-e --epochs --epoch", "--epochs", "epochs to train", epochs, "EPOCHS", training),
        passed("-b --batch_size", "--batch_size", "poses at once", batch, "BATCH_SIZE", _RUN),
        passed("--lr", "--lr", "initial rate", 0.001, f"{_SCHEDULE}.initial_learning_rate", training),
        passed(
            "--lr_decay", "--lr_decay", "steps between decays", 100000, f"{_SCHEDULE}.decay_steps", training
        ),
        passed(
            "--lr_gamma", "--lr_gamma", "factor of each decay", gamma, f"{_SCHEDULE}.decay_rate", training
        ),
        passed("--no_max", "--no_max", "leaves gradients as they are", programs=training, values="none"),
        passed("--downsample", "--downsample", "uses every n-th frame", 1, "DOWNSAMPLE", _RUN),
        *size,
    )


def _size_flags(width: int, letter: str = "-z", dropout: bool = True) -> tuple[ScriptFlag, ...]:
    training = (TRAIN,)
    flags = [
        passed("-l --num_layers", "--num_layers", "residual pairs", 4, "NUM_LAYERS", training),
        passed(f"{letter} --hid_dim", "--hid_dim", "features of a joint or hop", width, "HID_DIM", training),
    ]
    if dropout:
        flags.append(passed("--dropout", "--dropout", "dropout rate", 0.0, "DROP_RATE", training))
    return tuple(flags)


_NON_LOCAL = passed("--non_local", "--non_local", "adds non-local blocks", programs=(TRAIN,), values="none")


def _main_plan(arch: str, config: Callable[[Given], str]) -> Callable[[Given], Plan]:
    def plan(given: Given) -> Plan:
        if given.has("resume") and given.has("evaluate"):
            raise Pose3DError("--resume and --evaluate cannot both be given, as in the release")
        if given.has("evaluate"):
            made = Plan(EVAL)
            weights = find_file("--evaluate", given.value("evaluate") or "", (), made.notes)
            made.arguments += ["--arch", arch, "--weights", weights]
            return made
        made = Plan(TRAIN, config=config(given))
        made.arguments += ["--config", made.config or ""]
        if given.has("resume"):
            made.arguments += _resumed(given.value("resume") or "", made)
        else:
            made.arguments += ["--out_dir", run_folder(given.value("folder") or "")]
        return made

    return plan


def _resumed(name: str, made: Plan) -> list[str]:
    """The run of a checkpoint, which goes on in its own folder as in the release."""
    refuse_pytorch_state("--resume", name)
    path = Path(name)
    if path.parent.name != "checkpoints" or not path.is_file():
        raise Pose3DError(f"--resume {name}: expected a file cp_*.h5 in a run's folder checkpoints")
    made.notes.append("the run goes on from the latest checkpoint of its folder")
    return ["--out_dir", str(path.parent.parent), "--continue_training", "True"]


def _by_keypoints(stem: str) -> Callable[[Given], str]:
    """The config of 16 joints for exact 2D, else that of 17, as the releases choose."""
    return lambda given: f"{stem}_gt" if given.value("--keypoints") == "gt" else f"{stem}_cpn"


def _semgcn_config(given: Given) -> str:
    return "semgcn_nonlocal_gt" if given.has("--non_local") else "semgcn_gt"


def _viz_flags(architectures: str) -> tuple[ScriptFlag, ...]:
    return (
        *_common("gt"),
        read("--evaluate", "evaluate", "weights that lift the recording"),
        read("-a --architecture", "architecture", f"the network: {architectures}", "gcn"),
        ignored("-b --batch_size", "a recording is lifted whole"),
        ignored("--num_layers", _READ_OFF),
        ignored("--hid_dim", _READ_OFF),
        ignored("--non_local", _READ_OFF, "none"),
        ignored("--dropout", "nothing is dropped at test time"),
        *PICTURE_FLAGS,
    )


def _viz_plan(archs: dict[str, str]) -> Callable[[Given], Plan]:
    """The plan of `viz.py`.

    Args:
        archs: Value of `--architecture` -> short name of the family.
    """

    def plan(given: Given) -> Plan:
        wanted = given.value("architecture") or ""
        if wanted not in archs:
            raise Pose3DError(f"--architecture {wanted}: this viz.py has {' or '.join(archs)}")
        if not given.has("evaluate"):
            raise Pose3DError("viz.py needs --evaluate FILE, the weights that lift the recording")
        made = Plan(INFERENCE)
        weights = find_file("--evaluate", given.value("evaluate") or "", (), made.notes)
        made.arguments += ["--arch", archs[wanted], "--weights", weights]
        return made

    return plan


_HOIF = "happyvictor008/Higher-Order-Implicit-Fairing-Networks-for-3D-Human-Pose-Estimation"
_IDLE = ignored("--non_local", "without effect, as in the release", "none")

SCRIPTS: tuple[Script, ...] = (
    Script(
        "hoif",
        "main_gcn.py",
        ("hoif",),
        (*_main_flags("cpn_ft_h36m_dbb", 256, 50, 0.8, 5, _size_flags(64)), _IDLE),
        _main_plan("hoif", _by_keypoints("hoif")),
        _HOIF,
        _RUN,
    ),
    Script("hoif", "viz.py", ("hoif",), _viz_flags("gcn"), _viz_plan({"gcn": "hoif"}), _HOIF, (INFERENCE,)),
    Script(
        "hgcn",
        "main_gcn.py",
        ("hgcn",),
        (*_main_flags("cpn_ft_h36m_dbb", 256, 50, 0.8, 5, _size_flags(96)), _IDLE),
        _main_plan("hgcn", _by_keypoints("hgcn")),
        "ZhimingZo/HGCN",
        _RUN,
    ),
    Script(
        "hgcn",
        "viz.py",
        ("hgcn",),
        _viz_flags("gcn"),
        _viz_plan({"gcn": "hgcn"}),
        "ZhimingZo/HGCN",
        (INFERENCE,),
    ),
    Script(
        "semgcn",
        "main_gcn.py",
        ("semgcn",),
        (*_main_flags("gt", 64, 100, 0.96, 5, _size_flags(128, dropout=False)), _NON_LOCAL),
        _main_plan("semgcn", _semgcn_config),
        "garyzhao/SemGCN",
        _RUN,
    ),
    Script(
        "semgcn",
        "main_linear.py",
        ("martinez",),
        _main_flags("gt", 64, 200, 0.96, 10, ()),
        _main_plan("martinez", lambda given: "martinez_gt"),
        "garyzhao/SemGCN",
        _RUN,
    ),
    Script(
        "semgcn",
        "viz.py",
        ("semgcn", "martinez"),
        _viz_flags("gcn or linear"),
        _viz_plan({"gcn": "semgcn", "linear": "martinez"}),
        "garyzhao/SemGCN",
        (INFERENCE,),
    ),
)
