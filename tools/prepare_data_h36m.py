"""Makes data_3d_h36m.npz and the exact data_2d_h36m_gt.npz from Human3.6M as it is downloaded.

python tools/prepare_data_h36m.py --from-archive h36m.zip
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.prepare_human36m import main

if __name__ == "__main__":
    sys.exit(main())
