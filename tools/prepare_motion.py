"""Turns motion capture (BVH, AMC with ASF, npz) into a motion file for training the general lifter.

python tools/prepare_motion.py FOLDER --output motion.npz --subjects prefix
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.prepare_motion import main

if __name__ == "__main__":
    sys.exit(main())
