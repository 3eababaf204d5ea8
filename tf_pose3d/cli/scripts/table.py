"""The table of all releases' scripts, and whose a script or a flag is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tf_pose3d.cli.scripts import clips, lcn, multiview, preparation, single_frame, strided, temporal, uplift
from tf_pose3d.cli.scripts.script import Script, ScriptFlag, likely
from tf_pose3d.config import nearest, read_config_file
from tf_pose3d.errors import Pose3DError

__all__ = [
    "ABSENT",
    "OURS",
    "SCRIPTS",
    "choose_script",
    "families_of_flag",
    "family_of_flags",
    "flag_of_family",
    "holders",
    "joined",
    "releases",
    "scripts_of_family",
    "told_families",
    "underscored_name",
]

SCRIPTS: tuple[Script, ...] = (
    *uplift.SCRIPTS,
    *lcn.SCRIPTS,
    *single_frame.SCRIPTS,
    *temporal.SCRIPTS,
    *strided.SCRIPTS,
    *multiview.SCRIPTS,
    *clips.SCRIPTS,
    *preparation.SCRIPTS,
)

# Scripts of the releases that have no counterpart: (release, name) -> why, and what there is instead.
ABSENT: Mapping[tuple[str, str], str] = {
    ("d3dp", "main_3dhp.py"): (
        "its files hold MPI-INF-3DHP's annot3, and its table is made in MATLAB; P-STMO's files "
        "(univ_annot3) are read here: train.py --arch d3dp --dataset mpi_inf_3dhp"
    ),
    ("d3dp", "main_in_the_wild.py"): (
        "D3DP reads Human3.6M's joints here, not COCO's; inference.py --input FILE converts a detector's"
    ),
    ("motionbert", "infer_wild_mesh.py"): "body meshes are not here: infer_wild.py gives the joints",
    ("motionbert", "train_mesh.py"): "body meshes are not here",
    ("motionbert", "train_action.py"): (
        "action recognition is not here; its heads read the model's output representation, which is"
    ),
    ("videopose3d", "prepare_data_2d_custom.py"): (
        "not needed: inference.py --input FILE.npz reads what infer_video_d2.py writes"
    ),
}

# Flags of our programs that may stand among a release's, where it has none of that name: -> values.
OURS: Mapping[str, str] = {
    "--set": "one",
    "--gpu_id": "one",
    "--seed": "one",
    "--strategy": "one",
    "--mixed_precision": "one",
    "--jit_compile": "one",
    "--json": "one",
    "--predictions": "one",
    "--h36m_path": "one",
    "--path_3dhp": "one",
    "--detector": "one",
    "--detector_model": "one",
}
# Our own flags, which no release has but some families do -> their short names.
_OWN = {
    "--all_stages": ("rie", "ehfusion"),
    "--experiment_dir": ("lcn",),
    "--dataset_dir": ("lcn",),
    "--init_type": ("lcn",),
    "--mask_source": ("lcn",),
    "--images": ("densewarper",),
    "--cameras": ("densewarper",),
}


def releases() -> dict[str, list[Script]]:
    """Name of a release -> its scripts."""
    held: dict[str, list[Script]] = {}
    for script in SCRIPTS:
        held.setdefault(script.release, []).append(script)
    return held


def holders(name: str) -> list[str]:
    """Releases that have a flag of that spelling."""
    return list(dict.fromkeys(script.release for script in SCRIPTS if name in script.names()))


def scripts_of_family(short: str) -> list[Script]:
    """Scripts that run a family."""
    return [script for script in SCRIPTS if short in script.archs]


def families_of_flag(name: str, program: str) -> set[str]:
    """Short names of the families whose scripts, as far as they are this program, have a flag."""
    found = {
        arch
        for script in SCRIPTS
        if program in script.programs and name in script.names()
        for arch in script.archs
    }
    return found | set(_OWN.get(name, ()))


def flag_of_family(short: str, program: str, name: str) -> ScriptFlag | None:
    """The flag of a family's scripts, as far as they are this program."""
    for script in scripts_of_family(short):
        flag = script.flag_of(name) if program in script.programs else None
        if flag is not None and name in flag.names:
            return flag
    return None


def choose_script(words: Sequence[str]) -> tuple[Script, list[str]]:
    """The script that a command line means, and its flags.

    Args:
        words: `[RELEASE] SCRIPT FLAGS`; a path before the script's name is fine.

    Raises:
        Pose3DError: No such script, or several: the message lists them.
    """
    words = list(words)
    names = releases()
    release = words.pop(0).lower() if words and words[0].lower() in names else None
    if not words or words[0].startswith("-"):
        of = f" of {release}" if release else ""
        listed = ", ".join(script.name for script in (names[release] if release else SCRIPTS))
        raise Pose3DError(f"which script{of}? {', '.join(dict.fromkeys(listed.split(', ')))}")
    path, flags = words[0], words[1:]
    found = [script for script in SCRIPTS if release in (None, script.release) and _is_path_of(path, script)]
    if not found:
        _refuse_absent(release, PurePosixPath(path).name)
        known = [script.name for script in (names[release] if release else SCRIPTS)]
        what = f"{release} has no script {path}" if release else f"no release here has a script {path}"
        raise Pose3DError(f"{what}{nearest(PurePosixPath(path).name, dict.fromkeys(known))}")
    if len(found) > 1:
        found = _telling(found, flags)
    if len(found) > 1:
        whose = [script.release for script in found]
        if len(set(whose)) == 1:
            paths = " and ".join(script.path for script in found)
            raise Pose3DError(f"{path} is {paths} in {whose[0]}: give its folder, too")
        raise Pose3DError(
            f"{path} is a script of {joined(whose)}: say which, e.g. tf-pose3d-run {whose[0]} "
            f"{found[0].name} ..."
        )
    return found[0], flags


