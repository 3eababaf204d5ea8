"""Runs `tf_pose3d.cli.inference`; see `python inference.py --help`."""

import sys

from tf_pose3d.cli.inference import main

if __name__ == "__main__":
    sys.exit(main())
