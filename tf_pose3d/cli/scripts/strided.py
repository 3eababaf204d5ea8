"""Strided Transformer's scripts."""

from __future__ import annotations

from pathlib import Path

from tf_pose3d.cli.scripts.demo import DEMO_FLAGS, demo_plan
from tf_pose3d.cli.scripts.files import run_folder
from tf_pose3d.cli.scripts.script import (
    EVAL,
    INFERENCE,
    TRAIN,
    Given,
    Plan,
    Script,
    ignored,
    only,
    passed,
    read,
)
from tf_pose3d.errors import Pose3DError

__all__ = ["SCRIPTS"]

_SOURCE = "Vegetebird/StridedTransformer-Pose3D"
_SCHEDULE = "SCHEDULE_PARAMS"
_RUN = (TRAIN, EVAL)
_SWITCHED_ON = "always on, as in the release, which takes every text for true; eval.py -no-tta turns it off"
# The modules' files in the folder that --previous_dir names, by their first letters.
_PARTS = {"no_refine": "n", "refine": "r"}


def _plan(given: Given) -> Plan:
    refine = given.has("--refine")
    data = _data_arguments(given)
    if _trains(given):
        made = Plan(TRAIN, config="strided_351_refine" if refine else "strided_351")
        frames = given.value("--frames") or ""
        made.arguments += ["--config", made.config or "", *data]
        made.arguments += ["--out_dir", run_folder("checkpoint", f"_{frames}" + ("" if refine else "_no"))]
        if given.has("reload"):
            made.arguments += ["--weights", _part(given, "no_refine")]
        elif refine:
            raise Pose3DError(
                "--refine starts from weights without the module: give --reload --previous_dir DIR, as the "
                "release's README does"
            )
        if given.has("refine_reload"):
            raise Pose3DError(
                "--refine_reload: training goes on with a run's own folder here; give train.py --resume "
                "with its --out_dir"
            )
        return made
    made = Plan(EVAL, data)
    if not given.has("reload"):
        raise Pose3DError("nothing to test: give --reload --previous_dir DIR")
    weights = _part(given, "no_refine")
    if refine:
        if not given.has("refine_reload"):
            raise Pose3DError("--refine without --refine_reload would test a random module")
        if not _ours(weights):
            files = [weights, _part(given, "refine")]
            weights = str(Path(files[0]).parent / "strided_refine.h5")
            made.before.append(("convert", [*files, "--arch", "strided", "--out", weights]))
            made.notes.append(f"the two files become one, {weights}")
    made.arguments = ["--arch", "strided", "--weights", weights, *data]
    return made


def _trains(given: Given) -> bool:
    """Whether a command trains: by default in the release since 2022, by `--train` in that before.

    Raises:
        Pose3DError: The one would train and the other test.
    """
    if given.has("train"):
        return given.value("train") != "0"
    if given.has("test"):
        return False
    # The older README writes `--reload 1` and tests so; without weights its command tests nothing, and with a
    # module that no file fills, a random one.
    if given.value("reload") is not None:
        return False
    if given.has("reload") and given.has("--refine") == given.has("refine_reload"):
        raise Pose3DError(
            "--reload without --train or --test: the release trains since 2022 and tested before; add one"
        )
    return True


def _ours(path: str) -> bool:
    return not path.endswith(".pth")


def _data_arguments(given: Given) -> list[str]:
    """Where the data lie: the release's folder where it is named or there, else ours."""
    file = Path(given.value("root") or "") / "data_3d_h36m.npz"
    return ["--dataset", str(file)] if given.has("root") or file.is_file() else []


def _part(given: Given, part: str) -> str:
    return _file_of_part("--previous_dir", given.value("previous") or "", part)


def _demo_weights(given: Given, notes: list[str]) -> list[str]:
    weights = _file_of_part("demo/vis.py's folder", "checkpoint/pretrained", "no_refine")
    return ["--arch", "strided", "--weights", weights]


def _file_of_part(flag: str, named: str, part: str) -> str:
    """The first file of a part in a folder, or weights of this package's run there.

    Args:
        flag: What names the folder, for messages.
        named: The folder.
        part: A key of `_PARTS`.

    Raises:
        Pose3DError: There is neither.
    """
    folder = Path(named)
    files = sorted(path for path in folder.glob("*.pth") if path.name.startswith(_PARTS[part]))
    if files:
        return str(files[0])
    ours = sorted((folder / "checkpoints").glob("best_weights_*.h5"))
    if ours:
        return str(ours[-1])
    raise Pose3DError(
        f"{flag} {folder}: no {part}*.pth in it, nor checkpoints/best_weights_*.h5 of this package"
    )


