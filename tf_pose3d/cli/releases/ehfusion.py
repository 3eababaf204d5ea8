"""Flags of EHFusion and RIE, and their training in three stages."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

from tf_pose3d.cli.flags import apply_flags
from tf_pose3d.cli.releases.release import Flag, Log
from tf_pose3d.cli.releases.videopose3d import TemporalRelease
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.staged import STAGES, StagedConfig, same_stage, stage_weights_name
from tf_pose3d.types import Parsed

__all__ = ["EHFusionRelease", "RIERelease"]


class RIERelease(TemporalRelease["StagedConfig"]):
    """Flags of a release that trains in stages."""

    network_keys = (*TemporalRelease.network_keys, "LATENT_FEATURES", "STAGE")

    def size_flags(self) -> list[Flag]:
        return [
            Flag(
                ("-lfd", "--latent_features_dim"),
                "LATENT_FEATURES",
                "features of a body part and of the whole pose",
                int,
                metavar="N",
            ),
            Flag(("--stage",), "STAGE", "stage of the three-stage training", int, metavar="{1,2,3}"),
            Flag(("--dense",), None, "without effect, as in the releases: windows have no dense form", None),
        ]

    def training_flags(self) -> list[Flag]:
        return [
            Flag(("-s", "--stride"), None, "must be 1: a window predicts one frame", int, metavar="1"),
            Flag(("-p", "--pretrain"), None, "stage 1's weights, for stage 2", metavar="FILE"),
            Flag(("-ft", "--finetune"), None, "stage 2's weights, for stage 3", metavar="FILE"),
            Flag(("--all_stages",), None, "train the three stages one after the other", None),
        ]

    def same_network(self, key: str, held: Parsed, wanted: Parsed) -> bool:
        # Stages 2 and 3 train one network.
        return held == wanted or (key == "STAGE" and same_stage(held, wanted))

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        super().complete_arguments(program, arguments)
        if program != "train":
            return
        if arguments.stride not in (None, 1):
            raise Pose3DError(
                f"-s {arguments.stride}: a window of {self.family.arch} predicts one frame, leave -s out"
            )
        if arguments.pretrain is not None and arguments.finetune is not None:
            raise Pose3DError("--pretrain starts stage 2 and --finetune stage 3; give one of them")
        given = arguments.pretrain or arguments.finetune
        if given is None:
            return
        if arguments.all_stages:
            raise Pose3DError(
                "--all-stages makes each stage's weights itself; leave --pretrain/--finetune out"
            )
        if arguments.weights is not None:
            raise Pose3DError("--weights and --pretrain/--finetune both name weights; give one of them")
        arguments.weights = given

    def training_runs(self, arguments: argparse.Namespace, log: Log) -> Iterator[argparse.Namespace]:
        """With `--all_stages` one run a stage, in `stage_N` of the output folder.

        Stages that are complete are passed over and one that was interrupted goes on, so that the same
        command line serves at any point.
        """
        if not arguments.all_stages:
            yield arguments
            return
        if arguments.out_dir is None:
            raise Pose3DError("--out_dir is missing: the folder for weights, checkpoints and logs")
        before = None
        for stage in STAGES:
            run = copy.copy(arguments)
            run.out_dir, run.stage, run.weights = (
                str(Path(arguments.out_dir) / f"stage_{stage}"),
                stage,
                before,
            )
            best = Path(run.out_dir) / stage_weights_name(stage)
            before = str(best)
            if best.is_file():
                log(f"stage {stage} is complete: {best}")
                continue
            if stage == 3:
                run.learning_rate = self._fine_tuning_rate(arguments)
            run.continue_training = any((Path(run.out_dir) / "checkpoints").glob("cp_*.h5"))
            log(f"stage {stage}" + (", continued" if run.continue_training else ""))
            yield run

    def _fine_tuning_rate(self, arguments: argparse.Namespace) -> float:
        from tf_pose3d.models.loading import load_config

        config = load_config(arguments.config, None, arguments.arch or self.family.arch)
        rate: float = vars(apply_flags(config, arguments, self, "train"))["FINE_TUNING_RATE"]
        return rate

    def check_training(self, arguments: argparse.Namespace, config: StagedConfig) -> None:
        if arguments.all_stages and not config.in_stages:
            raise Pose3DError("--all-stages is for the three-stage network; STRATEGY is not three_stage")
        if config.in_stages and config.STAGE > 1:
            if arguments.weights is None and not arguments.continue_training:
                flag = "--pretrain" if config.STAGE == 2 else "--finetune"
                raise Pose3DError(
                    f"stage {config.STAGE} needs stage {config.STAGE - 1}'s weights: give {flag} "
                    f"{stage_weights_name(config.STAGE - 1)}, or --all-stages to train all three"
                )
        elif arguments.pretrain is not None:
            raise Pose3DError("--pretrain is for stage 2 of the three-stage training; give --stage 2 as well")


class EHFusionRelease(RIERelease):
    """EHFusion has the flags of RIE."""
