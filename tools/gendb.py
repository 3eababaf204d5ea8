"""Makes LCN's pickles from the folders of H36M-Toolbox and cameras.h5.

python tools/gendb.py H36M_ROOT --out_dir dataset
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.gendb import main

if __name__ == "__main__":
    sys.exit(main())
