"""Make the weights of `inference.py --demo`: a small Uplift and Upsample network, trained on synthetic data.

    python tools/make_demo_weights.py

About four minutes on two cores. The network never sees the subjects S9 and S11. The file goes into the
package, `tf_pose3d/inference/demo_weights.h5`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d import inference
from tf_pose3d.cli.demo import DEMO_WEIGHTS
from tf_pose3d.cli.program import run_program

# Files of this size ship with the package.
_LARGEST_MB = 2.0
# The learning rate falls twice in each.
_EPOCHS = 4


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3200, help="training steps (default: %(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(inference.__file__).parent / DEMO_WEIGHTS,
        help="file to write (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    from tf_pose3d.cli.train import train
    from tf_pose3d.models.loading import load_model, save_model

    with tempfile.TemporaryDirectory() as folder:
        steps = given.steps // _EPOCHS
        settings = {
            "EPOCHS": _EPOCHS,
            "STEPS_PER_EPOCH": steps,
            "SCHEDULE_PARAMS.decay_steps": steps // 2,
            "CHECKPOINT_INTERVAL": _EPOCHS,
        }
        flags = ["--config", "quickstart", "--out_dir", folder]
        flags += ["--train_subset", "trainval", "--val_subset", "none", "--test_subset", "none"]
        for key, value in settings.items():
            flags += ["--set", f"{key}={value}"]
        train(flags)
        model = load_model(Path(folder) / "checkpoints" / "last_weights")
    # What a user lifts is no data set: the file must not name one.
    model.config = model.config.replace(DATASET=None)
    save_model(model, given.out)
    size = given.out.stat().st_size / 1e6
    print(f"wrote {given.out}: {size:.2f} MB")
    return 0 if size < _LARGEST_MB else 1


if __name__ == "__main__":
    sys.exit(run_program("make_demo_weights.py", main))
