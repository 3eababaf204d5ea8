"""Exports a model for serving: a SavedModel, a TFLite or an ONNX file, checked against the model itself.

python tools/export.py --weights x.h5 --format tflite --out x.tflite
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.export import main

if __name__ == "__main__":
    sys.exit(main())