def _refuse_absent(release: str | None, name: str) -> None:
    """Says why a script of a release is not here.

    Raises:
        Pose3DError: It is known.
    """
    for (whose, absent), why in ABSENT.items():
        if release in (None, whose) and name in (absent, absent.removesuffix(".py")):
            raise Pose3DError(f"{whose} {absent} has no counterpart: {why}")


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def _is_path_of(path: str, script: Script) -> bool:
    given = PurePosixPath(path if path.endswith(".py") else f"{path}.py").parts
    whole = PurePosixPath(script.path).parts
    shared = min(len(given), len(whole))
    return given[-shared:] == whole[-shared:] or (given[-1] == whole[-1] and given[-2:-1] in ((), (".",)))


def _telling(scripts: Sequence[Script], words: Sequence[str]) -> list[Script]:
    """Those of several scripts that have all the flags, and run the family of the weights they name."""
    given = [underscored_name(word) for word in words if word.startswith("-") and word != "-"]
    fitting = [one for one in scripts if all(name in one.names() or name in OURS for name in given)]
    if not fitting:
        _refuse_mixed(scripts, given)
    if len(fitting) <= 1:
        return fitting
    arch = _arch_of_weights(words) or _arch_of_config(words)
    return [one for one in fitting if arch in one.archs] or fitting


def _refuse_mixed(scripts: Sequence[Script], given: Sequence[str]) -> None:
    """Says which flag fits none of several scripts, or which fit no two.

    Raises:
        Pose3DError: Always.
    """
    for name in given:
        if name in OURS or any(name in script.names() for script in scripts):
            continue
        others = holders(name)
        whose = f", which is one of {joined(others)}: flags of two releases in one command" if others else ""
        known = [one for script in scripts for one in script.names()]
        whose_scripts = joined([script.release for script in scripts])
        raise Pose3DError(
            f"{scripts[0].name} of {whose_scripts} has no flag {name}{whose or likely(name, known)}"
        )
    told = {
        name: [one.release for one in scripts if name in one.names()] for name in given if name not in OURS
    }
    few = [f"{name} is of {joined(held)}" for name, held in told.items() if len(held) < len(scripts)]
    raise Pose3DError(f"{scripts[0].name}: {', '.join(few)}: flags of two releases in one command")


def underscored_name(word: str) -> str:
    """The name of a flag, with `_` between words."""
    name = word.partition("=")[0]
    return f"--{name[2:].replace('-', '_')}" if name.startswith("--") else name


def _value_of(words: Sequence[str], flag: str) -> str | None:
    """What stands behind a flag; None: nothing."""
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag and (equals or place + 1 < len(words)):
            return value if equals else words[place + 1]
    return None


def _arch_of_config(words: Sequence[str]) -> str | None:
    """Short name of the family of the file that `--config` names, where it is there and tells it."""
    from tf_pose3d.models.family import FAMILIES

    name = _value_of(words, "--config")
    if name is None or not Path(name).is_file():
        return None
    arch = read_config_file(name).get("ARCH")
    return FAMILIES[arch][0] if arch in FAMILIES else None


def _arch_of_weights(words: Sequence[str]) -> str | None:
    """Short name of the family of the file that `--evaluate` names, where it is there and tells it."""
    name = _value_of(words, "--evaluate")
    if name is None or not Path(name).is_file():
        return None
    from tf_pose3d.models.family import FAMILIES
    from tf_pose3d.weight_files.hdf5 import kind_of_weights, read_config

    kind = kind_of_weights(name)
    arch: str | None = None
    if kind == "hdf5":
        arch = (read_config(name) or {}).get("ARCH")
    elif kind == "pytorch":
        from tf_pose3d.weights.opening import find_foreign_weights

        foreign = find_foreign_weights(name)
        arch = foreign.converter.arch if foreign is not None else None
    return FAMILIES[arch][0] if arch is not None and arch in FAMILIES else None


def told_families(names: Collection[str], program: str) -> dict[str, set[str]]:
    """Flag -> short names of the families that have it, of those flags that any family has.

    Args:
        names: Spellings, with `_` between words, without those that every family has.
        program: `train`, `eval` or `inference`.
    """
    told = {name: families_of_flag(name, program) for name in names}
    return {name: held for name, held in told.items() if held}


def family_of_flags(names: Collection[str], program: str) -> str | None:
    """Short name of the only family that has all of some flags; None: none of them tells any family.

    Raises:
        Pose3DError: Several families have them (the message lists these), or no family has all.
    """
    told = told_families(names, program)
    if not told:
        return None
    both = set.intersection(*told.values())
    if len(both) == 1:
        return both.pop()
    if both:
        held = sorted(both)
        flags = " and ".join(sorted(told, key=lambda name: len(told[name]))[:2])
        raise Pose3DError(f"{flags}: {', '.join(held[:-1])} or {held[-1]}: add --arch, e.g. --arch {held[0]}")
    listed = "; ".join(f"{name} is of {joined(sorted(held))}" for name, held in told.items())
    raise Pose3DError(f"flags of two families in one command: {listed}")
