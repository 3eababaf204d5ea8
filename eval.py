"""Runs `tf_pose3d.cli.eval`; see `python eval.py --help`."""

import sys

from tf_pose3d.cli.eval import main

if __name__ == "__main__":
    sys.exit(main())
