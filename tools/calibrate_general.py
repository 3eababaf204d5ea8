#!/usr/bin/env python
"""Calibrates the uncertainty of a trained general lifter and writes its weights as they ship (float16).

    python tools/calibrate_general.py --weights logs/general/checkpoints/best --motion train.npz \\
        --output tf_pose3d/shipped/general.h5

The people of the config's HELD_OUT, whom training did not see, are lifted in the scenes of
`tf_pose3d/evaluation/motion_scenes.py`. For each joint, radius = factor * scale ** power is fitted so that
nine of ten seen joints lie within it, and as many where it is narrow as where it is wide.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import run_program
from tf_pose3d.data.motion_clips import load_motion
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.evaluation.motion_scenes import (
    LEGLESS,
    NOISY,
    SCENES,
    calibration_table,
    make_scene,
    measure_scene,
    scene_table,
)
from tf_pose3d.files import staged
from tf_pose3d.models.loading import load_model, save_model

_SHARE = 0.9
_POWERS = np.linspace(0.4, 1.6, 25)


def fit(scale: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Factor and power of one joint.

    Args:
        scale: `(n,)` metres as the network foresees.
        error: `(n,)` metres.
    """
    log_scale, log_error = np.log(scale), np.log(np.maximum(error, 1e-6))
    third = np.digitize(scale, np.quantile(scale, [1 / 3, 2 / 3]))
    best: tuple[float, float, float] = (np.inf, 1.0, 1.0)
    for power in _POWERS:
        rest = log_error - power * log_scale
        offset = float(np.quantile(rest, _SHARE))
        shares = [(rest[third == number] <= offset).mean() for number in range(3)]
        best = min(best, (float(np.ptp(shares)), float(np.exp(offset)), float(power)))
    return best[1], best[2]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="trained weights, or their prefix")
    parser.add_argument("--motion", required=True, metavar="FILE", help="the motion of the training")
    parser.add_argument("--output", required=True, metavar="FILE", help="weights to write")
    options = parser.parse_args(arguments)
    model = load_model(options.weights)
    model.config = model.config.replace(MIXED_PRECISION=None)
    _, held = load_motion(options.motion, print).split(model.config.HELD_OUT, options.motion)
    made = {scene.name: make_scene(held, scene) for scene in (*SCENES, NOISY, LEGLESS)}
    layer = model.calibration
    joints = model.joints
    layer.set_weights([np.ones(joints), np.ones(joints)])
    plain = ClipPredictor(model)
    results = [measure_scene(clips, plain) for clips in made.values()]
    scale = np.concatenate([result.radii for result in results if result.radii is not None])
    error = np.concatenate([result.errors for result in results])
    seen = np.concatenate([result.seen for result in results])
    fitted = np.array([fit(scale[seen[:, j], j], error[seen[:, j], j]) for j in range(1, joints)])
    # The root is where it is.
    layer.set_weights([np.r_[0.0, fitted[:, 0]], np.r_[1.0, fitted[:, 1]]])
    figures = {name: measure_scene(clips, plain) for name, clips in made.items()}
    print(scene_table(figures))
    print(calibration_table(figures))
    save_model(model, options.output)
    _halve(Path(options.output))
    print(f"wrote {options.output}: {Path(options.output).stat().st_size / 1e6:.2f} MB")
    return 0


def _halve(path: Path) -> None:
    """Rewrites a weight file with its large arrays in float16."""
    with staged(path) as temporary, h5py.File(path) as source, h5py.File(temporary, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                values = item[()]
                halved = values.astype(np.float16) if values.size > 64 and values.ndim else values
                made = target.create_dataset(name, data=halved)
            made.attrs.update(item.attrs)

        source.visititems(copy)


if __name__ == "__main__":
    sys.exit(run_program("calibrate_general.py", main))
