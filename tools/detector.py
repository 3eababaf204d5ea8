"""Gets the networks that find people in a video, once, through pip.

python tools/detector.py
python tools/detector.py --from mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.detector import main

if __name__ == "__main__":
    sys.exit(main())
