"""Every format of the same rig gives the same points, to a hundredth of a millimetre."""

from __future__ import annotations

import itertools
import pickle
import shutil

import numpy as np
import pytest

from tf_pose3d.data.calibration import FORMATS, read_calibration
from tf_pose3d.data.calibration.evidence import settled
from tf_pose3d.errors import Pose3DError

# Folder or file of a rig -> (format, unit that its lengths are in).
FILES = {
    "pose2sim": ("camera_tables", "m"),
    "aniposelib": ("camera_tables", "mm"),
    "freemocap": ("freemocap", "mm"),
    "caliscope/camera_array.toml": ("caliscope", "m"),
    "caliscope/camera_array_old_matrix.toml": ("caliscope", "m"),
    "opencv_yml": ("opencv", "m"),
    "opencv_xml": ("opencv", "m"),
    "easymocap": ("easymocap", "m"),
    "qualisys": ("qualisys", "mm"),
    "panoptic": ("panoptic", "cm"),
    "voxelpose": ("placed_json", "mm"),
    "h36m": ("human36m", "mm"),
    "opencap": ("opencap", "mm"),
}
CASES = [case for case in itertools.product(("exact", "exact_k3"), FILES) if case != ("exact_k3", "pose2sim")]


def solved(cameras, keypoints):
    """Points by the direct linear transformation of undistorted rays."""
    rows = []
    for camera, pixels in zip(cameras, keypoints[..., :2], strict=True):
        matrix = np.concatenate([camera.rotation, camera.translation[:, None]], axis=1)
        rays = np.nan_to_num(camera.rays(pixels))
        rows += [rays[..., :1] * matrix[2] - matrix[0], rays[..., 1:] * matrix[2] - matrix[1]]
    last = np.linalg.svd(np.stack(rows, axis=-2))[2][..., -1, :]
    return last[..., :3] / last[..., 3:]


def worst(cameras, case):
    points, keypoints = case
    return np.linalg.norm(solved(cameras, keypoints) - points, axis=-1).max() * 1000


def test_every_format_has_a_case():
    assert {name for name, _ in FILES.values()} == set(FORMATS)


@pytest.mark.parametrize(("rig", "file"), CASES)
def test_exact_keypoints_give_the_points(rigs, people, rig, file):
    calibration = read_calibration(rigs / rig / file)
    assert (calibration.format, calibration.unit) == FILES[file]
    assert worst(calibration.cameras, people[rig]) < 0.01
    sizes = [camera.size for camera in calibration.cameras]
    assert file == "voxelpose" or sizes == [(1088, 1920), (1088, 1920), (1920, 1080), (1088, 1920)]
    # What the keypoints have to say changes nothing.
    kept = settled(calibration, people[rig][1])
    assert worst(kept.cameras, people[rig]) < 0.01
    assert not [note for note in kept.notes if note not in calibration.notes]


def test_qualisys_with_distortion_in_other_units_is_told_by_the_error(rigs, people):
    calibration = read_calibration(rigs / "exact" / "qualisys_pose2sim_times64")
    assert worst(calibration.cameras, people["exact"]) > 10
    chosen = settled(calibration, people["exact"][1])
    assert worst(chosen.cameras, people["exact"]) < 0.01
    assert any("distortion in 1/64" in note and "px" in note for note in chosen.notes)


