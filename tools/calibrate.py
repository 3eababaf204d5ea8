"""Calibrates cameras: by a board that they see, or by a person who walks before them.

python tools/calibrate.py --board charuco:5x7:40mm:30mm:DICT_4X4_50 videos/*.mp4 --out cameras.toml
python tools/calibrate.py --people cam*_json --intrinsics guess --stature 1.78 --out cameras.toml
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.calibrate import main

if __name__ == "__main__":
    sys.exit(main())
