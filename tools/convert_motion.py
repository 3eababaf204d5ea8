"""Turns motion of any format (.trc, .c3d, .bvh, .npz, .json) into any other, smoothed, level and on the
floor.

python tools/convert_motion.py walk.trc walk.glb --smooth butterworth:6
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.convert_motion import main

if __name__ == "__main__":
    sys.exit(main())
