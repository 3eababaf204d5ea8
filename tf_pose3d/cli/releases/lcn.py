"""LCN's flags, and its numbered experiments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.cli.flags import parse_overrides
from tf_pose3d.cli.releases import lcn_experiment
from tf_pose3d.cli.releases.release import Flag, Log, Release
from tf_pose3d.config import read_config_file
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, write_json
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    import keras
__all__ = ["LCNRelease"]

# Where converted weights are put.
_MODELS = "models"

# Keys that change the network or its weights' meaning.
_NETWORK_KEYS = (
    *("IN_JOINTS", "OUT_JOINTS", "IN_F", "CHANNELS", "LAYERS", "RESIDUAL", "WEIGHT_MAX_NORM"),
    *("MASK_TYPE", "MASK_SOURCE", "GRAPH", "KNN", "RANDOM_GRAPH_EDGES", "RANDOM_GRAPH_SEED", "MASK"),
)


class LCNRelease(Release["LCNConfig"]):
    """Experiments by number, whose weights, results and tables lie in folders of their own."""

    def flags(self, program: str) -> list[Flag]:
        if program not in ("train", "eval", "inference"):
            return []
        flags = [
            Flag(("--data_type",), "DATA_TYPE", "how coordinates are normalised: scale", metavar="{scale}"),
            Flag(("--mode",), "MODE", "2D poses of the pickles: exact or detected", metavar="{gt,dt_ft}"),
            Flag(
                ("--test_indices",),
                None,
                "numbers of the experiments, e.g. 1 or 1,2 (several: eval.py)",
                metavar="N",
            ),
            Flag(("--dataset_dir",), None, "folder of LCN's pickles (default: ./dataset)", metavar="DIR"),
            Flag(
                ("--experiment_dir",),
                None,
                "folder of the experiments (default: ./experiment)",
                metavar="DIR",
            ),
            Flag(
                ("--in_F",), "IN_F", "numbers read per joint: 2, or 3 with a confidence", int, metavar="{2,3}"
            ),
        ]
        if program == "eval":
            return [
                *flags,
                Flag(("--protocol2",), None, "align poses by Procrustes first", None),
                Flag(("--per_joint",), None, "errors by joint instead of by action", None),
            ]
        flags += [
            Flag(("--mask_type",), "MASK_TYPE", "locally_connected, or ..._learnable", metavar="TYPE"),
            Flag(("--init_type",), "INIT_TYPE", "start of a learned mask", metavar="{same,ones,random}"),
            Flag(("--mask_source",), "MASK_SOURCE", "knn, laplacian or random_graph", metavar="SOURCE"),
            Flag(("--graph",), "GRAPH", "which neighbour graph", int, metavar="N"),
            Flag(("--knn",), "KNN", "hops on the graph that connect two joints", int, metavar="HOPS"),
            Flag(("--layers",), "LAYERS", "residual blocks", int, metavar="N"),
            Flag(("--in_joints",), "IN_JOINTS", "joints read: 17 or 16", int, metavar="N"),
            Flag(("--out_joints",), "OUT_JOINTS", "joints predicted: those read", int, metavar="N"),
            Flag(("--dropout",), "DROPOUT", "share of features that training drops", float, metavar="RATE"),
            Flag(("--channels",), "CHANNELS", "features per joint", int, metavar="N"),
        ]
        if program == "train":
            return [
                *flags,
                Flag(("--flip_data",), "AUGM_FLIP_PROB", "also train on mirrored poses", None, const=1.0),
                Flag(("--epochs",), "EPOCHS", "epochs to train", int, metavar="N"),
                Flag(("--batch_size",), "BATCH_SIZE", "poses per step", int, metavar="N"),
            ]
        return [
            *flags,
            Flag(("--flip_data",), "EVAL_FLIP", "average with the mirrored prediction", None),
            Flag(
                ("--checkpoint", "--checkpoints"),
                None,
                "which weights of an experiment (default: final)",
                metavar="{best,final}",
            ),
        ]

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        arguments.experiment_dir = arguments.experiment_dir or "./experiment"
        arguments.dataset_dir = arguments.dataset_dir or "./dataset"
        if arguments.test_indices is not None:
            arguments.test_indices = lcn_experiment.test_numbers(arguments.test_indices)
            if program != "eval" and len(arguments.test_indices) > 1:
                raise Pose3DError("--test-indices: give one number; only eval.py takes several")
        if program == "train" and arguments.out_dir is None and arguments.test_indices is not None:
            folder = lcn_experiment.test_folder(arguments.experiment_dir, arguments.test_indices[0])
            arguments.out_dir = str(folder)
        if program == "inference" and arguments.checkpoints not in (None, *lcn_experiment.KINDS):
            raise Pose3DError(f"--checkpoints is {arguments.checkpoints!r}, expected best or final")

    def data_options(self, arguments: argparse.Namespace) -> dict[str, Any]:
        return {"folder": Path(arguments.dataset_dir)}

    def evaluate_results(self, arguments: argparse.Namespace, config: LCNConfig, log: Log) -> bool:
        """Tables of the result files of the tests that `--test-indices` names."""
        if arguments.test_indices is None:
            return False
        from tf_pose3d.data.lcn_pickles import read_items
        from tf_pose3d.evaluation.lcn_results import evaluate_result, result_table, what_name

        per_joint, protocol2 = bool(arguments.per_joint), bool(arguments.protocol2)
        what = what_name(per_joint, protocol2, config.DATA_TYPE)
        if arguments.json is not None:
            require_writable_folder(Path(arguments.json).parent)
        folders = [lcn_experiment.test_folder(arguments.experiment_dir, n) for n in arguments.test_indices]
        results = [lcn_experiment.read_result(folder, config.MODE) for folder in folders]
        items = read_items(Path(arguments.dataset_dir) / "h36m_test.pkl", log)
        rows = {}
        for folder, (result, path) in zip(folders, results, strict=True):
            rows[folder.name] = evaluate_result(result, items, per_joint, protocol2, str(path))
            table = result_table({folder.name: rows[folder.name]})
            log(f"wrote {lcn_experiment.write_log(folder, what, config.MODE, table)}")
        log(str(result_table(rows, f"{what}, {config.MODE}: errors in mm")))
        if arguments.json is not None:
            document = {
                "mode": config.MODE,
                "evaluation_mm": {name: {what: row} for name, row in rows.items()},
            }
            write_json(arguments.json, document)
            log(f"wrote {arguments.json}")
        return True

    def require_weights(self, arguments: argparse.Namespace) -> None:
        """Nothing: weights may be an experiment's."""

    def load_model(self, arguments: argparse.Namespace, config: LCNConfig) -> keras.Model:
        """The weights of `--weights`, of the test that `--test-indices` names, or the newest that fit."""
        if arguments.weights is not None:
            model = super().load_model(arguments, config)
            arguments.result_folder = Path(arguments.experiment_dir) / Path(arguments.weights).stem
            return model
        number = arguments.test_indices[0] if arguments.test_indices else None
        wanted = self._wanted(arguments)
        which = arguments.checkpoints or ("final" if number is not None else None)
        found = lcn_experiment.find_weights(arguments.experiment_dir, which, number, _MODELS)
        reasons = []
        for weights in found:
            try:
                model = lcn_experiment.load_fitting_model(weights, wanted)
            except Pose3DError as error:
                if number is not None:
                    raise
                reasons.append(str(error))
                continue
            arguments.weights, arguments.result_folder = str(weights.path), weights.folder
            return model
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items()) or "any settings"
        raise Pose3DError(
            f"no LCN weights with {asked}: looked in {arguments.experiment_dir}/test*/checkpoints "
            f"({which or 'best, final'}) and {_MODELS}/*.h5, found {'; '.join(reasons) or 'none'}. Train "
            "some with train.py --data-type scale --mode gt --test-indices 1, or put the released "
            "checkpoints there (docs/lcn.md)"
        )

    def _wanted(self, arguments: argparse.Namespace) -> dict[str, Any]:
        """Config keys that say what network it must be, as far as flags or the config file give them."""
        given = read_config_file(arguments.config) if arguments.config else {}
        given.update(parse_overrides(arguments.set))
        for flag in self.flags("inference"):
            value = getattr(arguments, flag.destination)
            if flag.key is not None and value is not None:
                given[flag.key] = value
        return {name: value for name, value in given.items() if name in _NETWORK_KEYS}

    def lifts_recordings(self, arguments: argparse.Namespace, config: LCNConfig) -> bool:
        """What the weights were trained on, which has yet to be found, decides."""
        return False

    def infer(
        self,
        arguments: argparse.Namespace,
        config: LCNConfig,
        model: keras.Model,
        log: Log,
    ) -> bool:
        """Predicts the whole test set into `result_MODE.pkl` and `.npz`, as the release does.

        With another data set than the pickles (the one that the weights were trained on, where none is
        named), the tables are printed and the poses go into `predictions_DATASET.npz`. A recording to lift
        (`--viz_subject`) is left to `inference.py`.
        """
        named = arguments.dataset or (config.DATASET if config.DATASET != LCNConfig().DATASET else None)
        arguments.dataset = named or model.config.DATASET
        if arguments.viz_subject is not None:
            return False
        if arguments.dataset != "lcn":
            if arguments.output is not None or arguments.viz_output is not None:
                return False
            self._predict_test_set(arguments, config, model, log)
            return True
        from tf_pose3d.data.datasets import read_sequences
        from tf_pose3d.data.lcn_pickles import read_items
        from tf_pose3d.evaluation.lcn_results import denormalized
        from tf_pose3d.evaluation.protocols.lcn import predict_image_poses, screen_keypoints
        from tf_pose3d.progress import Progress

        trained = model.config
        mode = config.MODE if arguments.mode is not None else trained.MODE
        folder = require_writable_folder(arguments.result_folder)
        spec = self.family.data_spec(trained.replace(MODE=mode), "test")
        options = {**spec.options, **self.data_options(arguments)}
        sequences = read_sequences("lcn", "test", options, trained.skeleton, log)
        keypoints = screen_keypoints(sequences)
        log(f"{arguments.weights}: {len(keypoints)} poses, {mode}")
        flip = get_skeleton(trained.skeleton).flip_order if config.EVAL_FLIP else None
        with Progress(len(keypoints), "predicting") as progress:
            image = predict_image_poses(
                model, keypoints, flip, trained.BATCH_SIZE, lambda done: progress.update(steps=done)
            )
        result = denormalized(image, read_items(options["folder"] / "h36m_test.pkl"))
        for path in lcn_experiment.write_result(folder, mode, result):
            log(f"wrote {path}")
        return True

    def _predict_test_set(
        self, arguments: argparse.Namespace, config: LCNConfig, model: keras.Model, log: Log
    ) -> None:
        """Tables and poses of the test set of a data set whose poses need no boxes."""
        from tf_pose3d.cli.data_flags import find_test_source
        from tf_pose3d.evaluation.evaluate import run_evaluation
        from tf_pose3d.evaluation.protocols import get_protocol

        trained = model.config.replace(EVAL_FLIP=config.EVAL_FLIP)
        source = find_test_source(arguments, trained, self)
        folder = require_writable_folder(arguments.result_folder)
        run = run_evaluation(model, trained, source, "test", log, str(arguments.weights), show_progress=True)
        path = folder / f"predictions_{source.name}.npz"
        get_protocol(self.family).save_predictions(path, run.evaluations, run.examples)
        log(f"wrote {path}")
