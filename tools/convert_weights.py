"""Turns a checkpoint of an original release into an .h5 file that eval.py and inference.py read.

python tools/convert_weights.py ckpt_best.pth.tar --arch hoif --out models/hoif_gt.h5
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.convert import main

if __name__ == "__main__":
    sys.exit(main())
