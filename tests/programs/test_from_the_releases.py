"""Every command of docs/from_the_releases.md: that it is ours, that it runs; and wrong ones."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d import config as config_module
from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import prepare_human36m, prepare_humaneva
from tf_pose3d.cli import run as run_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.cli.flags import apply_flags
from tf_pose3d.cli.program import parse
from tf_pose3d.cli.scripts.preparation import PREPARATIONS
from tf_pose3d.cli.scripts.table import ABSENT, SCRIPTS, family_of_flags, releases
from tf_pose3d.cli.scripts.translation import translate
from tf_pose3d.cli.scripts.yaml_config import read_release_yaml
from tf_pose3d.data.amass import SPLITS as AMASS_SPLITS
from tf_pose3d.data.human36m import ACTIONS, CAMERAS
from tf_pose3d.data.humaneva import SUBJECTS as HUMANEVA_SUBJECTS
from tf_pose3d.data.humaneva_preparation import FRAME_RANGES
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import families
from tf_pose3d.models.loading import build_model, load_config, save_model

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "from_the_releases.md"
PROGRAMS = {"train": train_program, "eval": eval_program, "inference": inference_program}
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
# Networks small enough to be made in a moment, by family.
SMALL = {
    "uplift": {"SPATIAL_EMBED_DIM": 8, "TEMPORAL_EMBED_DIM": 16, "NUM_HEADS": 2},
    "hoif": {"HID_DIM": 4},
    "hgcn": {"HID_DIM": 4},
    "semgcn": {"HID_DIM": 4},
    "martinez": {"HID_DIM": 8},
    "lcn": {"CHANNELS": 4},
    "videopose3d": {"CHANNELS": 4},
    "rie": {"CHANNELS": 4, "HIDDEN_FEATURES": 8},
    "ehfusion": {"CHANNELS": 4, "HIDDEN_FEATURES": 8},
    "poseformer": {"JOINT_DIM": 4, "NUM_HEADS": 2, "LAYERS": 1},
    "strided": {"CHANNELS": 8, "HIDDEN": 8, "NUM_HEADS": 2},
    "motionbert": {"CHANNELS": 16, "REPRESENTATION": 16, "LAYERS": 1, "NUM_HEADS": 2},
    "motionagformer": {"CHANNELS": 16, "REPRESENTATION": 16, "LAYERS": 1, "NUM_HEADS": 2},
    "mixste": {"CHANNELS": 16, "LAYERS": 1, "NUM_HEADS": 2},
    "d3dp": {"CHANNELS": 16, "LAYERS": 1, "NUM_HEADS": 2},
    "pose2d": {"NUM_LAYERS": 18, "STAGE_CHANNELS": [4, 4, 8, 8], "NUM_DECONV_FILTERS": [8, 8, 8]},
}
IMAGES = {
    **SMALL["pose2d"],
    "DATASET": "multiview_synthetic",
    "JOINTS": "h36m_17",
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
    "SIGMA": 1.0,
}
SMALL["pose2d"] = {**IMAGES, "MIX_MPII": False}
SMALL["densewarper"] = {**IMAGES, "WARPER_CHANNELS": 4, "WARPER_BLOCKS": 1, "DILATIONS": [1]}
# Weights that commands name -> whose they are, by config and further keys.
WEIGHTS = {
    "models/h36m_351.h5": ("h36m_351", {}),
    "models/amass_351.h5": ("amass_351", {}),
    "checkpoint/hoif.pth.tar": ("hoif_cpn", {}),
    "checkpoint/pretrained/hgcn_gt_best.pth.tar": ("hgcn_gt", {}),
    "checkpoint/pretrained/ckpt_semgcn.pth.tar": ("semgcn_gt", {}),
    "checkpoint/pretrained/ckpt_semgcn_nonlocal.pth.tar": ("semgcn_nonlocal_gt", {}),
    "checkpoint/pretrained/ckpt_linear.pth.tar": ("martinez_gt", {}),
    "checkpoint/pretrained_h36m_cpn.bin": ("videopose3d_243", {}),
    "checkpoint/pretrained_humaneva15_detectron.bin": (
        "videopose3d_humaneva15",
        {"INPUT_SKELETON": "coco_17"},
    ),
    "checkpoint/pretrained_h36m_detectron_coco.bin": ("videopose3d_243", {"INPUT_SKELETON": "coco_17"}),
    "checkpoint/gt_pretrained.bin": ("rie_243_gt", {"STAGE": 3}),
    "checkpoint/stage_1_best_model.bin": ("rie_243_gt", {"STAGE": 1}),
    "checkpoint/stage_2_best_model.bin": ("rie_243_gt", {"STAGE": 2}),
    "checkpoint/cpn_one-stage_best_epoch.bin": ("ehfusion_onestage_released", {}),
    "checkpoint/gt_one-stage_best_epoch.bin": ("ehfusion_onestage_released_gt", {}),
    "checkpoint/cpn_three-stage_3_best_epoch.bin": ("ehfusion_threestage", {"STAGE": 3}),
    "checkpoint/gt_three-stage_3_best_epoch.bin": ("ehfusion_threestage_gt", {"STAGE": 3}),
    "checkpoint/detected81f.bin": ("poseformer_81", {}),
    "checkpoint/gt81f.bin": ("poseformer_81", {}),
    "h36m.pth.tar": ("densewarper_h36m", {}),
    "3dhp.pth.tar": ("densewarper_3dhp", {}),
    "pose2d.pth.tar": ("pose2d_h36m", {}),
    "pose2d_3dhp.pth.tar": ("pose2d_3dhp", {}),
    "pose2d.h5": ("pose2d_h36m", {}),
    "checkpoint/pretrain/MB_release/best_epoch.bin": ("motionbert_pretrain", {}),
    "checkpoint/pose3d/FT_MB_release_MB_ft_h36m/best_epoch.bin": ("motionbert_ft", {}),
    "checkpoint/pose3d/FT_MB_lite_MB_ft_h36m_global_lite/best_epoch.bin": ("motionbert_global_lite", {}),
    "checkpoint/motionagformer-b-h36m.pth.tr": ("motionagformer_b", {}),
    "checkpoint/mag/best_epoch.pth.tr": ("motionagformer_xs", {}),
    "checkpoint/3dhp/best_epoch.pth.tr": ("motionagformer_s_3dhp", {}),
    "checkpoint/mixste/best_epoch.bin": ("mixste_243", {}),
    "checkpoint/d3dp/h36m_best_epoch.bin": ("d3dp_243", {}),
}
# Files that two releases write under one name, where the tests keep each one's.
STAGES = ("stage_1_best_model.bin", "stage_2_best_model.bin")
for number, name in enumerate(STAGES, start=1):
    WEIGHTS[f"rie/{name}"] = ("rie_243_gt", {"STAGE": number})
    WEIGHTS[f"ehfusion/{name}"] = ("ehfusion_threestage", {"STAGE": number})


def documented():
    """(old, ours, difference) of every row of the page's tables."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        if len(cells) == 3 and cells[0].strip().startswith("`"):
            rows.append(tuple(cell.strip() for cell in cells))
    return rows


