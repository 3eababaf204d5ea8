"""Measures how the motion in a file moves: smoothness, bones, feet, floor, path, errors.

python tools/motion_report.py walk.trc truth.trc
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.motion_report import main

if __name__ == "__main__":
    sys.exit(main())
