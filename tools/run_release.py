"""Runs a command of one of the releases, as its README writes it; installed it is `tf-pose3d-run`.

python tools/run_release.py run_onestage.py -k cpn_ft_h36m_dbb --stage 1 -lfd 512 -e 80
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.run import main

if __name__ == "__main__":
    sys.exit(main())