ROWS = documented()


def words_of(cell):
    return shlex.split(cell.strip("`").removeprefix("python "))


def timeless(text):
    """Folders that are named by the time, under one name."""
    return re.sub(r"\d{4}_\d{4}_\d\d", "TIME", text)


YAML = """GPUS: '0,1'
BACKBONE_MODEL: pose_resnet
MODEL: {model}
DATA_DIR: ''
OUTPUT_DIR: 'output'
LOG_DIR: 'log'
WORKERS: 1
PRINT_FREQ: 100
DATASET:
  TRAIN_DATASET: {dataset}
  TEST_DATASET: {dataset}
  ROOT: '/data/'
  TRAIN_SUBSET: train
  TEST_SUBSET: validation
  DATA_FORMAT: jpg
  ROT_FACTOR: 40
  SCALE_FACTOR: 0.3
NETWORK:
  PRETRAINED: ''
  DenseWarper: "{weights}"
  TARGET_TYPE: gaussian
  AGGRE: false
  HEATMAP_SIZE:
  - 96
  - 96
  IMAGE_SIZE:
  - 384
  - 384
  NUM_JOINTS: {joints}
  SIGMA: 3
POSE_RESNET:
  NUM_DECONV_FILTERS:
  - 256
  - 256
  - 256
  NUM_LAYERS: 152
LOSS:
  USE_TARGET_WEIGHT: true
TRAIN:
  BATCH_SIZE: 2
  BEGIN_EPOCH: 0
  END_EPOCH: 49
  RESUME: true
  OPTIMIZER: adam
  LR: 0.0001
  LR_FACTOR: 0.2
  LR_STEP:
  - 10
  - 10
  WD: 0.001
TEST:
  BATCH_SIZE: 1
  POST_PROCESS: false
DEBUG:
  DEBUG: true
MULTI_CAMS:
  SELECTED_CAMS: [0, 1, 2, 3]
"""


def write_yaml(folder, path, **facts):
    held = {"model": "dlt_3dpose_net", "dataset": "multiview_h36m", "weights": "h36m.pth.tar", "joints": 20}
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(YAML.format(**{**held, **facts}))


@pytest.fixture(scope="module")
def named_files(tmp_path_factory):
    """A folder with all files that the commands name; weights hold their config and nothing else."""
    import h5py

    folder = tmp_path_factory.mktemp("releases")
    strided = {"checkpoint/pretrained/no_refine_4_4365.pth": ("strided_351", {})}
    for path, (config, keys) in {**WEIGHTS, **strided}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / path, "w") as file:
            file.attrs["tf_pose3d_config"] = json.dumps({**load_config(config).to_dict(), **keys})
    for parent, name in itertools.product(
        ("351", "pretrained"), ("no_refine_4_4365.pth", "refine_6_4365.pth")
    ):
        (folder / "checkpoint" / parent).mkdir(exist_ok=True)
        (folder / "checkpoint" / parent / name).touch()
    (folder / "demo/video").mkdir(parents=True)
    (folder / "demo/video/sample_video.mp4").write_bytes(b"")
    (folder / "config").symlink_to(REPOSITORY / "config")
    backbone = {"model": "multiview_pose_resnet"}
    write_yaml(folder, "experiments/h36m/h36m_4view.yaml")
    write_yaml(
        folder,
        "experiments/3dhp/3dhp_4view.yaml",
        dataset="multiview_3dhp",
        weights="3dhp.pth.tar",
        joints=17,
    )
    write_yaml(folder, "experiments/pose2d/h36m.yaml", **backbone)
    write_yaml(folder, "experiments/pose2d/3dhp.yaml", dataset="multiview_3dhp", joints=17, **backbone)
    return folder


@pytest.fixture
def place(named_files, monkeypatch):
    monkeypatch.chdir(named_files)
    return named_files