_FLAGS = (
    passed("--layers", "--layers", "blocks before the strided ones", 3, "LAYERS"),
    passed("--channel", "--channel", "width of a frame token", 256, "CHANNELS"),
    passed("--d_hid", "--d_hid", "width inside the MLPs", 512, "HIDDEN"),
    only("--dataset", "h36m", "the release has Human3.6M only"),
    passed("-k --keypoints", "--keypoints", "2D poses by name", "cpn_ft_h36m_dbb", always=True),
    ignored("--data_augmentation", _SWITCHED_ON),
    ignored("--test_augmentation", _SWITCHED_ON),
    only("--reverse_augmentation", "", "windows are not played backwards in training here"),
    only("--crop_uv", "0", "2D poses relative to a box are not here"),
    read("--root_path", "root", "folder of the data; as --dataset DIR/data_3d_h36m.npz", "dataset/"),
    passed("-a --actions", "--actions", "actions to read", programs=_RUN),
    passed("--downsample", "--downsample", "uses every n-th frame", 1, "DOWNSAMPLE", _RUN),
    passed("--subset", "--subset", "share of the training frames", 1, "TRAIN_FRACTION", (TRAIN,)),
    only("-s --stride", "1", "a window predicts one frame"),
    passed("--gpu", "--gpu_id", "which GPU", programs=_RUN),
    read("--train", "train", "train.py, as without --test and --reload 1", values="maybe"),
    read("--test", "test", "eval.py", values="maybe"),
    passed(
        "--nepoch",
        "--epochs",
        "one more than the epochs to train",
        21,
        "EPOCHS",
        (TRAIN,),
        convert=lambda text: str(int(text) - 1),
    ),
    passed("--batch_size", "-b", "windows at once", 256, "BATCH_SIZE", _RUN),
    # The config of the refine module has the README's rate, 1e-5.
    passed("--lr", "--lr", "initial rate", programs=(TRAIN,)),
    ignored("--lr_refine", "without effect, as in the release: --lr is the rate"),
    passed(
        "--lr_decay_large",
        "--lr_decay_large",
        "factor of a larger decay",
        0.5,
        f"{_SCHEDULE}.large_decay_rate",
        (TRAIN,),
    ),
    passed(
        "--large_decay_epoch",
        "--large_decay_epoch",
        "epochs between larger decays",
        5,
        f"{_SCHEDULE}.large_decay_epochs",
        (TRAIN,),
    ),
    ignored("--workers", "batches are made without worker processes"),
    passed("-lrd --lr_decay", "--lr_decay", "factor of an epoch", 0.95, f"{_SCHEDULE}.decay_rate", (TRAIN,)),
    passed("--frames", "--frames", "frames in a window", 351, "FRAMES"),
    ignored("--pad", "follows from --frames, as in the release"),
    passed("--refine", "--refine", "with the refine module", programs=(TRAIN,), values="none"),
    read("--reload", "reload", "starts from the weights in --previous_dir", values="maybe"),
    read("--refine_reload", "refine_reload", "tests with the module in --previous_dir", values="maybe"),
    ignored("--checkpoint", "without effect, as in the release: each run gets a new folder"),
    read("--previous_dir", "previous", "folder of no_refine*.pth and refine*.pth"),
    only("--n_joints", "17", "the joints follow from the data set"),
    only("--out_joints", "17", "the joints follow from the data set"),
    only("--out_all", "1", "training needs the whole sequence"),
    only("--in_channels", "2", "2D poses have two coordinates"),
    only("--out_channels", "3", "3D poses have three coordinates"),
    ignored("-previous_best_threshold", "the best weights of a run are chosen anew"),
    ignored("-previous_name", "the run's folder tells its files"),
    ignored("-previous_refine_name", "the run's folder tells its files"),
)

SCRIPTS: tuple[Script, ...] = (
    Script(
        "strided",
        "main.py",
        ("strided",),
        _FLAGS,
        _plan,
        _SOURCE,
        _RUN,
    ),
    Script(
        "strided",
        "demo/vis.py",
        ("strided",),
        DEMO_FLAGS,
        demo_plan(_demo_weights, "output_3D/output_keypoints_3d.npz"),
        _SOURCE,
        (INFERENCE,),
    ),
)
