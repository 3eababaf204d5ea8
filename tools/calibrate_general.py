#!/usr/bin/env python
"""Calibrates the uncertainty of a trained general lifter and writes its weights as they ship (float16).

    python tools/calibrate_general.py --weights logs/general/checkpoints/best --motion train.npz \\
        --output tf_pose3d/shipped/general.h5 --onnx tf_pose3d/shipped/general.onnx

The people of the config's HELD_OUT, whom training did not see, are lifted in the scenes of
`tf_pose3d/evaluation/motion_scenes.py`, and beside them two people of the training a source. For each joint
radius = factor * scale ** power is fitted as `tf_pose3d/evaluation/radius_calibration.py` says.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import run_program
from tf_pose3d.data.motion_clips import MotionClips, load_motion
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.evaluation.motion_scenes import (
    LEGLESS,
    NOISY,
    SCENES,
    make_scene,
    measure_scene,
    scene_table,
)
from tf_pose3d.evaluation.radius_calibration import CalibrationData, calibrate_radii
from tf_pose3d.files import staged
from tf_pose3d.inference.export import export_model
from tf_pose3d.models.loading import load_model, save_model
from tf_pose3d.weight_files.hdf5 import opened_hdf5, seal_weights

# People of the training a source, and clips of each.
_PEOPLE, _CLIPS = 2, 2


def trained_people(clips: MotionClips) -> MotionClips:
    """Of each source the people with the most frames."""
    chosen = np.zeros(len(clips), bool)
    for source in np.unique(clips.sources):
        mine = clips.sources == source
        people = np.unique(clips.subjects[mine])
        frames = [int(clips.lengths[mine & (clips.subjects == person)].sum()) for person in people]
        for place in np.argsort(frames)[::-1][:_PEOPLE]:
            chosen |= mine & (clips.subjects == people[place])
    return clips.select(chosen)


def observe(clips: MotionClips, plain: ClipPredictor, per_person: int, trained: bool) -> CalibrationData:
    """What the network foresees and what becomes of it, in all scenes."""
    source_of = dict(zip(clips.subjects.tolist(), clips.sources.tolist(), strict=True))
    parts = []
    for scene in (*SCENES, NOISY, LEGLESS):
        made = make_scene(clips, scene, per_person)
        result = measure_scene(made, plain)
        assert result.radii is not None
        people = np.repeat([clip.subject for clip in made], [len(clip.pose_3d) for clip in made])
        sources = np.array([source_of[person] for person in people.tolist()])
        parts.append((result.radii, result.errors, result.seen, people, sources))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return CalibrationData(*columns, np.full(len(columns[0]), trained))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="trained weights, or their prefix")
    parser.add_argument("--motion", required=True, metavar="FILE", help="the motion of the training")
    parser.add_argument("--output", required=True, metavar="FILE", help="weights to write")
    parser.add_argument("--onnx", metavar="FILE", help="ONNX file to write, too, with weights in float16")
    options = parser.parse_args(arguments)
    model = load_model(options.weights)
    model.config = model.config.replace(MIXED_PRECISION=None)
    rest, held = load_motion(options.motion, print).split(model.config.HELD_OUT, options.motion)
    layer = model.calibration
    joints = model.joints
    layer.set_weights([np.ones(joints), np.ones(joints)])
    plain = ClipPredictor(model)
    parts = [observe(held, plain, 6, False), observe(trained_people(rest), plain, _CLIPS, True)]
    fields = [field.name for field in dataclasses.fields(CalibrationData)]
    data = CalibrationData(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
    fitted, found = calibrate_radii(data)
    print(", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    layer.set_weights([fitted[:, 0], fitted[:, 1]])
    # A predictor takes the weights as they are when it is made.
    calibrated = ClipPredictor(model)
    figures = {
        scene.name: measure_scene(make_scene(held, scene), calibrated) for scene in (*SCENES, NOISY, LEGLESS)
    }
    print(scene_table(figures))
    save_model(model, options.output)
    _halve(Path(options.output))
    print(f"wrote {options.output}: {Path(options.output).stat().st_size / 1e6:.2f} MB")
    if options.onnx:
        report = export_model(load_model(options.output), options.onnx, "onnx", half=True)
        size = Path(options.onnx).stat().st_size / 1e6
        print(f"wrote {options.onnx}: {size:.2f} MB, within {1000 * report['difference_m']:.2g} mm")
    return 0


def _halve(path: Path) -> None:
    """Rewrites a weight file with its large arrays in float16."""
    with staged(path) as temporary, opened_hdf5(path) as source, h5py.File(temporary, "w") as target:
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
        seal_weights(target, source, path)


if __name__ == "__main__":
    sys.exit(run_program("calibrate_general.py", main))