def test_the_page_has_every_script():
    told = [translate_name(old) for old, _, _ in ROWS]
    assert len(ROWS) >= 40
    missing = [
        f"{script.release} {script.path}"
        for script in SCRIPTS
        if (script.release, script.name) not in told
        # It only says where to go.
        and script.name != "gendb.py"
    ]
    assert not missing


def translate_name(old):
    words = words_of(old)
    release = words.pop(0) if words[0] in releases() else None
    found = [
        script
        for script in SCRIPTS
        if script.path.endswith(words[0].rpartition("/")[2]) and release in (None, script.release)
    ]
    flags = {word.partition("=")[0].replace("-", "_") for word in words[1:] if word.startswith("--")}
    flags |= {word for word in words[1:] if re.match(r"-[a-z]", word)}
    fitting = [
        script
        for script in found
        if flags <= {name.replace("-", "_") if name.startswith("--") else name for name in script.names()}
    ]
    return (fitting or found)[0].release, (fitting or found)[0].name


@pytest.mark.parametrize(("old", "ours", "difference"), ROWS, ids=[row[0].strip("`")[:60] for row in ROWS])
def test_a_documented_command_is_ours(old, ours, difference, place):
    """The page's second column is what `tf-pose3d-run` makes of the first, and our programs take it."""
    command = translate(words_of(old))
    assert timeless(command.text()) == ours.strip("`").replace("\\|", "|")
    program, arguments = command.runs[-1]
    if len(command.runs) > 1:
        # What comes before makes the weights.
        return
    if program in PREPARATIONS:
        {"h36m": prepare_human36m, "humaneva": prepare_humaneva}[program].make_parser().parse_args(arguments)
        return
    parsed, release = parse(PROGRAMS[program].make_parser, arguments, program)
    if program == "train":
        config = load_config(parsed.config, None, parsed.arch or release.family.arch)
        config = apply_flags(config, parsed, release, program, KEYPOINTS=parsed.keypoints)
        config.validate()


def defaults():
    """(script, flag, family's config key) of every default that a table says."""
    for script in SCRIPTS:
        if not {"train", "eval"} & set(script.programs):
            continue
        for flag in script.flags:
            if flag.key is not None and flag.default is not None:
                yield pytest.param(script, flag, id=f"{script.release}-{script.name}-{flag.name}")


REQUIRED = {("strided", "main.py"): ["--train"]}


@pytest.mark.parametrize(("script", "flag"), list(defaults()))
def test_a_default_of_the_release_is_what_training_takes(script, flag, place):
    words = [script.release, script.path, *REQUIRED.get((script.release, script.path), [])]
    command = translate(words)
    program, arguments = command.runs[-1]
    assert program == "train"
    parsed, release = parse(train_program.make_parser, arguments, program)
    config = apply_flags(
        load_config(parsed.config, None, parsed.arch or release.family.arch), parsed, release, program
    ).to_dict()
    held = config
    for part in flag.key.split("."):
        held = held[part]
    wanted = str(flag.default) if flag.convert is None else flag.convert(str(flag.default))
    assert (",".join(map(str, held)) if isinstance(held, list) else float(held)) == (
        wanted if isinstance(held, list) else float(wanted)
    )


# VideoPose3D's flags, for clips.
CLIPS = ("mixste", "d3dp")

