"""Runs `tf_pose3d.cli.train`; see `python train.py --help`."""

import sys

from tf_pose3d.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
