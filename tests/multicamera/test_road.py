import dataclasses

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.calibration import write_cameras
from tf_pose3d.data.calibration.record import Calibration
from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.rig import make_rig
from tf_pose3d.multicamera.road import triangulate


@pytest.fixture(scope="module")
def clip(scenes):
    """Rig, truth and keypoints by camera."""
    rig, poses = scenes.rig(4), scenes.walker(80)
    keypoints = scenes.seen(rig, poses)
    return rig, poses, dict(zip(rig.names, keypoints, strict=True))


def calibrated(rig):
    return Calibration("made", "made", rig.cameras)


def made(rig, views, **arguments):
    return triangulate(views, calibrated(rig), layout="halpe_26", fps=60, **arguments)


def test_poses_and_what_is_known_beside_them(clip):
    rig, poses, views = clip
    found = made(rig, views)
    error = 1000 * np.linalg.norm(found.pose_3d - poses, axis=-1)
    assert np.nanmedian(error) < 4.5
    assert np.nanpercentile(error, 95) < 9
    assert found.pose_3d.dtype == np.float32
    assert found.error.shape == found.views_used.shape == found.confidence.shape == poses.shape[:2]
    assert found.views_used.max() == 4
    assert found.confidence[found.views_used > 1].min() > 0.3
    np.testing.assert_array_equal(np.asarray(found), found.pose_3d)
    assert found.report.sound
    assert "1 people" in repr(found)
    assert "of 80 frames" in repr(found.person)


def test_views_and_cameras_go_by_name_in_any_order(clip):
    rig, _, views = clip
    straight = made(rig, views).pose_3d
    turned = make_rig(rig.cameras[::-1])
    other = made(turned, {f"{name}_json": views[name] for name in ("cam03", "cam01", "cam04", "cam02")})
    np.testing.assert_allclose(other.pose_3d, straight, atol=2e-4)
    assert other.rig.names == ("cam03", "cam01", "cam04", "cam02")


def test_an_order_is_proposed_where_names_tell_nothing(clip):
    rig, _, views = clip
    renamed = dict(zip(("north", "east", "south", "west"), views.values(), strict=True))
    with pytest.raises(Pose3DError) as raised:
        made(rig, renamed)
    message = str(raised.value)
    assert "north, east, south, west match no camera by name" in message
    assert "--match north=cam01 east=cam02 south=cam03 west=cam04" in message
    pairs = dict(pair.split("=") for pair in message.split("--match ")[-1].split())
    assert made(rig, renamed, match=pairs).report.sound


def test_counts_that_differ_are_named(clip):
    rig, _, views = clip
    with pytest.raises(Pose3DError, match=r"3 cameras \(cam01, cam02, cam03\) for 4 views .*cam04"):
        made(make_rig(rig.cameras[:3]), views)
    few = made(rig, {name: views[name] for name in ("cam01", "cam03")})
    assert any("cam02, cam04 are not used" in note for note in few.notes)
    with pytest.raises(Pose3DError, match="one view"):
        made(rig, {"cam01": views["cam01"]})
    with pytest.raises(Pose3DError, match="holds one camera"):
        made(make_rig(rig.cameras[:1]), views)


def test_a_camera_without_anyone_is_said(clip):
    rig, _, views = clip
    found = made(rig, {**views, "cam02": np.full_like(views["cam02"], np.nan)})
    assert any("cam02: no person in any frame" in note for note in found.notes)
    assert found.views_used.max() == 3
    nobody = {name: np.full_like(points, np.nan) for name, points in views.items()}
    with pytest.raises(Pose3DError, match="no person in any frame"):
        made(rig, nobody)


def test_people_in_one_view_only_are_no_one(clip):
    rig, _, views = clip
    alone = {name: points.copy() for name, points in views.items()}
    for number, points in enumerate(alone.values()):
        hidden = np.ones(80, bool)
        hidden[20 * number : 20 * number + 20] = False
        points[hidden] = np.nan
    found = made(rig, alone)
    assert found.people == ()
    assert any("by two cameras at once" in warning for warning in found.warnings)
    with pytest.raises(Pose3DError, match="two cameras at once"):
        _ = found.pose_3d


def test_shorter_views_and_holes_leave_gaps(clip):
    rig, poses, views = clip
    holes = {name: points.copy() for name, points in views.items()}
    holes["cam02"] = holes["cam02"][:50]
    holes["cam03"][30:40] = np.nan
    found = made(rig, holes)
    assert any("cam02 50 (0 to 49)" in note for note in found.notes)
    assert len(found.pose_3d) == 80
    assert found.views_used[60:].max() == 3
    assert np.nanmedian(np.linalg.norm(found.pose_3d[50:] - poses[50:], axis=-1)) < 0.006


def test_zeros_and_nonsense_are_missing(clip):
    rig, poses, views = clip
    zeros = {name: np.nan_to_num(points) for name, points in views.items()}
    np.testing.assert_array_equal(made(rig, zeros).pose_3d, made(rig, views).pose_3d)
    far = {name: points.copy() for name, points in views.items()}
    far["cam01"][:, 3, :2] = 1e5
    error = np.linalg.norm(made(rig, far).pose_3d - poses, axis=-1)
    assert np.nanmax(error) < 0.06


