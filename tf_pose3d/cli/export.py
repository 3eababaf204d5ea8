"""`tools/export.py`: a model for serving, as a SavedModel, a TFLite or an ONNX file; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_pose3d.cli.program import Parser, run_program, start_tensorflow

__all__ = ["export", "main"]

# Format -> ending of its files; a SavedModel is a folder.
_ENDINGS = {"saved_model": "", "tflite": ".tflite", "onnx": ".onnx"}


def make_parser() -> Parser:
    parser = Parser(
        prog="export.py",
        description="Exports a model for serving, checked against the model itself: a SavedModel, TFLite or "
        "ONNX file. docs/serving.md says what it reads and gives.",
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="weights, or a prefix of their path")
    parser.add_argument(
        "--config",
        metavar="FILE|NAME",
        help="config file or a shipped one's name, for weights that hold none",
    )
    parser.add_argument("--format", required=True, choices=tuple(_ENDINGS), help="what to write")
    parser.add_argument(
        "--half", action="store_true", help="hold weights in float16, in half the space (onnx)"
    )
    parser.add_argument("--out", metavar="PATH", help="where (default: beside the weights, by their name)")
    return parser


def export(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    given = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    start_tensorflow()

    from tf_pose3d.files import resolve_weights
    from tf_pose3d.inference.export import export_model
    from tf_pose3d.models.loading import load_model
    from tf_pose3d.weights.opening import converted_weights

    weights = resolve_weights(given.weights)
    out = Path(given.out) if given.out else weights.with_suffix(_ENDINGS[given.format])
    with converted_weights(weights, given.config, log=log):
        model = load_model(weights, given.config)
    report = export_model(model, out, given.format, given.half)
    for name, shape in report["inputs"].items():
        free = "frames" if report["examples"] == "frames" else "batch"
        log(f"input {name}: {[free if size is None else size for size in shape]}")
    log(
        f"wrote {out}: poses of {report['count']} {report['examples']} agree with the model's within "
        f"{1000 * report['difference_m']:.2g} mm"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("export.py", export, arguments)


if __name__ == "__main__":
    sys.exit(main())
