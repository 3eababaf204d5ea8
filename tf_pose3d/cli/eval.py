"""`eval.py`: evaluates any family's weights; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_pose3d.cli.data_flags import add_data_flags, find_test_source
from tf_pose3d.cli.flags import Parser, add_common_flags, apply_flags
from tf_pose3d.cli.precision import apply_precision
from tf_pose3d.cli.program import parse, run_program, start_tensorflow
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, resolve_weights, write_json

__all__ = ["evaluate_weights", "main"]


def make_parser() -> Parser:
    parser = Parser(
        prog="eval.py",
        description="Evaluates weights. The family is the config's ARCH, else the weights', else --arch.",
    )
    parser.add_argument("--weights", metavar="FILE", help="weights, or a prefix of their path")
    parser.add_argument(
        "--config",
        metavar="FILE|NAME",
        help="config file or a shipped one's name, for weights that hold none",
    )
    add_data_flags(parser, test=True)
    parser.add_argument("--test_subset", default="test", metavar="NAME", help="subset or subject to evaluate")
    parser.add_argument("--batch_size", type=int, metavar="N", help="windows at once; overwrites BATCH_SIZE")
    parser.add_argument(
        "--action_wise", dest="action_wise", action="store_true", default=True, help="also errors per action"
    )
    parser.add_argument(
        "--frame_wise", dest="action_wise", action="store_false", help="errors over all frames only"
    )
    parser.add_argument("--json", metavar="FILE", help="also write every number as JSON")
    parser.add_argument("--predictions", metavar="FILE", help="also write every pose as .npz")
    parser.add_argument(
        "--motion_metrics",
        action="store_true",
        help="also acceleration error, jitter, variation of bones, PCK at 150 mm and AUC of whole recordings",
    )
    add_common_flags(parser)
    return parser


def evaluate_weights(
    arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None
) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    parsed, release = parse(make_parser, arguments, "eval")
    log = log or (lambda line: print(line, flush=True))

    from tf_pose3d.models.loading import load_config, load_model, require_fitting_weights

    family = release.family
    if parsed.weights is None:
        config = load_config(parsed.config, None, parsed.arch or family.arch)
        if release.evaluate_results(parsed, apply_flags(config, parsed, release, "eval"), log):
            return
        raise Pose3DError("nothing to evaluate: give --weights, the file that training or conversion wrote")
    weights = resolve_weights(parsed.weights)
    trained = load_config(parsed.config, weights, parsed.arch)
    config = apply_flags(trained, parsed, release, "eval", BATCH_SIZE=parsed.batch_size)
    require_fitting_weights(weights, config, parsed.arch)
    source = find_test_source(parsed, config, release)
    source.check(parsed.test_subset)
    for path in (parsed.json, parsed.predictions):
        if path is not None:
            require_writable_folder(Path(path).parent)
    start_tensorflow("eval.py")

    from tf_pose3d.evaluation.evaluate import run_evaluation
    from tf_pose3d.training.distribution import make_strategy
    from tf_pose3d.weight_files.hdf5 import convert_held_weights

    convert_held_weights()
    with make_strategy("one", config.GPU_ID).scope():
        # The network is the trained one: what flags overwrite concerns its input only.
        model = load_model(weights, trained)
    apply_precision(model, parsed, config, "eval")
    run = run_evaluation(
        model,
        config,
        source,
        parsed.test_subset,
        log,
        name=str(weights),
        action_wise=parsed.action_wise,
        show_progress=True,
    )
    motion: dict[str, dict[str, float]] = {}
    if parsed.motion_metrics:
        from tf_pose3d.evaluation.motion_evaluation import evaluate_motion_metrics
        from tf_pose3d.evaluation.motion_metrics import metrics_table

        motion = evaluate_motion_metrics(model, config, run)
        for label, figures in motion.items():
            log(f"motion, {label}\n{metrics_table(figures)}")
    if parsed.json is not None:
        read = source.dataset.files(source.options) if source.dataset.comes_as_pose_files else ()
        path_3d, path_2d = [str(path) for path in read] or (source.name, None)
        document = {
            "weights": str(weights),
            "dataset": path_3d,
            "dataset_2d": path_2d,
            "subset": parsed.test_subset,
            "config": config.to_dict(),
            "evaluation_mm": run.numbers,
            **({"motion": motion} if motion else {}),
        }
        write_json(parsed.json, document)
        log(f"wrote {parsed.json}")
    release.save_evaluation(parsed, run.evaluations, run.examples, log)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("eval.py", evaluate_weights, arguments)


if __name__ == "__main__":
    sys.exit(main())