def test_theia3d_as_its_manual_describes_it(tmp_path, rigs, people):
    truth = read_calibration(rigs / "exact_k3" / "opencv_yml").cameras
    lines = ["<calibration><cameras>"]
    for camera in truth:
        (fx, _, cx), (_, fy, cy), _ = camera.matrix
        k1, k2, p1, p2, k3 = camera.distortion
        turn = " ".join(f'r{i + 1}{j + 1}="{camera.rotation[i, j]:.15g}"' for i in range(3) for j in range(3))
        x, y, z = camera.translation * 1000
        lines.append(
            f'<camera active="1" serial="{camera.name}" viewrotation="0"><transform x="{x}" y="{y}" z="{z}" '
            f'{turn}/><intrinsic focallength="9" sensorMinU="0" sensorMaxU="{camera.size[0]}" sensorMinV="0" '
            f'sensorMaxV="{camera.size[1]}" focalLengthU="{fx}" focalLengthV="{fy}" centerPointU="{cx}" '
            f'centerPointV="{cy}" skew="0" radialDistortion1="{k1}" radialDistortion2="{k2}" '
            f'radialDistortion3="{k3}" tangentalDistortion1="{p1}" tangentalDistortion2="{p2}"/></camera>'
        )
    path = tmp_path / "calibration.txt"
    path.write_text("\n".join([*lines, "</cameras></calibration>"]))
    calibration = read_calibration(path)
    assert calibration.format == "theia3d"
    assert calibration.cameras[2].size == (1920, 1080)
    assert worst(calibration.cameras, people["exact_k3"]) < 0.01
    assert worst(settled(calibration, people["exact_k3"][1]).cameras, people["exact_k3"]) < 0.01
    assert any("manual" in note for note in calibration.notes)


def edited(rigs, tmp_path, file, *changes):
    """A copy of a file with texts replaced."""
    text = (rigs / "exact" / file).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / file.split("/")[-1]
    path.write_text(text)
    return path


def test_camera_to_world_in_an_opencv_file_is_found_by_the_people(tmp_path, rigs, people):
    cameras = read_calibration(rigs / "exact" / "opencv_yml").cameras
    for camera in cameras:
        back, place = camera.rotation.T, camera.centre

        def matrix(values):
            data = ", ".join(repr(float(value)) for value in np.ravel(values))
            rows, cols = np.atleast_2d(values).shape
            return f"!!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n   data: [ {data} ]\n"

        (tmp_path / f"{camera.name}.yml").write_text(
            f"%YAML:1.0\n---\nK: {matrix(camera.matrix)}D: {matrix([camera.distortion])}"
            f"R: {matrix(back)}t: {matrix([place])}image_size: [ {camera.size[0]}, {camera.size[1]} ]\n"
        )
    calibration = read_calibration(tmp_path)
    assert worst(calibration.cameras, people["exact"]) > 100
    chosen = settled(calibration, people["exact"][1])
    assert worst(chosen.cameras, people["exact"]) < 0.01
    assert any("from camera to world" in note for note in chosen.notes)


def test_a_wrong_unit_is_named_and_a_guessed_one_mended(rigs, people):
    stated = settled(read_calibration(rigs / "exact" / "pose2sim", unit="mm"), people["exact"][1])
    assert any("--camera_unit m" in note and "0.001" in note for note in stated.notes)
    assert worst(stated.cameras, people["exact"]) > 100
    small = read_calibration(rigs / "exact" / "opencv_yml")
    guessed = type(small)(
        small.source, "opencv", tuple(c.scaled(0.001) for c in small.cameras), unit="mm", unit_stated=False
    )
    mended = settled(guessed, people["exact"][1])
    assert mended.unit == "m"
    assert worst(mended.cameras, people["exact"]) < 0.01


def test_opencv_keys_are_free(tmp_path, rigs):
    path = edited(rigs, tmp_path, "opencv_yml/cam02.yml", ("camera_matrix", "innere"), ("rvec", "drehung"))
    with pytest.raises(Pose3DError, match="none of the known formats"):
        read_calibration(path)
    with pytest.raises(Pose3DError, match="has no matrix, expected one of cameramatrix"):
        read_calibration(path, camera_format="opencv")
    keys = {"matrix": "innere", "rotation": "drehung"}
    read = read_calibration(path, camera_format="opencv", keys=keys)
    assert read.cameras[0].matrix[0, 0] == 1673.729614
    with pytest.raises(Pose3DError, match="has no aussen for translation"):
        read_calibration(path, camera_format="opencv", keys=keys | {"translation": "aussen"})


def test_opencv_rotations_that_contradict_each_other(tmp_path, rigs):
    path = edited(rigs, tmp_path, "opencv_yml/cam02.yml", ("1.34636589", "0.34636589"))
    with pytest.raises(Pose3DError, match="rvec and R are different rotations"):
        read_calibration(path)


