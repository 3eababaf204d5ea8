"""Scripts of MotionBERT, MotionAGFormer, MixSTE and D3DP, whose networks give every frame of a clip."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from tf_pose3d.cli.scripts.demo import DEMO_FLAGS, demo_plan
from tf_pose3d.cli.scripts.files import find_file, is_pytorch, refuse_pytorch_state
from tf_pose3d.cli.scripts.script import (
    EVAL,
    INFERENCE,
    TRAIN,
    Given,
    Plan,
    Script,
    ScriptFlag,
    ignored,
    only,
    passed,
    read,
    refused,
)
from tf_pose3d.cli.scripts.temporal import temporal_flags
from tf_pose3d.errors import Pose3DError

__all__ = ["SCRIPTS"]

_LOGS = "runs are logged in their own folder"
_NOT_RELEASED = "the release does not use it for its published networks, and it is not here"


def _motionbert_train(given: Given) -> Plan:
    config = given.value("config") or "motionbert_pretrain"
    if given.has("evaluate"):
        made = Plan(EVAL, ["--config", config])
        made.arguments += ["--weights", find_file("-e", given.value("evaluate") or "", (), made.notes)]
        return made
    made = Plan(TRAIN, ["--config", config, "--out_dir", given.value("folder") or ""])
    if given.has("pretrained"):
        name = given.value("selection") or "latest_epoch.bin"
        folder = given.value("pretrained") or ""
        made.arguments += ["--weights", find_file("-ms", name, [folder], made.notes)]
    if given.has("resume"):
        refuse_pytorch_state("-r", given.value("resume") or "")
        made.arguments += ["-r", given.value("resume") or ""]
    return made


def _motionbert_wild(given: Given) -> Plan:
    missing = [name for name in ("-j", "-v", "-o") if not given.has(name)]
    if missing:
        raise Pose3DError(
            f"{' and '.join(missing)}: required; our inference.py needs --weights and --input only"
        )
    made = Plan(INFERENCE, ["--arch", "motionbert"])
    made.arguments += ["--weights", find_file("-e", given.value("evaluate") or "", (), made.notes)]
    if given.has("config"):
        made.arguments += ["--config", given.value("config") or ""]
    elif not given.has("evaluate"):
        made.arguments += ["--config", "motionbert_global_lite"]
    folder = Path(given.value("out") or "")
    made.arguments += ["--output", str(folder / "X3D.npz"), "--viz_output", str(folder / "X3D.mp4")]
    made.notes.append("X3D.npy is the array pose_image of X3D.npz")
    return made


def _motionagformer_train(given: Given) -> Plan:
    return _motionagformer(given, given.value("config") or "motionagformer_b")


def _motionagformer_3dhp(given: Given) -> Plan:
    made = _motionagformer(given, given.value("config") or "motionagformer_l_3dhp")
    names = dict(itertools.pairwise(made.arguments))
    if "--weights" in names and is_pytorch(names["--weights"]):
        # Nothing in the file says in every case that it is of this data set, whose joints lie in another
        # order; a config that says Human3.6M's is left out, as the file tells the rest.
        if made.program == EVAL:
            made.arguments = ["--arch", "motionagformer", "--weights", names["--weights"]]
            made.arguments += ["--dataset", "mpi_inf_3dhp"]
        made.arguments += ["--set", "JOINT_ORDER=mpi_inf_3dhp", "--set", "SPACE=metric"]
    return made


def _motionagformer(given: Given, config: str) -> Plan:
    weights = []
    notes: list[str] = []
    if given.has("folder"):
        name = given.value("file") or "latest_epoch.pth.tr"
        weights = ["--weights", find_file("--checkpoint-file", name, [given.value("folder") or ""], notes)]
    if given.has("eval_only"):
        if not weights:
            raise Pose3DError("--eval-only needs -c DIR, the folder of the weights")
        return Plan(EVAL, ["--config", config, *weights], notes=notes)
    if given.has("resume"):
        if not given.has("folder"):
            raise Pose3DError("--resume needs -c DIR, the folder of the run that goes on")
        folder = given.value("folder") or ""
        return Plan(TRAIN, ["--config", config, "--out_dir", folder, "--continue_training", "True"])
    return Plan(TRAIN, ["--config", config, "--out_dir", given.value("new") or "", *weights], notes=notes)


def _demo_weights(given: Given, notes: list[str]) -> list[str]:
    weights = find_file("demo/vis.py's weights", "motionagformer-b-h36m.pth.tr", ["checkpoint"], notes)
    notes.append("keypoints are cropped to the person, as in MotionBERT's infer_wild.py, not to the image")
    return ["--arch", "motionagformer", "--weights", weights]


def _drawn(plan: Callable[[Given], Plan]) -> Callable[[Given], Plan]:
    """The plan of D3DP's `main_draw.py`, which draws into a folder of its own."""

    def draw(given: Given) -> Plan:
        if not given.has("evaluate") or not given.has("render"):
            raise Pose3DError("main_draw.py needs --evaluate FILE and --render, as in the release")
        made = plan(given)
        if not given.has("--viz_output"):
            names = [given.value(f"--viz_{part}") or "" for part in ("subject", "action", "camera")]
            made.arguments += ["--viz_output", f"plot/h36m/{'_'.join(name for name in names if name)}.gif"]
        return made

    return draw