def test_late_and_slow_cameras_are_put_in_time(scenes):
    rig, poses = scenes.rig(4), scenes.walker(260)
    keypoints = scenes.seen(rig, poses, sigma=2)
    views = {
        "cam01": keypoints[0],
        "cam02": keypoints[1, 7:],
        "cam03": keypoints[2, 12:],
        "cam04": keypoints[3, ::2],
    }
    found = made(rig, views, sync="auto")
    assert found.timeline.offsets.tolist() == [0, 7, 12, 0]
    assert found.timeline.steps.tolist() == [1, 1, 1, 2]
    error = 1000 * np.linalg.norm(found.pose_3d - poses, axis=-1)
    assert np.nanmedian(error) < 4
    assert np.nanpercentile(error, 95) < 8
    given = made(rig, views, offsets={"cam02": 7, "cam03": 12}, rates={"cam04": 30})
    np.testing.assert_allclose(given.pose_3d, found.pose_3d, atol=1e-5)
    # As they are: said, and named.
    wrong = made(
        rig, {name: keypoints[number] if number != 2 else views["cam03"] for number, name in enumerate(views)}
    )
    assert wrong.report.findings[0].cameras == ("cam03",)
    assert "12 frames late" in wrong.report.warning


def test_a_rig_in_millimetres_is_told(clip):
    rig, poses, views = clip
    large = make_rig([camera.scaled(1000) for camera in rig.cameras])
    found = made(large, views)
    assert [finding.kind for finding in found.report.findings] == ["unit"]
    assert "taken as millimetres" in found.report.warning
    assert np.nanmedian(np.linalg.norm(found.pose_3d - poses, axis=-1)) < 0.006
    guessed = dataclasses.replace(calibrated(large), unit_stated=False)
    right = triangulate(views, guessed, layout="halpe_26", fps=60)
    assert right.report.sound
    # In files that hold metres by custom it is a mistake, though it is seen through.
    odd = dataclasses.replace(guessed, usual_unit="m", unit="mm", cameras=rig.cameras)
    told = triangulate(views, odd, layout="halpe_26", fps=60)
    assert not told.report.sound
    assert "cameras cam01, cam02, cam03, cam04 (--camera_unit mm)" in told.report.warning
    assert np.nanmedian(np.linalg.norm(told.pose_3d - poses, axis=-1)) < 0.006
    assert np.nanmedian(np.linalg.norm(right.pose_3d - poses, axis=-1)) < 0.006


def test_one_camera_in_millimetres_does_not_decide_the_unit(clip, tmp_path):
    rig, _, views = clip
    cameras = [camera.scaled(1000) if camera.name == "cam03" else camera for camera in rig.cameras]
    write_cameras(tmp_path / "Calib.toml", cameras)
    found = triangulate(views, tmp_path / "Calib.toml", layout="halpe_26", fps=60)
    (finding,) = found.report.findings
    assert (finding.kind, finding.cameras) == ("unit", ("cam03",))


def test_offsets_go_by_cameras_as_well(clip):
    rig, _, views = clip
    named = {f"{name}_json": points for name, points in views.items()}
    assert made(rig, named, offsets={"cam02": 3}).timeline.offsets.tolist() == [0, 3, 0, 0]
    assert made(rig, named, rates={"cam04": 30}).timeline.steps.tolist() == [1, 1, 1, 2]


def test_everyone_or_one(scenes):
    rig = scenes.rig(4)
    people = [scenes.seen(rig, scenes.walker(60, which), seed=which) for which in (0, 1)]
    views = {
        name: np.stack([person[number] for person in people], axis=1) for number, name in enumerate(rig.names)
    }
    found = made(rig, views, people="all")
    assert [person.id for person in found.people] == ["0", "1"]
    assert len(made(rig, views).people) == 1
    second = made(rig, views, people="1")
    np.testing.assert_array_equal(second.pose_3d, found.people[1].pose_3d)
    with pytest.raises(Pose3DError, match="no person of that id; there are 0, 1"):
        made(rig, views, people="2")


def test_files_of_any_kind_by_the_public_name(clip, scenes, tmp_path):
    rig, poses, views = clip
    paths = scenes.write(tmp_path, [np.stack(list(views.values()))], rig)
    write_cameras(tmp_path / "Calib.toml", rig.cameras)
    found = tf_pose3d.triangulate(paths, cameras=tmp_path / "Calib.toml", fps=60)
    error = 1000 * np.linalg.norm(found.pose_3d - poses, axis=-1)
    assert np.nanmedian(error) < 4.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "expected one of robust, pose2sim"),
        ({"sync": "sound"}, "expected 'auto'"),
        ({"sync": "auto", "offsets": {"cam01": 1}}, "not both"),
        ({"offsets": {"cam09": 1}}, "no view cam09; there are cam01"),
        ({"offsets": {"cam01": np.nan}}, "expected a number of frames"),
        ({"min_views": 1}, "two views or more"),
        ({"min_confidence": 2.0}, "expected 0 to 1"),
        ({"world": "moon"}, "expected one of auto"),
        ({"rates": {"cam01": 0.0}}, "above 0"),
    ],
)
def test_arguments_that_mean_nothing(clip, arguments, message):
    rig, _, views = clip
    with pytest.raises(Pose3DError, match=message):
        made(rig, views, **arguments)
