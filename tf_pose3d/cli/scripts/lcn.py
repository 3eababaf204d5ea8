"""LCN's programs."""

from __future__ import annotations

from collections.abc import Callable

from tf_pose3d.cli.scripts.script import EVAL, INFERENCE, TRAIN, Given, Plan, Script, ScriptFlag, passed
from tf_pose3d.errors import Pose3DError

__all__ = ["SCRIPTS"]

_SOURCE = "CHUNYUWANG/lcn-pose"

_DATA = (
    passed("--data_type", "--data_type", "how coordinates are normalised: scale"),
    passed("--mode", "--mode", "2D poses: gt or dt_ft"),
)
_NETWORK = (
    passed("--mask_type", "--mask_type", "obeyed here; the release parses it only"),
    passed("--graph", "--graph", "which neighbour graph"),
    passed("--knn", "--knn", "hops that connect two joints"),
    passed("--layers", "--layers", "residual blocks"),
    passed("--in_joints", "--in_joints", "joints read"),
    passed("--out_joints", "--out_joints", "joints predicted"),
    passed("--dropout", "--dropout", "share of features that training drops"),
    passed("--channels", "--channels", "features per joint"),
    passed("--in_F", "--in_F", "numbers read per joint"),
)


def _tests(default: str | None) -> ScriptFlag:
    return passed("--test_indices", "--test_indices", "numbers of the experiments", default, always=True)


def _plan(program: str) -> Callable[[Given], Plan]:
    def plan(given: Given) -> Plan:
        missing = [name for name in ("--data_type", "--mode") if not given.has(name)]
        if program == EVAL and not given.has("--test_indices"):
            missing.append("--test_indices")
        if missing:
            raise Pose3DError(f"{' and '.join(missing)}: required, as in the release")
        return Plan(program, ["--arch", "lcn"])

    return plan


def _gendb(given: Given) -> Plan:
    raise Pose3DError(
        "gendb.py has its folders in its source; here: tools/gendb.py H36M_ROOT --out_dir dataset, with "
        "H36M-Toolbox's folders and cameras.h5 in H36M_ROOT"
    )


SCRIPTS: tuple[Script, ...] = (
    Script(
        "lcn",
        "train.py",
        ("lcn",),
        (
            *_DATA,
            _tests("1"),
            *_NETWORK,
            passed("--flip_data", "--flip_data", "also train on mirrored poses", values="none"),
        ),
        _plan(TRAIN),
        _SOURCE,
        (TRAIN,),
    ),
    Script(
        "lcn",
        "inference.py",
        ("lcn",),
        (
            *_DATA,
            _tests("1"),
            *_NETWORK,
            passed("--flip_data", "--flip_data", "average with the mirrored prediction", values="none"),
            # Its README writes --checkpoint.
            passed("--checkpoints --checkpoint", "--checkpoints", "which weights: best or final"),
        ),
        _plan(INFERENCE),
        _SOURCE,
        (INFERENCE,),
    ),
    Script(
        "lcn",
        "evaluate.py",
        ("lcn",),
        (
            *_DATA,
            _tests(None),
            passed("--protocol2", "--protocol2", "align poses by Procrustes first", values="none"),
            passed("--per_joint", "--per_joint", "errors by joint", values="none"),
        ),
        _plan(EVAL),
        _SOURCE,
        (EVAL,),
    ),
    Script("lcn", "tools/gendb.py", ("lcn",), (), _gendb, _SOURCE, ()),
)
