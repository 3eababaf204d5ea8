"""Windows cut in NumPy are those that TensorFlow cuts."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.window_rows import window_batch
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import Windows
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.skeleton import get_skeleton

SPECS = {
    "single frames": WindowSpec(),
    "round the frame": WindowSpec(length=9, stride=1),
    "causal": WindowSpec(length=9, causal=True),
    "strided": WindowSpec(length=7, stride=5),
    "zeros past the ends": WindowSpec(length=9, stride=2, padding="zeros"),
    "sampled": WindowSpec(length=9, stride=5, mask_strides=(10,)),
    "sampled by frame number": WindowSpec(length=9, stride=5, mask_strides=(20,), align_mask=True),
    "confidences": WindowSpec(length=3, channels=3, fill_confidence=True),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("frames", "fps"), [(41, 50), (3, 50), (60, 100)])
def test_numpy_and_tensorflow_cut_alike(name, frames, fps):
    spec = SPECS[name]
    points = np.random.default_rng(0).uniform(0, 900, (frames, 17, 2)).astype(np.float32)
    camera = default_camera(1000, 900)
    extra = np.arange(frames, dtype=np.float32)[:, None]
    sequence = Sequence(
        subject="",
        action="",
        name="x",
        skeleton=get_skeleton("h36m_17"),
        fps=fps,
        camera=camera,
        pose_2d=points,
        per_frame={"extra": extra},
    )
    wanted = np.arange(frames)
    windows = Windows([sequence], spec)
    expected = windows.batch(tf.constant(wanted, tf.int64))
    found = window_batch(windows.store, spec, wanted)
    assert found.keys() >= {"keypoints_2d", "intrinsics", "pad_mask", "extra"}
    assert ("stride_mask" in found) == (spec.mask_strides is not None)
    for key, values in found.items():
        np.testing.assert_array_equal(values, expected[key].numpy(), err_msg=key)


def test_what_is_drawn_at_random_is_refused():
    spec = dataclasses.replace(SPECS["sampled"], mask_strides=(5, 10))
    store = Windows(
        [
            Sequence(
                subject="",
                action="",
                name="x",
                skeleton=get_skeleton("h36m_17"),
                fps=50,
                camera=default_camera(9, 9),
                pose_2d=np.zeros((5, 17, 2), np.float32),
            )
        ],
        spec,
    ).store
    with pytest.raises(ValueError, match="one s_in"):
        window_batch(store, spec, np.arange(5))