def test_opencv_stereo_pair(tmp_path):
    def matrix(name, rows, cols, data):
        return f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n   data: {data}\n"

    inner = "[ 500., 0., 320., 0.,\n       500., 240., 0., 0., 1. ]"
    (tmp_path / "intrinsics.yml").write_text(
        "%YAML:1.0\n---\n"
        + "".join(
            matrix(f"M{n}", 3, 3, inner) + matrix(f"D{n}", 1, 5, "[ -1.e-1, .02, 0., 0., 0. ]")
            for n in (1, 2)
        )
    )
    (tmp_path / "extrinsics.yml").write_text(
        "%YAML:1.0\n---\n"
        + matrix("R", 3, 3, "[ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]")
        + matrix("T", 3, 1, "[ -.12, 0., 0. ]")
        + matrix("R1", 3, 3, "[ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]")
        + matrix("P1", 3, 4, "[ 1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1., 0. ]")
    )
    first, second = read_calibration(tmp_path).cameras
    assert second.centre.tolist() == [0.12, 0, 0]
    assert first.distortion.tolist() == [-0.1, 0.02, 0, 0, 0]
    with pytest.raises(Pose3DError, match="give extrinsics"):
        read_calibration(tmp_path / "intrinsics.yml")


def test_easymocap_needs_both_files_and_every_camera(tmp_path, rigs):
    with pytest.raises(Pose3DError, match="no T_cam01: give extri"):
        read_calibration(rigs / "exact" / "easymocap" / "intri.yml")
    folder = shutil.copytree(rigs / "exact" / "easymocap", tmp_path / "two")
    text = (folder / "intri.yml").read_text()
    (folder / "intri.yml").write_text(text.replace("cam03", "cam3"))
    with pytest.raises(Pose3DError, match="camera cam03 has no K_cam03"):
        read_calibration(folder)
    (folder / "intri.yml").write_text(text.replace("H_cam02: 1920\n", "").replace("dist_cam04", "dost_cam04"))
    notes = "\n".join(read_calibration(folder).notes)
    assert "cam02 has no W_cam02, H_cam02" in notes
    assert "cam04 has no dist_cam04" in notes


def test_qualisys_views_of_a_part_of_the_sensor_and_inactive_cameras(tmp_path, rigs):
    path = edited(
        rigs,
        tmp_path,
        "qualisys/Calib.qca.txt",
        ('active="1" avg-residual="0.4" model="none" serial="cam04"', 'active="0" serial="cam04"'),
        ('bottom="1919" left="0" right="1087" top="0"', 'bottom="1819" left="10" right="1077" top="20"'),
        ('serial="cam03" viewrotation="0"', 'serial="cam03" viewrotation="90"'),
    )
    whole = read_calibration(rigs / "exact" / "qualisys").cameras[0]
    calibration = read_calibration(path)
    assert calibration.names == ("cam01", "cam02", "cam03")
    assert calibration.cameras[0].size == (1068, 1800)
    np.testing.assert_allclose(whole.matrix[:2, 2] - calibration.cameras[0].matrix[:2, 2], [10, 20])
    notes = "\n".join(calibration.notes)
    assert 'camera cam04: active="0", left out' in notes
    assert "viewrotation turns the view of cam03 by 90" in notes


def test_turned_images_of_qualisys_are_found_by_the_people(tmp_path, rigs, people):
    path = edited(
        rigs,
        tmp_path,
        "qualisys/Calib.qca.txt",
        ('serial="cam03" viewrotation="0"', 'serial="cam03" viewrotation="90"'),
    )
    points, keypoints = people["exact"]
    turned = keypoints.copy()
    turned[2, ..., 0], turned[2, ..., 1] = 1080 - 1 - keypoints[2, ..., 1], keypoints[2, ..., 0]
    chosen = settled(read_calibration(path), turned)
    assert any("images of cam03 turned clockwise" in note for note in chosen.notes)
    assert worst(chosen.cameras, (points, turned)) < 0.01


