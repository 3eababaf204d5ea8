"""Makes annotations and images of Human3.6M or MPI-INF-3DHP as DenseWarper reads them.

python tools/prepare_multiview.py h36m ROOT
python tools/prepare_multiview.py mpi_inf_3dhp ROOT
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.prepare_multiview import main

if __name__ == "__main__":
    sys.exit(main())
