"""Scripts of DenseWarper and of its backbone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tf_pose3d.cli.scripts.files import find_file
from tf_pose3d.cli.scripts.script import (
    EVAL,
    TRAIN,
    Given,
    Plan,
    Script,
    ScriptFlag,
    ignored,
    passed,
    read,
    refused,
)
from tf_pose3d.cli.scripts.yaml_config import CAMERAS, YamlConfig, read_release_yaml
from tf_pose3d.errors import Pose3DError

__all__ = ["SCRIPTS"]

_SOURCE = "lingli1724/DenseWarper-ICLR2026"
_TRUE, _FALSE = {"yes", "true", "t", "y", "1"}, {"no", "false", "f", "n", "0"}

_SHARED: tuple[ScriptFlag, ...] = (
    read("--cfg", "cfg", "the release's YAML file, as --config"),
    ignored("--frequent", "progress is shown every ten seconds"),
    ignored("--gpus", "--strategy and --gpu_id choose devices"),
    ignored("--workers", "images are read without worker processes"),
    read("--modelDir", "model_dir", "folder of runs, instead of OUTPUT_DIR"),
    ignored("--logDir", "TensorBoard's files lie in the run's folder"),
    read("--dataDir", "data_dir", "folder before the YAML file's relative paths"),
    passed("--data_format", "--data_format", "where images are: jpg or zip"),
)
_DENSEWARPER = (
    *_SHARED,
    read("--cams", "cams", "cameras, counted from 0: --cams"),
    read("--runMode", "run_mode", "train or test", "train"),
    read("--modelFile", "model_file", "epoch whose weights --runMode test takes", "0"),
    read("--evaluate", "evaluate", "true: evaluate the YAML file's NETWORK.DenseWarper", "0"),
)
_VALID = (
    *_SHARED,
    read("--model_file", "model_file", "weights: --weights"),
    read("--state", "state", "epoch whose weights are taken", "best"),
    passed(
        "--post_process",
        "--post_process",
        "moves maxima by a quarter of a pixel",
        programs=(EVAL,),
        values="none",
    ),
    refused("--flip_test", "a mirrored image fits no real camera", "none"),
    refused("--shift_heatmap", "goes with --flip_test, which is not here", "none"),
)


def _yaml(given: Given, made: Plan) -> YamlConfig:
    if not given.has("cfg"):
        raise Pose3DError(f"{given.script.name} needs --cfg FILE, as in the release")
    held = read_release_yaml(
        given.value("cfg") or "", given.value("data_dir") or "", given.value("model_dir") or ""
    )
    made.notes += [f"{held.path}: {line}" for line in held.lines]
    made.arguments += held.arguments()
    return held


def _train(held: YamlConfig, made: Plan) -> Plan:
    made.program = TRAIN
    made.arguments += ["--out_dir", held.out_dir]
    if held.resume and list(Path(held.out_dir, "checkpoints").glob("cp_*.h5")):
        made.notes.append(f"TRAIN.RESUME: the run in {held.out_dir} goes on")
        made.arguments += ["--continue_training", "True"]
    return made


def _run_weights(held: YamlConfig, name: str, made: Plan) -> str:
    """The release's file of a run, or the best weights of this package's."""
    if (Path(held.out_dir) / name).is_file():
        return str(Path(held.out_dir) / name)
    best = str(Path(held.out_dir) / "checkpoints" / "best_weights")
    found = find_file("weights of the run", best, (), made.notes)
    made.notes.append(f"{held.out_dir}/{name} is not there: the best weights of that run stand for it")
    return found


def _densewarper(given: Given) -> Plan:
    made = Plan(EVAL)
    held = _yaml(given, made)
    if given.has("cams"):
        made.arguments += ["--cams", _cameras(given.value("cams") or "", held.dataset)]
    mode, evaluate = given.value("run_mode"), (given.value("evaluate") or "").lower()
    if evaluate not in _TRUE | _FALSE:
        raise Pose3DError(
            f"--evaluate {given.value('evaluate')}: DenseWarper's takes true or false, and evaluates the "
            "YAML file's NETWORK.DenseWarper; for a file: eval.py --weights FILE"
        )
    if mode not in ("train", "test"):
        raise Pose3DError(f"--runMode {mode}: expected train or test")
    if evaluate in _TRUE:
        made.arguments += ["--weights", held.require_weights("NETWORK.DenseWarper")]
        return made
    if mode == "test":
        name = f"final_state_ep{given.value('model_file')}.pth.tar"
        made.arguments += ["--weights", _run_weights(held, name, made)]
        return made
    made.notes.append(
        "the 2D target of a warped map is the pose at its own frame; the release's: "
        "--set LOSS_TARGET=released"
    )
    return _train(held, made)


def _cameras(text: str, dataset: str) -> str:
    numbers = CAMERAS[dataset]
    try:
        return ",".join(str(numbers[int(part)]) for part in text.split(","))
    except (ValueError, IndexError):
        raise Pose3DError(f"--cams {text}: expected numbers from 0 to 3 with commas between them") from None


def _backbone_train(given: Given) -> Plan:
    made = Plan(TRAIN)
    return _train(_yaml(given, made), made)


def _backbone_valid(given: Given) -> Plan:
    made = Plan(EVAL)
    held = _yaml(given, made)
    if given.has("model_file"):
        weights = find_file("--model-file", given.value("model_file") or "", (), made.notes)
    elif held.weights:
        weights = held.require_weights("TEST.MODEL_FILE")
    else:
        weights = _run_weights(held, f"final_state_ep{given.value('state')}.pth.tar", made)
    made.arguments += ["--weights", weights]
    return made


def _script(path: str, arch: str, flags: tuple[ScriptFlag, ...], plan: Callable[[Given], Plan]) -> Script:
    programs = (TRAIN, EVAL) if arch == "densewarper" else ((TRAIN,) if "train" in path else (EVAL,))
    return Script("densewarper", path, (arch,), flags, plan, _SOURCE, programs)


SCRIPTS: tuple[Script, ...] = (
    _script("run/DenseWarper/DenseWarper_main.py", "densewarper", _DENSEWARPER, _densewarper),
    _script("run/DenseWarper/DenseWarper_3dhp_main.py", "densewarper", _DENSEWARPER, _densewarper),
    _script("run/pose2d/train.py", "pose2d", _SHARED, _backbone_train),
    _script("run/pose2d/train_3dhp.py", "pose2d", _SHARED, _backbone_train),
    _script("run/pose2d/valid.py", "pose2d", _VALID, _backbone_valid),
    _script("run/pose2d/valid_3dhp.py", "pose2d", _VALID, _backbone_valid),
)