# Spellings that mean different things: release -> what it is there (our flag, or what the script reads).
SPELLINGS = {
    "-e": {
        "epochs": [*("hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer"), *CLIPS],
        "evaluate": ["motionbert"],
    },
    "-p": {"pretrain": ["rie", "ehfusion"], "pretrained": ["motionbert"], "path": ["videopose3d"]},
    "-c": {
        "folder": [
            *("hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer"),
            *("motionbert", "motionagformer", *CLIPS),
        ]
    },
    "--checkpoint": {
        "folder": [
            *("hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer"),
            *("motionbert", "motionagformer", *CLIPS),
        ],
        "checkpoints": ["lcn"],
        "": ["strided"],
    },
    "-a": {
        "actions": [
            *("hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer", "strided", *CLIPS)
        ],
        "architecture": ["hoif", "hgcn", "semgcn"],
    },
    "--architecture": {
        "--architecture": ["videopose3d", "rie", "ehfusion"],
        "architecture": ["hoif", "hgcn", "semgcn"],
    },
    "--evaluate": {
        "evaluate": [
            *("hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer", "densewarper"),
            *("motionbert", *CLIPS),
        ],
    },
    "--lr_decay": {
        "SCHEDULE_PARAMS.decay_steps": ["hoif", "hgcn", "semgcn"],
        "SCHEDULE_PARAMS.decay_rate": ["videopose3d", "rie", "ehfusion", "poseformer", "strided", *CLIPS],
    },
    "-f": {"frames": ["poseformer"], "f": list(CLIPS), "": ["ehfusion"]},
    "-l": {"num_layers": ["hoif", "hgcn", "semgcn"], "": list(CLIPS)},
    "--layers": {"layers": ["lcn", "strided"]},
    "-s": {"stride": ["videopose3d", "rie", "ehfusion", *CLIPS], "": ["poseformer", "strided"]},
    "--dropout": {
        "dropout": ["lcn", "hoif", "hgcn", "videopose3d", "rie", "ehfusion", "poseformer", *CLIPS],
        "": ["hoif", "hgcn", "semgcn"],
    },
    "-d": {"dataset": ["hoif", "hgcn", "semgcn", "videopose3d", "rie", "ehfusion", "poseformer", *CLIPS]},
    "--test": {"test": ["strided"]},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_means_in_each_release_what_it_means_there(spelling):
    meanings = {}
    for script in SCRIPTS:
        flag = script.flag_of(spelling)
        if flag is None or spelling not in flag.names:
            continue
        for meaning, whose in SPELLINGS[spelling].items():
            if meaning in (flag.role, flag.key, flag.ours, (flag.ours or "").lstrip("-")) and (
                meaning or flag.ours is None
            ):
                assert script.release in whose, (script.release, meaning)
                meanings.setdefault(meaning, set()).add(script.release)
                break
        else:
            pytest.fail(f"{script.release} {script.name}: {spelling} is {flag}")
    assert meanings == {meaning: set(whose) for meaning, whose in SPELLINGS[spelling].items()}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("main_gcn.py --keypoints gt", "a script of hoif, hgcn and semgcn: say which"),
        ("viz.py --architecture gcn --evaluate nowhere.tar", "hoif, hgcn and semgcn"),
        ("mixste run.py -sun S6,S7", "trains on labelled subjects alone"),
        ("run.py --stage 1 --knn 3", "--knn, which is one of lcn: flags of two releases"),
        ("run.py --stage 1 -sun S5", "--stage is of rie, -sun is of videopose3d and mixste"),
        ("rie run.py --stag 1", "no flag --stag (did you mean --stage?)"),
        ("videopose3d run.py -dr 0.3", "no flag -dr"),
        ("videopose3d run.py --evaluate", "--evaluate: expected a value"),
        ("videopose3d run.py --render", "--render needs --evaluate"),
        ("videopose3d run.py --evaluate lost.bin", "checkpoint/lost.bin, lost.bin"),
        ("videopose3d run.py -r epoch_20.bin", "cannot be resumed here"),
        ("poseformer run_poseformer.py -s 3", "--stride 3 has no counterpart"),
        ("main.py --crop_uv 1 --train", "--crop_uv 1 has no counterpart"),
        ("main.py --test --frames 351", "nothing to test"),
        ("strided main.py --reload --previous_dir checkpoint/351", "add one"),
        ("strided main.py --train --refine", "--refine starts from weights without the module"),
        ("strided demo/vis.py --vide x.mp4", "did you mean --video?"),
        ("demo/vis.py --video x.mp4", "a script of strided and motionagformer: say which"),
        ("main_draw.py --evaluate h36m_best_epoch.bin", "needs --evaluate FILE and --render"),
        ("prepare_data_h36m.py --from-source-cdf x", "--from_source_cdf x has no counterpart"),
        ("infer_wild.py --pixel", "-j and -v and -o: required"),
        ("motionagformer train.py --eval-only", "--eval-only needs -c DIR"),
        ("maingcn.py", "did you mean main_gcn.py?"),
        ("hgcn viz.py --architecture linear --evaluate x", "--architecture linear: this viz.py has gcn"),
        ("DenseWarper_main.py --evaluate true", "needs --cfg FILE"),
        ("DenseWarper_main.py --cfg lost.yaml", "lost.yaml: cannot read the config"),
        (
            "DenseWarper_main.py --cfg experiments/h36m/h36m_4view.yaml --evaluate x.tar",
            "takes true or false",
        ),
        ("train.py --knn 3 --config x.json", "flags of two releases"),
        ("valid.py --cfg x.yaml --flip-test", "--flip_test has no counterpart"),
        ("evaluate.py --mode gt", "--data_type and --test_indices: required"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(words, told, place, capfd):
    assert run_program.main(["--dry-run", *words.split()]) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert told in error[0]


def test_a_weights_file_tells_which_release_is_meant(place):
    path = "checkpoint/pretrained/ckpt_semgcn_nonlocal.pth.tar"
    command = translate(["main_gcn.py", "--evaluate", path])
    assert command.runs[-1][1][:2] == ("--arch", "semgcn")
    command = translate(["viz.py", "--architecture", "gcn", "--evaluate", path, "--viz_subject", "S11"])
    assert command.runs[-1] == (
        "inference",
        ("--arch", "semgcn", "--weights", path, "--viz_subject", "S11", "--keypoints", "gt"),
    )


def test_every_flag_of_every_script_has_a_meaning():
    for script in SCRIPTS:
        names = [name for flag in script.flags for name in flag.names]
        assert len(names) == len(set(names)), script
        for flag in script.flags:
            meanings = [flag.ours is not None, bool(flag.role), bool(flag.refusal)]
            assert sum(meanings) <= 1, flag
            assert flag.help, flag


def test_a_flag_tells_the_family_or_who_has_it():
    assert family_of_flags({"--mask_type", "--knn"}, "train") == "lcn"
    assert family_of_flags({"--forced_mask_stride"}, "eval") == "uplift"
    assert family_of_flags({"--input"}, "inference") is None
    with pytest.raises(Pose3DError, match="-lfd: ehfusion or rie: add --arch"):
        family_of_flags({"-lfd"}, "train")
    with pytest.raises(Pose3DError, match="flags of two families in one command"):
        family_of_flags({"-lfd", "--knn"}, "train")


@pytest.mark.parametrize(
    ("program", "flags", "told"),
    [
        ("train", "-lfd 512 --stage 1 --out_dir x", "ehfusion or rie: add --arch"),
        ("train", "--config h36m_351 -lfd 512 --out_dir x", "two families' flags in one command"),
        ("train", "--arch rie --evaluate x.bin", "train.py trains; evaluate by eval.py --weights x.bin"),
        ("train", "--arch poseformer -sun S6,S7", "-sun S6,S7 has no counterpart"),
        ("train", "--arch rie -e 3 --epochs 4 --out_dir x", ""),
        ("train", "--arch rie -lr 0.1 --lr 0.2 --out_dir x", "-lr and --lr say different things"),
        (
            "train",
            "--arch lcn --set SCHEDULE=PiecewiseConstantDecay --lr 0.1 --out_dir x",
            "--lr: SCHEDULE is PiecewiseConstantDecay",
        ),
        ("eval", "--arch rie --evaluate true", "--evaluate true: give --weights FILE"),
        ("eval", "--evaluate pretrained_h36m_cpn.bin -c checkpoint --render", "--render: inference.py draws"),
    ],
)
def test_our_programs_tell_what_a_release_s_flag_lacks(program, flags, told, place, capfd):
    code = PROGRAMS[program].main(flags.split())
    error = capfd.readouterr().err
    if told:
        assert code == 2
        assert told in error


def test_our_programs_take_a_release_s_flags(place):
    arguments = "--evaluate pretrained_h36m_cpn.bin -c checkpoint -d h36m --disable-optimizations -e 80"
    parsed, release = parse(eval_program.make_parser, arguments.split(), "eval")
    assert release.family.arch == "VideoPose3D"
    assert parsed.weights == "checkpoint/pretrained_h36m_cpn.bin"
    assert parsed.dataset == "h36m"
    arguments = "--arch poseformer -f 27 -frame 27 -s 1 -c out -ste S9 --no-proj --lr 0.1 --batch_size 3"
    parsed, release = parse(train_program.make_parser, arguments.split(), "train")
    assert (parsed.out_dir, parsed.val_subset) == ("out", "S9")
    config = apply_flags(load_config("poseformer_81"), parsed, release, "train")
    assert (config.FRAMES, config.BATCH_SIZE, config.SCHEDULE_PARAMS["initial_learning_rate"]) == (27, 3, 0.1)


@pytest.mark.parametrize("arch", sorted(SMALL))
def test_epochs_batch_size_and_rate_are_flags_of_every_family(arch):
    arguments = f"--arch {arch} --epochs 3 --batch_size 5 --lr 0.25 --out_dir x".split()
    parsed, release = parse(train_program.make_parser, arguments, "train")
    config = apply_flags(load_config(None, None, arch), parsed, release, "train")
    rate = config.SCHEDULE_PARAMS["initial_learning_rate"]
    assert (config.EPOCHS, config.BATCH_SIZE, rate) == (3, 5, 0.25)


def test_a_yaml_file_is_a_config(place, capfd):
    arguments = ["--config", "experiments/h36m/h36m_4view.yaml", "--out_dir", "x", "--set", "EPOCHS=3"]
    parsed, release = parse(train_program.make_parser, arguments, "train")
    config = apply_flags(load_config(parsed.config), parsed, release, "train")
    assert config.ARCH == "DenseWarper"
    assert (config.BATCH_SIZE, config.EPOCHS, config.DATA_ROOT) == (4, 3, "/data/")
    assert config.SCHEDULE_PARAMS["decay_epochs"] == [10, 10]
    said = capfd.readouterr().err
    assert "TRAIN.LR_STEP -> SCHEDULE_PARAMS.decay_epochs [10, 10]" in said
    assert "without effect here: LOG_DIR, WORKERS" in said
    assert read_release_yaml("experiments/3dhp/3dhp_4view.yaml").values["SELECTED_CAMS"] == [0, 2, 7, 8]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("ROT_FACTOR", "ROT_FACTR"), "unknown key DATASET.ROT_FACTR (did you mean DATASET.ROT_FACTOR?)"),
        (("OPTIMIZER: adam", "OPTIMIZER: sgd"), 'TRAIN.OPTIMIZER is "sgd", expected "adam"'),
        (("NUM_JOINTS: 20", "NUM_JOINTS: 19"), "NETWORK.NUM_JOINTS is 19, expected 20 or 17"),
        (("SELECTED_CAMS: [0, 1, 2, 3]", "SELECTED_CAMS: [0, 9]"), "expected numbers from 0 to 3"),
        (("MODEL: dlt_3dpose_net", "MODEL: other"), "MODEL is other, expected dlt_3dpose_net"),
        (("GPUS: '0,1'", "GPUS: ["), "not valid YAML at line"),
        (("GPUS: '0,1'", "GPUS: !!python/object/apply:os.system ['true']"), "not valid YAML"),
    ],
)
def test_a_wrong_yaml_file_is_told(change, told, place, tmp_path):
    text = (place / "experiments/h36m/h36m_4view.yaml").read_text()
    assert change[0] in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(*change))
    with pytest.raises(Pose3DError, match=re.escape(told)):
        read_release_yaml(path)