def test_human36m_with_several_subjects(tmp_path, rigs):
    path = edited(rigs, tmp_path, "h36m/cameras.json", ('"S1": [', '"S5": [{"orientation": 1}], "S1": ['))
    with pytest.raises(Pose3DError, match="holds cameras of S5, S1: choose one"):
        read_calibration(path)
    assert len(read_calibration(path, group="S1").cameras) == 4
    with pytest.raises(Pose3DError, match="group are for human36m files"):
        read_calibration(rigs / "exact" / "panoptic", group="S1")


def test_opencap_in_its_own_folders(tmp_path, rigs):
    for name in ("cam01", "cam02"):
        (tmp_path / name).mkdir()
        file = rigs / "exact" / "opencap" / f"{name}.pickle"
        shutil.copy(file, tmp_path / name / "cameraIntrinsicsExtrinsics.pickle")
    assert read_calibration(tmp_path).names == ("cam01", "cam02")


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("run",))

    path = tmp_path / "cam.pickle"
    path.write_bytes(pickle.dumps({"intrinsicMat": Bomb()}))
    with pytest.raises(Pose3DError, match="would run code"):
        read_calibration(path)


def test_caliscope_leaves_out_what_is_not_calibrated(tmp_path, rigs):
    path = edited(
        rigs,
        tmp_path,
        "caliscope/camera_array.toml",
        ("cam_id = 1", "port = 1"),
        ("rotation = [ 1.34636589", "turned = [ 1.34636589"),
        ("cam_id = 2\nrotation_count = 0", "cam_id = 2\nrotation_count = -1"),
        ("cam_id = 3\nrotation_count = 0\nerror = 0.4\nignore = false", "cam_id = 3\nignore = true"),
    )
    calibration = read_calibration(path)
    assert calibration.names == ("cam_0", "cam_2")
    notes = "\n".join(calibration.notes)
    assert "camera 1: not calibrated, left out" in notes
    assert "camera 2: rotation_count is -1" in notes
    assert "camera 3: ignore = true, left out" in notes


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("panoptic/calibration_made.json", '"distCoef"', '"dist"', None),
        ("panoptic/calibration_made.json", '"K"', '"KK"', "none of the known formats"),
        ("panoptic/calibration_made.json", "1681.244873", "NaN", "K is .*finite"),
        ("panoptic/calibration_made.json", "1681.244873", "1e999", "K is .*finite"),
        ("voxelpose/calibration.json", '"k"', '"kk"', None),
        ("voxelpose/calibration.json", '"cx"', '"cxx"', "has no cx; it has"),
        ("h36m/cameras.json", "-0.527161490540598", "0.9", "no unit quaternion"),
        (
            "freemocap/session_camera_calibration.toml",
            "1460.2323709212087",
            "2460.2",
            "world_position is 1000",
        ),
        ("qualisys/Calib.qca.txt", 'focalLengthU="107599.671872"', "", "<intrinsic> has no focalLengthU"),
        ("qualisys/Calib.qca.txt", 'r11="0.5536380477336262"', 'r11="nan"', "r11 is 'nan'"),
        ("opencv_xml/cam01.xml", "<rows>1</rows>", "<rows>2</rows>", "2 rows and 5 columns holds other data"),
        ("opencv_xml/cam01.xml", "</opencv_storage>", "", "is damaged at line"),
        ("opencv_yml/cam01.yml", "!!opencv-matrix", "!!python/object:os.system", "tag '!!python/object"),
        (
            "opencv_yml/cam01.yml",
            "data: [ 1681.2448730000001, 0.,",
            "data: [ 1681.2448730000001, 0., 3.,",
            "3 rows",
        ),
    ],
)
def test_damaged_files(tmp_path, rigs, file, old, new, message):
    path = edited(rigs, tmp_path, file, (old, new))
    if message is None:
        assert read_calibration(path).notes
        return
    with pytest.raises(Pose3DError, match=message) as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value)


def test_kinds_that_do_not_belong_together(rigs):
    paths = [
        rigs / "exact" / "pose2sim" / "Calib.toml",
        rigs / "exact" / "panoptic" / "calibration_made.json",
    ]
    with pytest.raises(Pose3DError, match=r"of the kind camera_tables, .* of the kind panoptic"):
        read_calibration(paths)
