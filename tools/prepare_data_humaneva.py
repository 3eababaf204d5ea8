"""Makes data_3d_humaneva15.npz and its 2D files from what HumanEva-I's MATLAB tools export.

python tools/prepare_data_humaneva.py --path converted_15j --convert-3d
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.prepare_humaneva import main

if __name__ == "__main__":
    sys.exit(main())
