"""Motion metrics of the general lifter's scenes; those of recordings: tests/programs."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.motion_clips import MotionClips
from tf_pose3d.data.motion_examples import MotionExamples
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.evaluate import EvaluationRun
from tf_pose3d.evaluation.motion_evaluation import evaluate_motion_metrics
from tf_pose3d.evaluation.motion_scenes import LEGLESS, NOISY, SCENES, make_scene
from tf_pose3d.evaluation.protocols.motion import MotionEvaluation
from tf_pose3d.models.general.config import GeneralConfig


@pytest.fixture(scope="module")
def clips():
    body = synthetic_sequences(["S9"], frames=90, actions=["Walking"], skeleton="h36m_17")[0].pose_3d
    world = (body[..., [0, 2, 1]] * [1, 1, -1]).astype(np.float32)
    one = np.array(["walk"])
    return MotionClips(world, np.array([0, 90]), one, one, one, np.ones(1, np.float32))


def run_of(clips, error):
    """An evaluation whose predictions are off by so much along x, every second frame the other way."""
    predictions = {}
    for scene in (*SCENES, NOISY, LEGLESS):
        predictions[scene.name] = [
            clip.pose_3d + error * np.where(np.arange(len(clip.pose_3d)) % 2, 1, -1)[:, None, None] * _sides()
            for clip in make_scene(clips, scene)
        ]
    examples = dataclasses.replace(MotionExamples(clips, None))
    return EvaluationRun([MotionEvaluation("", {}, predictions, {})], examples)


def _sides():
    """`(17, 3)`: every joint but the root goes along x."""
    return np.array([[0.0, 0, 0]] + [[1.0, 0, 0]] * 16)


def test_scenes(clips):
    exact = evaluate_motion_metrics(None, GeneralConfig(), run_of(clips, 0.0))
    assert set(exact) == {scene.name for scene in (*SCENES, NOISY, LEGLESS)}
    assert exact["16:9"]["mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    assert exact["16:9"]["pck_150_percent"] == 100
    shaken = evaluate_motion_metrics(None, GeneralConfig(), run_of(clips, 0.01))
    assert shaken["noisy"]["mpjpe_mm"] == pytest.approx(10 * 16 / 17)
    # Second differences of +1, -1, +1 are four times as large.
    assert shaken["noisy"]["acceleration_error_mm_frame2"] == pytest.approx(40 * 16 / 17)


def test_single_images_have_no_motion():
    with pytest.raises(Pose3DError, match="motion metrics need recordings"):
        evaluate_motion_metrics(None, GeneralConfig(), EvaluationRun([], object()))