def test_a_yaml_file_whose_weights_are_missing_says_so(place, tmp_path):
    write_yaml(tmp_path, "x.yaml", weights="lost.pth.tar")
    words = ["DenseWarper_main.py", "--cfg", str(tmp_path / "x.yaml"), "--evaluate", "true"]
    with pytest.raises(Pose3DError, match=r"NETWORK.DenseWarper is lost.pth.tar: no such file"):
        translate(words)


@pytest.mark.parametrize(("release", "name"), ABSENT)
def test_a_script_without_counterpart_says_why(release, name, capfd):
    assert f"`{release} {name}`" in PAGE.read_text(encoding="utf-8")
    for words in ([release, name], [name, "--x", "1"], [release, name.removesuffix(".py")]):
        assert run_program.main(words) == 2
        assert f"{release} {name} has no counterpart: " in capfd.readouterr().err


def test_released_networks_of_mpi_inf_3dhp_are_told_so(tmp_path):
    """Their joints lie in another order, which not every file tells."""
    with zipfile.ZipFile(tmp_path / "x.pth.tr", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))
    words = f"motionagformer train_3dhp.py --eval-only -c {tmp_path} --checkpoint-file x.pth.tr"
    ((_, arguments),) = translate(words.split()).runs
    assert "--config" not in arguments
    assert arguments[-4:] == ("--set", "JOINT_ORDER=mpi_inf_3dhp", "--set", "SPACE=metric")


