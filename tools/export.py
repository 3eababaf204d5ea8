"""Export a model for serving: a SavedModel, a TFLite or an ONNX file, checked against the model itself.

    python tools/export.py --weights x.h5 --format saved_model|tflite|onnx [--out FILE]

What the exported model reads and gives is in docs/serving.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Compiled operations of this package are in no export.
os.environ["TF_POSE3D_OPS"] = "reference"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import run_program, start_tensorflow

_FORMATS = {"saved_model": "", "tflite": ".tflite", "onnx": ".onnx"}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", required=True, metavar="FILE", help="weights, or a prefix of their path")
    parser.add_argument("--config", metavar="FILE", help="config file, for weights that hold none")
    parser.add_argument("--format", required=True, choices=_FORMATS, help="what to write")
    parser.add_argument("--out", metavar="PATH", help="where (default: beside the weights, by their name)")
    given = parser.parse_args(arguments)
    start_tensorflow()
    from tf_pose3d.files import resolve_weights
    from tf_pose3d.inference.export import export_model
    from tf_pose3d.models.loading import load_model

    weights = resolve_weights(given.weights)
    out = Path(given.out) if given.out else weights.with_suffix(_FORMATS[given.format])
    report = export_model(load_model(weights, given.config), out, given.format)
    for name, shape in report["inputs"].items():
        print(f"input {name}: {['batch' if size is None else size for size in shape]}")
    print(
        f"wrote {out}: poses of {report['windows']} windows agree with the model's within "
        f"{1000 * report['difference_m']:.2g} mm"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_program("export.py", main))
