from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.inference.lifting import lift_sequences
from tf_pose3d.models.loading import build_model
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.models.uplift_upsample.family import UpliftUpsample

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config():
    return UpliftUpsampleConfig.load(REPOSITORY / "config" / "quickstart.json").replace(TEMPORAL_EMBED_DIM=32)


@pytest.fixture(scope="module")
def model(config):
    return build_model(config)


@pytest.fixture(scope="module")
def sequences():
    cameras = synthetic_sequences(["S9"], frames=23, actions=["Walking"])
    return cameras[:2] + synthetic_sequences(["S9"], frames=16, actions=["Eating"])[:1]


def test_poses_are_those_of_evaluation(config, model, sequences):
    family = UpliftUpsample()
    lifted = lift_sequences(family, model, config, sequences)
    assert [len(poses) for poses in lifted] == [23, 23, 16]
    windows = Windows(sequences, family.data_spec(config, "test"))
    first = next(get_protocol(family).evaluate(model, config, windows))
    np.testing.assert_array_equal(np.concatenate(lifted), first.poses)


def test_every_frame_is_lifted_whatever_evaluation_steps_over(config, model, sequences, capsys):
    sparse = config.replace(DATASET_TEST_3D_SUBSAMPLE_STEP=4)
    family = UpliftUpsample()
    (poses,) = lift_sequences(family, model, sparse, sequences[:1], show_progress=True)
    np.testing.assert_array_equal(poses, lift_sequences(family, model, config, sequences[:1])[0])
    assert "lifting: 5/5" in capsys.readouterr().err