def _clip_plan(arch: str, config: Callable[[Given], str]) -> Callable[[Given], Plan]:
    """The plan of a script with VideoPose3D's flags whose batch counts frames.

    Args:
        arch: The family's short name.
        config: The shipped config that training starts from.
    """

    def plan(given: Given) -> Plan:
        folder = given.value("folder") or "checkpoint"
        if given.has("resume") and given.has("evaluate"):
            raise Pose3DError("--resume and --evaluate cannot both be given, as in the release")
        if given.has("evaluate"):
            made = Plan(INFERENCE if given.has("render") else EVAL, ["--arch", arch])
            weights = find_file("--evaluate", given.value("evaluate") or "", [folder], made.notes)
            made.arguments += ["--weights", weights]
            if made.program == EVAL and given.has("test"):
                made.arguments += ["--test_subset", given.value("test") or ""]
            return made
        if given.has("render"):
            raise Pose3DError("--render needs --evaluate FILE, the weights that lift the recording")
        made = Plan(TRAIN, config=config(given))
        made.arguments += ["--config", made.config or "", "--out_dir", folder]
        frames = int(given.value("--number_of_frames") or 243)
        # The release's batch counts frames, of which a clip has so many.
        made.arguments += ["--batch_size", str(max(int(given.value("batch") or 1024) // frames, 1))]
        if given.has("test"):
            made.arguments += ["--val_subset", given.value("test") or ""]
        if given.has("resume"):
            refuse_pytorch_state("-r", given.value("resume") or "")
            made.arguments += ["-r", given.value("resume") or ""]
        return made

    return plan


def _clip_flags(epochs: int, rate: float, decay: float, stride: int) -> tuple[ScriptFlag, ...]:
    """MixSTE's flags, which D3DP took over: VideoPose3D's and more."""
    inherited = temporal_flags(epochs, 1024, 0.0, rate, decay, frequency=20, mirrored_test=False)
    own = {"-b", "--checkpoint_frequency"}
    return (
        *(flag for flag in inherited if not own & set(flag.names)),
        read("-b --batch_size", "batch", "frames at once, as clips: --batch_size", "1024"),
        passed(
            "-cf --checkpoint_frequency",
            "--checkpoint_frequency",
            "epochs between checkpoints",
            20,
            "CHECKPOINT_INTERVAL",
            (TRAIN,),
        ),
        passed("-s --stride", "--stride", "frames from clip to clip", stride, "CLIP_STRIDE", (TRAIN,)),
        passed("-cs", "-cs", "width of a token", 512, "CHANNELS", (TRAIN,)),
        passed("-dep", "-dep", "blocks over joints, and as many over frames", 8, "LAYERS", (TRAIN,)),
        passed("-f --number_of_frames", "-f", "frames in a clip", 243, "FRAMES", (TRAIN,)),
        passed("-gpu", "--gpu_id", "which GPU", programs=(TRAIN, EVAL)),
        ignored("-l --log", _LOGS),
        ignored("--nolog", _LOGS, "none"),
        ignored("--dense", "the network has no convolutions over time", "none"),
        ignored("-mloss --min_loss", "a run's own history tells it"),
        ignored("-alpha", "of a loss that the release does not use"),
        ignored("-beta", "of a loss that the release does not use"),
        refused(
            "--coverlr", "a run that goes on keeps its schedule; train.py --weights starts a new one", "none"
        ),
        refused("--postrf", _NOT_RELEASED, "none"),
        refused("--ftpostrf", _NOT_RELEASED, "none"),
        refused("--ft", _NOT_RELEASED, "none"),
        ignored("--ftpath", "goes with --ft"),
        ignored("--ftchk", "goes with --ft"),
        refused("--compare", "give two commands, one a network", "none"),
        ignored("-lcs --linear_channel_size", "of another program of the release"),
        ignored("-depth", "of another program of the release"),
        ignored("-ldg --lr_decay_gap", "of another program of the release"),
    )


def _motionagformer_flags(new: str, seed: int) -> tuple[ScriptFlag, ...]:
    """Flags of `train.py` and `train_3dhp.py`.

    Args:
        new: Default folder of a run.
        seed: Default seed, which is the release's and not passed on.
    """
    return (
        read("--config", "config", "the release's YAML file, or a config of ours"),
        read("-c --checkpoint", "folder", "folder of weights to start from, to go on with, or to evaluate"),
        read("--new_checkpoint", "new", "folder of the run: --out_dir", new),
        read("--checkpoint_file", "file", "file in -c's folder", "latest_epoch.pth.tr"),
        passed("-sd --seed", "--seed", "of everything random", programs=(TRAIN,)),
        ignored("--num_cpus", "batches are made without worker processes"),
        ignored("--use_wandb", "TensorBoard's files lie in the run's folder", "none"),
        ignored("--wandb_name", "TensorBoard's files lie in the run's folder"),
        ignored("--wandb_run_id", "TensorBoard's files lie in the run's folder"),
        read("--resume", "resume", "the run in -c's folder goes on", values="none"),
        read("--eval_only", "eval_only", "eval.py", values="none"),
    )


_RUN = (TRAIN, EVAL, INFERENCE)
_D3DP = (
    *_clip_flags(400, 0.00006, 0.993, 243),
    only("-scale", "1.0", "the noise has the signal's scale in the published networks"),
    passed("-timestep", "-timestep", "steps of the noise schedule"),
    passed("-sampling_timesteps", "-sampling_timesteps", "denoising steps"),
    passed("-num_proposals", "-num_proposals", "hypotheses that are sampled"),
    ignored("--debug", "nothing to debug here", "none"),
    ignored("--p2", "both protocols are in the table", "none"),
)
_D3DP_PLAN = _clip_plan("d3dp", lambda given: "d3dp_243")

SCRIPTS: tuple[Script, ...] = (
    Script(
        "motionbert",
        "train.py",
        ("motionbert",),
        (
            read("--config", "config", "the release's YAML file, or a config of ours"),
            read("-c --checkpoint", "folder", "folder of the run: --out_dir", "checkpoint"),
            read("-p --pretrained", "pretrained", "folder of the weights that fine-tuning starts from"),
            read("-r --resume", "resume", "checkpoint cp_*.h5 to continue from"),
            read("-e --evaluate", "evaluate", "weights to evaluate: eval.py --weights"),
            read("-ms --selection", "selection", "file in -p's folder", "latest_epoch.bin"),
        ),
        _motionbert_train,
        "Walter0807/MotionBERT",
        (TRAIN, EVAL),
    ),
    Script(
        "motionbert",
        "infer_wild.py",
        ("motionbert",),
        (
            read("--config", "config", "the release's YAML file, or a config of ours"),
            read(
                "-e --evaluate",
                "evaluate",
                "weights: --weights",
                "checkpoint/pose3d/FT_MB_lite_MB_ft_h36m_global_lite/best_epoch.bin",
            ),
            passed("-j --json_path", "--input", "AlphaPose's keypoints"),
            passed("-v --vid_path", "--viz_video", "the video, which tells size and rate"),
            read("-o --out_path", "out", "folder of X3D.npz and X3D.mp4"),
            passed("--pixel", "--pixel", "poses in pixels", values="none"),
            passed("--focus", "--focus", "id of the person to lift"),
            passed("--clip_len", "--clip_len", "frames of a clip"),
        ),
        _motionbert_wild,
        "Walter0807/MotionBERT",
        (INFERENCE,),
    ),
    Script(
        "motionagformer",
        "train.py",
        ("motionagformer",),
        _motionagformer_flags("checkpoint", 0),
        _motionagformer_train,
        "TaatiTeam/MotionAGFormer",
        (TRAIN, EVAL),
    ),
    Script(
        "motionagformer",
        "train_3dhp.py",
        ("motionagformer",),
        _motionagformer_flags("mpi-checkpoint", 1),
        _motionagformer_3dhp,
        "TaatiTeam/MotionAGFormer",
        (TRAIN, EVAL),
    ),
    Script(
        "motionagformer",
        "demo/vis.py",
        ("motionagformer",),
        DEMO_FLAGS,
        demo_plan(_demo_weights, "output_3D.npz"),
        "TaatiTeam/MotionAGFormer",
        (INFERENCE,),
    ),
    Script(
        "mixste",
        "run.py",
        ("mixste",),
        _clip_flags(120, 0.00004, 0.99, 1),
        _clip_plan(
            "mixste", lambda given: "mixste_243_gt" if given.value("--keypoints") == "gt" else "mixste_243"
        ),
        "JinluZhang1126/MixSTE",
        _RUN,
    ),
    Script(
        "d3dp",
        "main.py",
        ("d3dp",),
        _D3DP,
        _D3DP_PLAN,
        "paTRICK-swk/D3DP",
        _RUN,
    ),
    Script(
        "d3dp",
        "main_draw.py",
        ("d3dp",),
        _D3DP,
        _drawn(_D3DP_PLAN),
        "paTRICK-swk/D3DP",
        (INFERENCE,),
    ),
)