@pytest.mark.slow
def test_a_released_network_of_mpi_inf_3dhp_is_evaluated(
    small_world, golden, made_tensors, write_pytorch, monkeypatch, capfd
):
    """Its file is PyTorch's: what the script alone knows goes with it."""
    monkeypatch.chdir(small_world)
    shapes = json.loads((golden / "motionagformer/similar/expected.json").read_text())["shapes"]
    write_pytorch(Path("checkpoint/released.pth.tr"), made_tensors(shapes), "model")
    words = "motionagformer train_3dhp.py --eval-only -c checkpoint --checkpoint-file released.pth.tr"
    assert run_program.main([*words.split(), "--set", "NUM_HEADS=2"]) == 0
    told = capfd.readouterr()
    assert "taken as of MPI-INF-3DHP" in told.out + told.err
    assert re.search(r"PCK.*AUC", told.out)


def made_human36m(folder):
    """A tiny Human3.6M with exact and detected 2D poses, beside `data` and nowhere else."""
    random = np.random.default_rng(0)
    frames = {"Walking 1": 12, "Eating 1": 5}
    (folder / "data").mkdir()
    poses, pixels = {}, {}
    for subject in SUBJECTS:
        poses[subject] = {
            name: random.normal((0, 0, 1), 0.3, (count, 32, 3)).astype("f4") for name, count in frames.items()
        }
        pixels[subject] = {
            name: [random.uniform(0, 999, (count, 17, 2)).astype("f4") for _ in CAMERAS[subject]]
            for name, count in frames.items()
        }
    np.savez(folder / "data/data_3d_h36m.npz", positions_3d=np.array(poses, object))
    for name in ("gt", "cpn_ft_h36m_dbb"):
        np.savez(folder / f"data/data_2d_h36m_{name}.npz", positions_2d=np.array(pixels, object))


def made_humaneva(folder):
    """A tiny HumanEva-I with a detector's 17 joints."""
    random = np.random.default_rng(0)
    poses, pixels = {}, {}
    for subject in HUMANEVA_SUBJECTS:
        poses[subject] = {
            f"{action} 1 chunk0": random.normal((0, 0, 1), 0.3, (6, 15, 3)).astype("f4")
            for action in ("Walking", "Jog", "Box")
        }
        pixels[subject] = {
            name: [random.uniform(0, 600, (6, 17, 2)).astype("f4") for _ in range(3)]
            for name in poses[subject]
        }
    np.savez(folder / "data/data_3d_humaneva15.npz", positions_3d=np.array(poses, object))
    np.savez(
        folder / "data/data_2d_humaneva15_detectron_pt_coco.npz",
        positions_2d=np.array(pixels, object),
        metadata=np.array({"layout_name": "coco"}, object),
    )


def made_lcn(folder):
    """Tiny pickles of LCN."""
    random = np.random.default_rng(0)
    (folder / "dataset").mkdir()
    detections = {}
    for split, subjects in (("train", (1, 5)), ("test", (9, 11))):
        items = []
        for subject in subjects:
            camera = CAMERAS[f"S{subject}"][0]
            (fx, fy), (cx, cy) = camera.focal_length, camera.center
            for action in range(2, 17):
                pose = random.uniform(-500, 500, (17, 3)) + np.array([0, 0, 4500])
                width = 2000 / pose[0, 2] * fx
                image = pose.copy()
                image[:, :2] = pose[:, :2] / pose[:, 2:] * [fx, fy] + [cx, cy]
                image[:, 2] = (pose[:, 2] - pose[0, 2]) * (width + 1) / 2000
                items.append(
                    {
                        "joint_3d_image": image,
                        "joint_3d_camera": pose,
                        "box": np.array([100.0, 100, 100 + width, 300]),
                        "root_depth": pose[0, 2],
                        "camera_param": {"name": camera.id, "fx": fx, "fy": fy, "cx": cx, "cy": cy},
                        "subject": subject,
                        "action": action,
                        "subaction": 1,
                        "imageid": 0,
                    }
                )
        (folder / f"dataset/h36m_{split}.pkl").write_bytes(pickle.dumps(items))
        poses = np.array([item["joint_3d_image"] for item in items], np.float32)
        detections[split] = {
            "joint3d_image": poses,
            "confidence": np.ones((len(poses), 17, 1), np.float32),
        }
    (folder / "dataset/h36m_sh_dt_ft.pkl").write_bytes(pickle.dumps(detections))


