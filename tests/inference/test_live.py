"""Poses of a camera as they come: the newest frame, one person as long as they are there."""

import threading
import time

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import Found
from tf_pose3d.inference.live import live_poses, newest
from tf_pose3d.inference.stream import PoseStream


def test_frames_that_nobody_had_time_for_are_left_out():
    ready = threading.Event()

    def items():
        for number in range(50):
            yield None, np.full(1, number)
        ready.set()

    frames = newest(items())
    ready.wait(5)
    (_, last), *others = frames
    assert (last[0], others) == (49, [])


def test_a_camera_that_is_gone():
    def items():
        yield None, np.zeros(1)
        time.sleep(0.05)
        raise Pose3DError("webcam 0 gives no more frames")

    frames = newest(items())
    next(frames)
    with pytest.raises(Pose3DError, match="gives no more frames"):
        next(frames)


class Camera:
    width, height, fps = 1000, 1000, 30.0

    def __init__(self, count):
        self.count = count
        self.asked = threading.Semaphore(1)

    def arrays(self, pixels):
        for number in range(self.count):
            # The next comes when this one has been seen.
            self.asked.acquire()
            yield number / 30, np.full((4, 4, 3), number, np.uint8)


class Two:
    """Person a is larger for three frames, then b; b alone at the end; nobody in frame 5."""

    layout = "coco_17"

    def __init__(self, camera, points):
        self.camera, self.points = camera, points

    def __call__(self, image, milliseconds):
        self.camera.asked.release()
        number = int(image[0, 0, 0])
        if number == 5:
            return []
        a = self.points[number].copy()
        b = self.points[number].copy()
        b[:, :2] = 700 + 0.5 * (b[:, :2] - 700)
        if number >= 3:
            a, b = b, a
            return [Found(a, "a"), Found(b, "b")] if number < 7 else [Found(b, "b")]
        return [Found(b, "b"), Found(a, "a")]


@pytest.fixture(scope="module")
def lifter():
    return tf_pose3d.load("general_frame")


@pytest.fixture(scope="module")
def points():
    from tf_pose3d.camera import project_pixels
    from tf_pose3d.skeleton import convert_joints, get_skeleton

    sequence = synthetic_sequences(["S9"], frames=10, actions=["Walking"], skeleton="h36m_17")[0]
    held = project_pixels(sequence.pose_3d, sequence.camera)
    layout, coco = get_skeleton("h36m_17"), get_skeleton("coco_17")
    table = np.full((10, 17, 3), np.nan, np.float32)
    for number, joint in enumerate(coco.joints):
        if joint in layout.joints:
            table[:, number, :2], table[:, number, 2] = held[:, layout.index(joint)], 0.9
    nose = coco.joints.index("nose")
    table[:, nose, :2], table[:, nose, 2] = held[:, layout.index("head")], 0.9
    assert convert_joints is not None
    return table


def test_one_person_as_long_as_they_are_there(lifter, points):
    camera = Camera(10)
    detector = Two(camera, points)
    frames = list(live_poses(camera, detector, lifter))
    assert [frame.number for frame in frames] == list(range(10))
    sizes = [None if f.keypoints is None else float(np.nanmax(np.ptp(f.keypoints[:, 1]))) for f in frames]
    assert frames[5].keypoints is None
    assert frames[5].pose is None

    def is_small(number):
        whole = np.nanmax(points[number, :, :2], axis=0) - np.nanmin(points[number, :, :2], axis=0)
        held = frames[number].keypoints[:, :2]
        return float(np.nanmax(held[:, 1]) - np.nanmin(held[:, 1])) < 0.75 * whole[1]

    del sizes
    # a stays chosen though b is larger from frame 3 on; after the empty frame the larger one is taken.
    assert [is_small(number) for number in (0, 1, 2)] == [False] * 3
    assert [is_small(number) for number in (3, 4)] == [True] * 2
    assert [is_small(number) for number in (6, 7, 8, 9)] == [False] * 4


def test_poses_are_those_of_a_stream(lifter, points):
    camera = Camera(3)
    frames = list(live_poses(camera, Two(camera, points), lifter))
    stream = PoseStream(lifter, 1000, 1000, 30.0, "coco_17")
    for number, frame in enumerate(frames):
        ((_, pose),) = stream.push(points[number])
        np.testing.assert_array_equal(frame.pose, pose)


def test_smoothing_is_checked(lifter, points):
    camera = Camera(1)
    with pytest.raises(Pose3DError, match="expected one_euro"):
        next(iter(live_poses(camera, Two(camera, points), lifter, smooth="kalman")))
