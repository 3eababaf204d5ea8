"""Uplift and Upsample's programs, whose flags ours have."""

from __future__ import annotations

from collections.abc import Callable

from tf_pose3d.cli.scripts.script import EVAL, TRAIN, Given, Plan, Script, passed

__all__ = ["SCRIPTS"]

_SOURCE = "goldbricklemon/uplift-upsample-3dhpe"


def _plan(program: str) -> Callable[[Given], Plan]:
    return lambda given: Plan(program, [] if given.has("--config") else ["--arch", "uplift"])


_SHARED = (
    passed("--config", "--config", "config file"),
    passed("--weights", "--weights", "weights, or a prefix of their path"),
    passed("--gpu_id", "--gpu_id", "which GPU"),
    passed("--dataset", "--dataset", "data set, or its 3D file"),
    passed("--test_subset", "--test_subset", "subset to test on"),
)

SCRIPTS: tuple[Script, ...] = (
    Script(
        "uplift",
        "train.py",
        ("uplift",),
        (
            *_SHARED,
            passed("--dataset_val", "--dataset_val", "validation data"),
            passed("--h36m_path", "--h36m_path", "3D poses"),
            passed("--amass_path", "--amass_path", "folder of AMASS"),
            passed("--amass_frame_rate", "--amass_frame_rate", "Hz at which AMASS is used"),
            passed("--dataset_2d_path", "--dataset_2d_path", "2D poses"),
            passed("--train_subset", "--train_subset", "subset to train on", "train", always=True),
            passed("--val_subset", "--val_subset", "subset to validate on", "val", always=True),
            passed("--continue_training", "--continue_training", "go on with a run"),
            passed("--out_dir", "--out_dir", "folder of the run"),
        ),
        _plan(TRAIN),
        _SOURCE,
        (TRAIN,),
    ),
    Script(
        "uplift",
        "eval.py",
        ("uplift",),
        (
            *_SHARED,
            passed("--batch_size", "--batch_size", "windows at once"),
            passed("--dataset_2d", "--dataset_2d", "2D poses"),
            passed("--action_wise", "--action_wise", "also errors per action", values="none"),
            passed("--frame_wise", "--frame_wise", "errors over all frames only", values="none"),
            passed("--forced_mask_stride", "--forced_mask_stride", "s_in in frames"),
            passed(
                "--no_learned_upsampling", "--no_learned_upsampling", "interpolate instead", values="none"
            ),
        ),
        _plan(EVAL),
        _SOURCE,
        (EVAL,),
    ),
)