def made_image_poses(folder):
    """MotionBERT's pickle: videos of 30 frames, of which a clip is made by resampling."""
    random = np.random.default_rng(0)

    def part(subject, videos, frames=30):
        rows = videos * frames
        camera = [
            list(CAMERAS[f"S{subject}"])[video % 4].id for video in range(videos) for _ in range(frames)
        ]
        image = random.normal(500, 90, (rows, 17, 3)).astype(np.float32)
        return {
            "joint_2d": image[..., :2],
            "confidence": random.uniform(0.2, 1, (rows, 17, 1)).astype(np.float32),
            "joint3d_image": image,
            "camera_name": np.array(camera),
            "source": [
                f"s_{subject:02}_act_02_subact_01_ca_{video + 1:02}"
                for video in range(videos)
                for _ in range(frames)
            ],
        }

    test = part(9, 4, 270)
    test["2.5d_factor"] = random.uniform(3, 5, len(test["source"])).astype(np.float32)
    test["joints_2.5d_image"] = test["joint3d_image"] * test["2.5d_factor"][:, None, None]
    test["action"] = ["Directions"] * len(test["source"])
    content = pickle.dumps({"train": part(1, 4), "test": test}, protocol=4)
    (folder / "data/h36m_sh_conf_cam_source_final.pkl").write_bytes(content)


def made_3dhp(folder):
    """P-STMO's files of MPI-INF-3DHP."""
    random = np.random.default_rng(0)

    def poses(frames=90):
        pose = random.normal((0, 0, 3000), 300, (frames, 17, 3))
        return {"data_2d": random.uniform(500, 1500, (frames, 17, 2)), "data_3d": pose}

    train = {f"S{person} Seq1": [{camera: poses() for camera in ("0", "4")}, 25] for person in (1, 2)}
    test = {f"TS{scene}": {**poses(), "valid": np.ones(90)} for scene in (1, 3, 5)}
    np.savez(folder / "data/data_train_3dhp.npz", data=np.array(train, dtype=object))
    np.savez(folder / "data/data_test_3dhp.npz", data=np.array(test, dtype=object))


def made_amass(folder):
    """A recording in each of the release's files."""
    random = np.random.default_rng(0)
    (folder / "data/amass").mkdir()
    names = "|".join(pattern[0] for name in ("train", "val") for pattern in AMASS_SPLITS[name]).split("|")
    for name in names:
        held = {"positions_3d": random.normal(0, 0.5, (8, 17, 3)).astype(np.float32), "frame_rate": 50.0}
        np.savez(folder / f"data/amass/{name}.npz", positions_3d=np.array({"1": {"walk": held}}, object))


def made_archives(folder):
    """`h36m.zip` of Martinez et al., and HumanEva-I as ConvertHumanEva.m writes it."""
    import h5py
    from scipy.io import savemat

    random = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "h36m.zip", "w") as file:
        for subject, action, take in itertools.product(SUBJECTS, ACTIONS, ("", " 1")):
            content = io.BytesIO()
            with h5py.File(content, "w") as held:
                held["3D_positions"] = random.uniform(-800, 800, (96, 2))
            raw = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog"}.get(action, action)
            file.writestr(f"h36m/{subject}/MyPoses/3D_positions/{raw}{take}.h5", content.getvalue())
    for subject in HUMANEVA_SUBJECTS:
        (folder / "converted_15j" / subject).mkdir(parents=True)
        begin, end = FRAME_RANGES[subject]["Walking"]
        held = {
            "poses_3d": random.uniform(-900, 900, (end - begin, 15, 3)),
            "poses_2d": random.uniform(0, 480, (3, end - begin, 15, 2)),
        }
        savemat(folder / "converted_15j" / subject / "Walking_1.mat", held)


def made_video(folder):
    """A video, what AlphaPose finds in it, VideoPose3D's file of it, and a detector."""
    import av

    frames, width, height = 12, 64, 48
    pose = np.random.default_rng(0).uniform((20, 10), (44, 40), (17, 2))
    (folder / "demo/video").mkdir(parents=True)
    for path in ("video.mp4", "input_video.mp4", "demo/video/sample_video.mp4"):
        with av.open(str(folder / path), "w") as container:
            stream = container.add_stream("libx264", rate=50)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for _ in range(frames):
                image = np.zeros((height, width, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
    numbers = np.concatenate([pose, np.ones((17, 1))], axis=1).ravel().tolist()
    found = [
        {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": numbers, "score": 2.0, "idx": 1}
        for frame in range(frames)
    ]
    (folder / "alphapose-results.json").write_text(json.dumps(found))
    custom = {"input_video.mp4": {"custom": [np.tile(pose, (frames, 1, 1))]}}
    metadata = {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
        "video_metadata": {"input_video.mp4": {"w": width, "h": height}},
    }
    np.savez(
        folder / "data/data_2d_custom_myvideos.npz",
        positions_2d=np.array(custom, object),
        metadata=np.array(metadata, object),
    )
    (folder / "still.py").write_text(
        f"""import numpy as np


class Still:
    layout = "coco_17"

    def __init__(self, model):
        pass

    def __call__(self, image, milliseconds):
        return [np.array({numbers}).reshape(17, 3)]
"""
    )


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    """A folder with small data and with weights of small networks under all names that commands use."""
    folder = tmp_path_factory.mktemp("world")
    made_human36m(folder)
    made_humaneva(folder)
    made_lcn(folder)
    made_image_poses(folder)
    made_3dhp(folder)
    made_amass(folder)
    made_archives(folder)
    made_video(folder)
    (folder / "config").mkdir()
    for name in ("h36m_351", "h36m_351_pt", "amass_351", *BY_NAME):
        config = load_config(name)
        changes = {**SMALL[families_short(config.ARCH)], **views_of(config.ARCH)}
        config.replace(**changes).save(folder / "config" / f"{name}.json")
    for path, (name, keys) in WEIGHTS.items():
        config = load_config(name)
        config = config.replace(**{**SMALL[families_short(config.ARCH)], **keys, **views_of(config.ARCH)})
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        made = folder / "made.h5"
        save_model(build_model(config), made)
        made.rename(folder / path)
    experiment = folder / "experiment/test1/checkpoints"
    experiment.mkdir(parents=True)
    save_model(build_model(load_config("lcn_gt").replace(CHANNELS=4)), experiment / "best_weights_0001.h5")
    strided = load_config("strided_351").replace(**SMALL["strided"])
    for parent in ("351", "pretrained"):
        (folder / "checkpoint" / parent / "checkpoints").mkdir(parents=True)
        save_model(build_model(strided), folder / "checkpoint" / parent / "checkpoints/best_weights_0001.h5")
    backbone = {"model": "multiview_pose_resnet"}
    write_yaml(folder, "experiments/h36m/h36m_4view.yaml")
    write_yaml(
        folder,
        "experiments/3dhp/3dhp_4view.yaml",
        dataset="multiview_3dhp",
        weights="3dhp.pth.tar",
        joints=17,
    )
    write_yaml(folder, "experiments/pose2d/h36m.yaml", **backbone)
    write_yaml(folder, "experiments/pose2d/3dhp.yaml", dataset="multiview_3dhp", joints=17, **backbone)
    return folder


def families_short(arch):
    return next(short for short, name in families().items() if name == arch)


def views_of(arch):
    return {"SELECTED_CAMS": [0, 3], "PATTERN": [0, 1]} if arch == "DenseWarper" else {}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "ours", "difference"), ROWS, ids=[row[0].strip("`")[:60] for row in ROWS])
def test_a_documented_command_runs(old, ours, difference, small_world, monkeypatch, capfd):
    """On small data, with a small network and one step in one epoch."""
    monkeypatch.chdir(small_world)
    words = words_of(re.sub(r" (-e|--epochs|--epoch) \d+", r" \1 1", old))
    # A shipped config's network is a small one, too.
    small = {path.stem: path for path in (small_world / "config").glob("*.json")}
    shipped = config_module.shipped_configs()
    monkeypatch.setattr(config_module, "shipped_configs", lambda: {**shipped, **small})
    monkeypatch.syspath_prepend(small_world)
    # The refined network's two files are a release's; a run of this package has one.
    refined = "--refine_reload" in words
    command = translate(words)
    program, arguments = command.runs[-1]
    if program in PREPARATIONS:
        assert run_program.main(words) != 0
        # They replace nothing that is there.
        assert "exists already" in capfd.readouterr().err
        (small_world / "made").mkdir(exist_ok=True)
        (small_world / "made/data").mkdir()
        monkeypatch.chdir(small_world / "made")
        assert (
            run_program.main([f"../{word}" if (small_world / word).exists() else word for word in words]) == 0
        )
        assert len(list(Path("data").glob("data_?d_*.npz"))) == 2
        shutil.rmtree("data")
        return
    short = arch_of_command(program, arguments)
    for name in STAGES:
        if short in ("rie", "ehfusion"):
            shutil.copy(small_world / short / name, small_world / "checkpoint" / name)
    keys = {**SMALL[short], **views_of(families()[short])}
    if program == "train":
        keys |= {"EPOCHS": 1, "STEPS_PER_EPOCH": 1, "BATCH_SIZE": 2}
        keys |= {"PRETRAINED": None if short == "pose2d" else "pose2d.h5"} if short in IMAGED else {}
    if short in IMAGED:
        keys |= {f"DATASET_{split}_3D_SUBSAMPLE_STEP": 60 for split in ("VAL", "TEST")}
    if program == "inference" and short != "lcn":
        keys = {}
    if refined:
        keys |= {"REFINE": False}
    if any(word.endswith("vis.py") for word in words[:2]):
        words += ["--detector", "still:Still"]
    extra = [word for key, value in keys.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    code = run_program.main([*words, *extra])
    out, error = capfd.readouterr()
    if code and short == "densewarper":
        # Everything ran: maps of a network that has learned nothing show no joint to two cameras.
        assert error.rstrip().endswith(
            "no joint could be triangulated: fewer than two views see any joint"
        ), error
        return
    assert code == 0, error
    if program == "eval":
        assert re.search(r"\d+\.\d", out)
    if program == "train":
        folder = (
            arguments[arguments.index("--out_dir") + 1] if "--out_dir" in arguments else "experiment/test3"
        )
        # Folders named by the time are another by now.
        stem = timeless(folder).replace("TIME", "*")
        assert list(Path().glob(f"{stem}/checkpoints/*weights_0001.h5"))
    if "--viz_output" in arguments:
        assert Path(arguments[arguments.index("--viz_output") + 1]).stat().st_size > 1000


IMAGED = ("pose2d", "densewarper")
# Shipped configs that commands of evaluation mean, whose weights here are of small networks.
BY_NAME = (
    *("motionbert", "motionbert_ft", "motionbert_global_lite"),
    *("motionagformer_xs", "motionagformer_s_3dhp"),
    *("densewarper_h36m", "densewarper_3dhp", "pose2d_h36m", "pose2d_3dhp"),
)


def arch_of_command(program, arguments):
    names = dict(itertools.pairwise(arguments))
    if "--arch" in names:
        return names["--arch"]
    config = load_config(names["--config"]) if "--config" in names else None
    return families_short(config.ARCH)
