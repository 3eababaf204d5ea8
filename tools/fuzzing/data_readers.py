"""Files of data sets, of cameras, and what the programs that prepare data sets read."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.numbers import are_held, held_numbers
from fuzzing.reader import Reader

from tf_pose3d.camera import camera_to_world
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.skeleton import get_skeleton

__all__ = ["READERS", "standing_person"]

_FRAMES = 4
# Millimetres in front of a camera.
_AWAY = np.array([0.0, 0, 5000])


def _numbers(*shape: int, low: float = 100, high: float = 900, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def _boxed(value: Any) -> np.ndarray:
    box = np.empty((), object)
    box[()] = value
    return box


def _human36m(folder: Path) -> Path:
    root = folder / "h36m"
    root.mkdir()
    world = {"S1": {"Walking 1": _numbers(_FRAMES, 32, 3, low=-1, high=1).astype("f4")}}
    views = {"S1": {"Walking 1": [_numbers(_FRAMES, 17, 2, seed=n).astype("f4") for n in range(4)]}}
    sides = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": sides}
    np.savez(root / "data_3d_h36m.npz", positions_3d=_boxed(world))
    np.savez(root / "data_2d_h36m_gt.npz", positions_2d=_boxed(views), metadata=_boxed(metadata))
    return root


def _read_human36m(path: Path) -> list[Sequence]:
    from tf_pose3d.data.human36m import read_human36m

    files = (path / "data_3d_h36m.npz", path / "data_2d_h36m_gt.npz")
    return read_human36m(*files, ["S1"], "h36m_17")


def _humaneva(folder: Path) -> Path:
    root = folder / "humaneva"
    root.mkdir()
    name = "Walking 1 chunk0"
    world = {"Train/S1": {name: _numbers(_FRAMES, 15, 3, low=-1, high=1).astype("f4")}}
    views = {"Train/S1": {name: [_numbers(_FRAMES, 15, 2, seed=n).astype("f4") for n in range(3)]}}
    metadata = {"layout_name": "humaneva15", "num_joints": 15}
    np.savez(root / "data_3d_humaneva15.npz", positions_3d=_boxed(world))
    np.savez(root / "data_2d_humaneva15_gt.npz", positions_2d=_boxed(views), metadata=_boxed(metadata))
    return root


def _read_humaneva(path: Path) -> list[Sequence]:
    from tf_pose3d.data.humaneva import read_humaneva

    files = (path / "data_3d_humaneva15.npz", path / "data_2d_humaneva15_gt.npz")
    return read_humaneva(*files, ["Train/S1"])


def _custom(folder: Path) -> Path:
    """As VideoPose3D's prepare_data_2d_custom.py writes videos of one's own."""
    root = folder / "custom"
    root.mkdir()
    videos = {name: {"custom": [_numbers(_FRAMES, 17, 2).astype("f4")]} for name in ("a.mp4", "b.mp4")}
    metadata = {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
        "video_metadata": {name: {"w": 1280, "h": 720} for name in videos},
    }
    np.savez(root / "data_2d_custom_mine.npz", positions_2d=_boxed(videos), metadata=_boxed(metadata))
    return root


def _read_custom(path: Path) -> list[Sequence]:
    from tf_pose3d.data.custom import read_custom

    return read_custom(path / "data_2d_custom_mine.npz", input_skeleton="coco_17")


def _manifest(folder: Path) -> Path:
    """What a run over a folder has done, as `inference.py --output_dir` notes it."""
    from tf_pose3d.inference.folder.manifest import Manifest, manifest_name

    root = folder / "results"
    root.mkdir()
    manifest = Manifest(root / manifest_name())
    manifest.add({"settings": "abc", "values": {"threads": 1}})
    manifest.add({"file": "walk.json", "status": "done", "settings": "abc", "outputs": {"walk.npz": {}}})
    manifest.add({"file": "jump.json", "status": "failed", "settings": "abc", "error": "no people"})
    manifest.close()
    return root


def _read_manifest(path: Path) -> Any:
    from tf_pose3d.inference.folder.manifest import read_manifests, read_settings

    return read_manifests(path), read_settings(path)


def _wrong_manifest(held: Any, path: Path) -> str:
    content = b"".join(file.read_bytes() for file in path.iterdir())
    for name in held[0]:
        if json.dumps(name).encode() not in content and name.encode("utf-8", "replace") not in content:
            return f"{name} is not in the file"
    return ""


def _amass(folder: Path) -> Path:
    root = folder / "amass"
    root.mkdir()
    poses = _numbers(_FRAMES, 17, 3, low=-1, high=1).astype("f4")
    content = {"01": {"01_01_poses": {"positions_3d": poses, "frame_rate": 100}}}
    np.savez(root / "CMU.npz", positions_3d=_boxed(content))
    return root


def _read_amass(path: Path) -> list[Sequence]:
    from tf_pose3d.data.amass import read_amass

    return read_amass(path, [("CMU", ".*", ".*")], 50, "amass_17")


def _motion(folder: Path) -> Path:
    from tf_pose3d.data.motion_clips import MOTION_FPS

    path = folder / "motion.npz"
    poses = np.zeros((5, 17, 3))
    poses[:] = standing_person() + 0.01 * np.arange(5)[:, None, None]
    joints = np.array(get_skeleton("h36m_17").joints)
    np.savez(path, positions=poses.astype("f4"), fps=MOTION_FPS, joints=joints, offsets=np.array([0, 3, 5]))
    return path


def standing_person() -> np.ndarray:
    """A person of h36m_17 in metres, z up, with limbs of an adult's lengths."""
    heights = {
        "hip": 1.0,
        "knee": 0.55,
        "ankle": 0.1,
        "spine": 1.2,
        "neck": 1.5,
        "head": 1.6,
        "head_top": 1.75,
    }
    heights |= {"pelvis": 1.0, "shoulder": 1.45, "elbow": 1.15, "wrist": 0.9}
    aside = {"l": 0.15, "r": -0.15}
    return np.array(
        [
            [aside.get(name[0], 0) if name[1] == "_" else 0, 0, heights[name[2:] if name[1] == "_" else name]]
            for name in get_skeleton("h36m_17").joints
        ]
    )


def _read_motion(path: Path) -> Any:
    from tf_pose3d.data.motion_clips import load_motion

    return load_motion(path)


def _wrong_motion(clips: Any, path: Path) -> str:
    if not np.isfinite(clips.positions).all() or np.abs(clips.positions).max() > 1e10:
        return "positions that are no metres"
    if len(clips.offsets) != len(clips.names) + 1 or clips.offsets[-1] != len(clips.positions):
        return "clips beyond the frames"
    if not (np.isfinite(clips.weights).all() and (clips.weights >= 0).all()):
        return "weights that nothing can be drawn by"
    from tf_pose3d.data.archive import load_archive
    from tf_pose3d.data.motion_clips import MOTION_FPS

    resampled = float(np.ravel(load_archive(path).get("fps", MOTION_FPS))[0]) != MOTION_FPS
    fine = resampled or are_held(clips.positions, held_numbers(path))
    return "" if fine else "positions that are not in the file"


def _wrong_sequences(sequences: list[Sequence], path: Path) -> str:
    for one in sequences:
        for values in (one.pose_2d, one.pose_3d):
            if values is not None and not (np.abs(values) < 1e10).all():
                return f"coordinates of {one.name} that are none"
        if one.pose_2d is not None and one.pose_3d is not None and len(one.pose_2d) != len(one.pose_3d):
            return "2D and 3D poses of different lengths"
    if not sequences:
        return "nothing"
    known = held_numbers(path)
    for one in sequences:
        if one.pose_2d is not None and not are_held(one.pose_2d, known):
            return f"2D poses of {one.name} that are not in the file"
        if one.pose_3d is not None and not _is_held_pose(one, known):
            return f"3D poses of {one.name} that are not in the file"
    return ""


def _is_held_pose(one: Sequence, known: np.ndarray) -> bool:
    """Whether a file has a sequence's 3D poses: as they are, in millimetres, or in the world's axes."""
    poses = np.asarray(one.pose_3d, np.float64)
    if are_held(poses, known, (1.0, 0.001)):
        return True
    camera = one.camera
    if camera is None or camera.orientation is None or camera.translation is None:
        return False
    world = camera_to_world(poses, np.float64(camera.orientation), np.float64(camera.translation))
    rounding = 1e-6 * max(np.abs(poses).max(initial=1), np.abs(camera.translation).max())
    return are_held(world, known, rounding=rounding)


def _camera() -> dict[str, Any]:
    angles = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    return {
        "R": angles,
        "T": np.array([[1000.0], [2000.0], [5000.0]]),
        **{"fx": 1145.0, "fy": 1143.0, "cx": 512.0, "cy": 515.0},
        "k": np.zeros((3, 1)),
        "p": np.zeros((2, 1)),
        "name": "54138969",
    }


def _lcn_items(folder: Path) -> Path:
    root = folder / "lcn"
    root.mkdir()
    facts = _camera()
    poses = _numbers(3, 17, 3, low=-500, high=500) + _AWAY
    poses[:, 0, 2] = 5000
    items = []
    for number, pose in enumerate(poses):
        box = np.array([300.0, 300.0, 700.0, 700.0])
        ratio = (box[2] - box[0] + 1) / 2000
        pixels = pose[:, :2] / pose[:, 2:] * [1145.0, 1143.0] + [512.0, 515.0]
        depth = ratio * (pose[:, 2:] - 5000)
        items.append(
            {
                "videoid": 0,
                "cameraid": 0,
                "camera_param": facts,
                "imageid": number,
                "image_path": "x.jpg",
                "joint_3d_image": np.concatenate([pixels, depth], axis=1),
                "joint_3d_camera": pose,
                "center": (500.0, 500.0),
                "scale": (2.0, 2.0),
                "box": box,
                "subject": 9,
                "action": 2,
                "subaction": 1,
                "root_depth": 5000.0,
            }
        )
    (root / "h36m_test.pkl").write_bytes(pickle.dumps(items, 4))
    return root


def _read_lcn_items(path: Path) -> Any:
    from tf_pose3d.data.column_cache import cache_path
    from tf_pose3d.data.lcn_pickles import read_items

    file = path / "h36m_test.pkl"
    cache_path(file).unlink(missing_ok=True)
    try:
        return read_items(file)
    finally:
        cache_path(file).unlink(missing_ok=True)


def _wrong_columns(items: Any, path: Path) -> str:
    arrays = (items.image_pose, items.camera_pose, items.box, items.root_depth)
    if not all(np.isfinite(array).all() for array in arrays):
        return "numbers that are not finite"
    if not np.isfinite(items.label_deviation):
        return "a deviation that is no number"
    known = held_numbers(path)
    for name, values in (
        ("image_pose", items.image_pose),
        ("camera_pose", items.camera_pose),
        ("box", items.box),
        ("root_depth", items.root_depth),
        ("frame", items.frame),
    ):
        if not are_held(values, known, (0.001,) if name in ("camera_pose", "root_depth") else (1.0,)):
            return f"{name} that is not in the file"
    held = [are_held(np.append(one.focal_length, one.center), known) for one in items.cameras]
    return "" if all(held) else "a camera that is not in the file"


def _lcn_detections(folder: Path) -> Path:
    path = folder / "h36m_sh_dt_ft.pkl"
    part = {"joint3d_image": _numbers(3, 17, 3), "confidence": _numbers(3, 17, 1, low=0, high=1)}
    path.write_bytes(pickle.dumps({"test": part, "train": part}, 2))
    return path


def _read_lcn_detections(path: Path) -> np.ndarray:
    from tf_pose3d.data.lcn_pickles import _detections

    return _detections(path, "test", 3, True)


def _wrong_array(values: np.ndarray, path: Path) -> str:
    if not np.isfinite(values).all():
        return "numbers that are not finite"
    return "" if are_held(values, held_numbers(path)) else "numbers that are not in the file"


def _image_pickle(folder: Path) -> Path:
    root = folder / "motionbert"
    root.mkdir()
    part = {
        "joint_2d": _numbers(3, 17, 2),
        "confidence": _numbers(3, 17, 1, low=0, high=1),
        "joint3d_image": _numbers(3, 17, 3),
        "camera_name": np.array(["54138969"] * 3),
        "source": ["s_09_act_02_subact_01_ca_01"] * 3,
    }
    more = {
        "2.5d_factor": np.full(3, 4.0),
        "joints_2.5d_image": _numbers(3, 17, 3),
        "action": ["Walking"] * 3,
    }
    content = {"train": part, "test": part | more}
    (root / "h36m_sh_conf_cam_source_final.pkl").write_bytes(pickle.dumps(content, 4))
    return root


def _read_image_pickle(path: Path) -> list[Sequence]:
    from tf_pose3d.data.column_cache import cache_path
    from tf_pose3d.data.image_pickles import read_image_sequences

    file = path / "h36m_sh_conf_cam_source_final.pkl"
    cache_path(file).unlink(missing_ok=True)
    try:
        return read_image_sequences(file, "test")
    finally:
        cache_path(file).unlink(missing_ok=True)


def _wrong_image_poses(sequences: list[Sequence], path: Path) -> str:
    said = _wrong_clips(sequences, path, (1.0, 0.001))
    if said:
        return said
    known = held_numbers(path)
    for one in sequences:
        width, height = one.camera.width, one.camera.height
        origin = np.array([1, height / width, 0])
        pixels = (one.per_frame["pose_image"] + origin) * width / 2
        factors = one.per_frame["image_scale"].astype(np.float64) / (width / 2000)
        if not (are_held(pixels, known, rounding=1e-3) and are_held(factors, known)):
            return f"labels of {one.name} that are not in the file"
    return ""


def _pstmo(folder: Path) -> Path:
    root = folder / "3dhp"
    root.mkdir()
    poses = {"data_2d": _numbers(_FRAMES, 17, 2), "data_3d": _numbers(_FRAMES, 17, 3)}
    train, test = {"S1 Seq1": [{"0": poses}, 25]}, {"TS1": poses | {"valid": np.ones(_FRAMES)}}
    np.savez(root / "data_train_3dhp.npz", data=_boxed(train))
    np.savez(root / "data_test_3dhp.npz", data=_boxed(test))
    return root


def _read_pstmo(path: Path) -> list[Sequence]:
    from tf_pose3d.data.mpi_inf_3dhp import read_3dhp_sequences

    return [*read_3dhp_sequences(path, "train"), *read_3dhp_sequences(path, "test")]


def _clips(folder: Path) -> Path:
    root = folder / "clips"
    (root / "train").mkdir(parents=True)
    clip = {
        "data_input": _numbers(5, 17, 3, low=-1, high=1),
        "data_label": _numbers(5, 17, 3, low=-1, high=1),
    }
    (root / "train" / "00000000.pkl").write_bytes(pickle.dumps(clip, 4))
    return root


def _read_clips(path: Path) -> list[Sequence]:
    from tf_pose3d.data.sliced_clips import read_clip_folder

    return read_clip_folder(path, "train")


def _wrong_clips(
    sequences: list[Sequence], path: Path, factors: tuple[float, ...] = (1.0,), shift: float = 0
) -> str:
    """Also of clips whose image coordinates were read with `shift` added."""
    known = held_numbers(path)
    for one in sequences:
        pose = one.pose_2d
        if pose is None or not all(np.isfinite(array).all() for array in (pose, *one.per_frame.values())):
            return "numbers that are not finite"
        rounding = 1e-6 * max(1, np.abs(pose).max(initial=0))
        held = are_held(pose[..., :2] - np.float64(shift), known, factors, rounding)
        # 1 where the file has none.
        held &= are_held(pose[..., 2:], np.append(known, 1.0))
        held &= one.pose_3d is None or are_held(one.pose_3d, known, factors)
        if not held:
            return f"poses of {one.name} that are not in the file"
    return "" if sequences else "nothing"


def _wrong_labelled_clips(sequences: list[Sequence], path: Path) -> str:
    known = held_numbers(path)
    said = _wrong_clips(sequences, path, shift=1)
    held = all(are_held(one.per_frame["pose_image"], known) for one in sequences)
    return said if said or held else "labels that are not in the file"


def _wrong_pstmo(sequences: list[Sequence], path: Path) -> str:
    return _wrong_clips(sequences, path, (1.0, 0.001))


def _picture(width: int, height: int) -> bytes:
    """A PNG file; written here, so that no library is asked for what it can read."""
    rows = b"".join(b"\0" + bytes((x * 7 + y) % 256 for x in range(3 * width)) for y in range(height))

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _views(joints: int, release: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        root = folder / release
        (root / "annot").mkdir(parents=True)
        items = []
        for number in range(4):
            name = f"rec_{number}"
            (root / "images" / name).mkdir(parents=True)
            (root / "images" / name / "1.png").write_bytes(_picture(20, 16))
            pose = _numbers(joints, 3, low=-500, high=500, seed=number) + _AWAY
            items.append(
                {
                    "image": f"{name}/1.png",
                    "joints_2d": _numbers(joints, 2, seed=number),
                    "joints_3d": pose,
                    "joints_3d_camera": pose,
                    "joints_vis": np.ones((joints, 3)),
                    "image_id": 1,
                    **{"subject": 9, "action": 2, "subaction": 1, "seq": 1, "camera_id": number},
                    "source": release,
                    "camera": {**_camera(), "cx": 500.0 + number},
                    "center": np.array([500.0, 500.0]),
                    "scale": np.array([2.0, 2.0]),
                    "box": np.array([300.0, 300.0, 700.0, 700.0]),
                }
            )
        file = "h36m_validation.pkl" if release == "human36" else "3dhp_validation.pkl"
        (root / "annot" / file).write_bytes(pickle.dumps(items, 4))
        return root

    return make


def _read_human36m_views(path: Path) -> Any:
    from tf_pose3d.data.multiview.human36m import read_human36m_views

    return _with_images(read_human36m_views(path, "test"))


def _read_3dhp_views(path: Path) -> Any:
    from tf_pose3d.data.multiview.mpi_inf_3dhp import read_mpi_inf_3dhp_views

    return _with_images(read_mpi_inf_3dhp_views(path, "test"))


def _with_images(records: Any) -> Any:
    for number in range(len(records.images)):
        records.images.read(number)
    return records


def _mpii(folder: Path) -> Path:
    root = folder / "mpii"
    (root / "annot").mkdir(parents=True)
    (root / "images").mkdir()
    (root / "images" / "1.png").write_bytes(_picture(20, 16))
    item = {"image": "1.png", "center": [300.0, 300.0], "scale": 2.5, "joints": _numbers(16, 2).tolist()}
    (root / "annot" / "valid.json").write_text(json.dumps([item | {"joints_vis": [1] * 16}] * 2))
    return root


def _read_mpii(path: Path) -> Any:
    from tf_pose3d.data.multiview.mpii import read_mpii_images

    return _with_images(read_mpii_images(path, "valid"))


def _zipped_mpii(folder: Path) -> Path:
    root = _mpii(folder)
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        archive.write(root / "images" / "1.png", "images/1.png")
    shutil.rmtree(root / "images")
    return root


def _read_zipped_mpii(path: Path) -> Any:
    from tf_pose3d.data.multiview.mpii import read_mpii_images

    return _with_images(read_mpii_images(path, "valid", "zip"))


def _wrong_records(records: Any, path: Path) -> str:
    arrays = (records.keypoints_2d, records.centre, records.box, records.cameras.centre)
    if not all(np.isfinite(array).all() for array in arrays):
        return "numbers that are not finite"
    if len(records.cameras.names) and not np.isfinite(records.pose_3d).all():
        return "poses that are not finite"
    if (records.frame < 0).any() or (records.view < 0).any():
        return "frames or views below 0"
    known = held_numbers(path)
    # MPII counts pixels from 1, and boxes are in 200 pixels.
    points = [are_held(records.keypoints_2d + shift, known, rounding=1e-3) for shift in (0, 1)]
    if not any(points) or not are_held(records.box, known, (200.0, 250.0)):
        return "keypoints or boxes that are not in the file"
    cameras = records.cameras
    if not len(cameras.names):
        return ""
    if not all(are_held(values, known) for values in (cameras.rotation, cameras.intrinsics)):
        return "cameras that are not in the file"
    index = records.camera
    seen = records.pose_3d - cameras.centre.astype(np.float64)[index, None]
    seen = np.einsum("nij,nkj->nki", cameras.rotation[index].astype(np.float64), seen)
    rounding = 1e-6 * max(np.abs(cameras.centre).max(), np.abs(records.pose_3d).max())
    return "" if are_held(seen, known, rounding=rounding) else "poses that are not in the file"


def _image(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content())
        return path

    return make


def _jpeg() -> bytes:
    import tensorflow as tf

    pixels = _numbers(24, 32, 3, low=0, high=255).astype("u1")
    return tf.io.encode_jpeg(pixels, quality=90).numpy()


def _bmp() -> bytes:
    pixels = bytes(range(192))
    return (
        b"BM"
        + struct.pack("<IHHI", 54 + 192, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, 0, 192, 0, 0, 0, 0)
        + pixels
    )


def _video(folder: Path) -> Path:
    from PIL import Image

    from tf_pose3d.render.video import write_mp4

    path = folder / "clip.mp4"
    pictures = [Image.fromarray(_numbers(32, 48, 3, low=0, high=255, seed=n).astype("u1")) for n in range(4)]
    write_mp4(path, pictures, 25)
    return path


def _read_video(path: Path) -> Any:
    from tf_pose3d.render.video import VideoReader

    reader = VideoReader(path)
    size = (reader.width, reader.height)
    # As many as are shown of a clip; a damaged header may announce any number.
    return reader, [np.asarray(image) for image in reader.frames(range(100), size)]


def _wrong_video(held: Any, path: Path) -> str:
    reader, images = held
    if any(image.shape != (reader.height, reader.width, 3) for image in images):
        return "pictures of another size than the video's"
    return "" if reader.fps is None or 0 < reader.fps < 1e6 else f"{reader.fps} frames per second"


def _read_image(path: Path) -> np.ndarray:
    from tf_pose3d.data.multiview.images import FileImages

    return FileImages([path]).read(0)


def _wrong_image(pixels: np.ndarray, path: Path) -> str:
    return "" if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size else f"pixels {pixels.shape}"


def _view_cameras(folder: Path) -> Path:
    path = folder / "cameras.json"
    plain = {key: np.ravel(value).tolist() for key, value in _camera().items() if key in ("R", "T")}
    facts = {**plain, **{key: _camera()[key] for key in ("fx", "fy", "cx", "cy")}}
    path.write_text(json.dumps([facts, facts | {"cx": 480.0, "box": [10, 20, 300, 400]}]))
    return path


def _read_view_cameras(path: Path) -> Any:
    from tf_pose3d.inference.views import read_cameras

    return read_cameras(path, 2)


def _wrong_cameras(held: Any, path: Path) -> str:
    cameras, boxes = held
    arrays = [
        cameras.rotation,
        cameras.centre,
        cameras.intrinsics,
        *(box for box in boxes if box is not None),
    ]
    if not all(np.isfinite(array).all() for array in arrays):
        return "numbers that are not finite"
    if not (cameras.intrinsics[:, :2] > 0).all():
        return "focal lengths that are not positive"
    known = held_numbers(path)
    held = [cameras.intrinsics, *(box for box in boxes if box is not None)]
    return "" if all(are_held(values, known) for values in held) else "cameras that are not in the file"


def _toolbox(folder: Path) -> Path:
    """H36M-Toolbox's cameras and one recording."""
    import h5py
    from scipy.io import savemat

    root = folder / "toolbox"
    recording = root / "s_01_act_02_subact_01_ca_01"
    recording.mkdir(parents=True)
    with h5py.File(root / "cameras.h5", "w") as file:
        for number in range(1, 5):
            group = file.create_group(f"subject1/camera{number}")
            for key, shape in {
                "R": (3, 3),
                "T": (3, 1),
                "f": (2, 1),
                "c": (2, 1),
                "k": (3, 1),
                "p": (2, 1),
            }.items():
                group[key] = _numbers(*shape, seed=number)
            group["Name"] = np.array([[ord(letter)] for letter in "54138969"], np.uint16)
    poses = _numbers(3, 17, 3, low=-500, high=500) + _AWAY
    savemat(recording / "matlab_meta.mat", {"Y3d_mono": poses.reshape(3, 51).T, "num_images": 3})
    return root


def _read_toolbox(path: Path) -> Any:
    from tf_pose3d.data.h36m_toolbox import folder_items, read_toolbox_cameras

    cameras = read_toolbox_cameras(path / "cameras.h5")
    return folder_items(path / "s_01_act_02_subact_01_ca_01", 0, cameras)


def _wrong_items(items: list[dict[str, Any]], path: Path) -> str:
    arrays: Iterable[Any] = (
        item[key] for item in items for key in ("joint_3d_image", "joint_3d_camera", "box")
    )
    if not all(np.isfinite(array).all() for array in arrays):
        return "numbers that are not finite"
    facts = [items[0]["camera_param"][key] for key in ("R", "T", "fx", "fy", "cx", "cy", "k", "p")]
    if not all(np.isfinite(fact).all() for fact in facts):
        return "a camera that is not finite"
    known = held_numbers(path)
    poses = (item["joint_3d_camera"] for item in items)
    held = all(are_held(values, known) for values in (*facts, *poses))
    return "" if held else "cameras or poses that are not in the file"


def _baseline_archive(folder: Path) -> Path:
    """A recording of Martinez et al.'s archive; the archive itself holds two hundred of them."""
    import h5py

    path = folder / "Directions 1.h5"
    with h5py.File(path, "w") as file:
        file["3D_positions"] = _numbers(96, _FRAMES, low=-1000, high=1000)
    return path


def _read_baseline(path: Path) -> np.ndarray:
    from tf_pose3d.data.checks import check_finite
    from tf_pose3d.data.human36m_preparation import _read_hdf5

    values = _read_hdf5(path.read_bytes(), str(path))
    check_finite(values, path, "S1, Directions 1")
    return values


def _whole_archive(folder: Path) -> Path:
    """All 210 recordings, each the same."""
    from tf_pose3d.data.human36m import ACTIONS, SUBJECTS

    content = _baseline_archive(folder).read_bytes()
    (folder / "Directions 1.h5").unlink()
    path = folder / "h36m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for subject in SUBJECTS:
            for action in ACTIONS:
                for take in (1, 2):
                    name = f"h36m/{subject}/MyPoses/3D_positions/{action} {take}.h5"
                    archive.writestr(zipfile.ZipInfo(name), content)
    return path


def _read_whole_archive(path: Path) -> Any:
    from tf_pose3d.data.human36m_preparation import read_archive

    return read_archive(path)


def _wrong_recordings(recordings: Any, path: Path) -> str:
    arrays = [array for by_name in recordings.values() for array in by_name.values()]
    if not all(np.isfinite(array).all() for array in arrays):
        return "numbers that are not finite"
    # Metres of millimetres.
    fine = are_held(np.concatenate([np.ravel(array) for array in arrays]), held_numbers(path), (1.0, 0.001))
    return "" if fine else "poses that are not in the file"


def _source_matlab(folder: Path) -> Path:
    from scipy.io import savemat

    path = folder / "Directions 1.cdf.mat"
    cell = np.empty((1, 1), object)
    cell[0, 0] = _numbers(_FRAMES, 96, low=-1000, high=1000)
    savemat(path, {"data": cell})
    return path


def _read_source_matlab(path: Path) -> np.ndarray:
    from tf_pose3d.data.checks import check_finite
    from tf_pose3d.data.human36m_preparation import _read_matlab

    values = _read_matlab(path, str(path))
    check_finite(values, path, "S1, Directions 1")
    return values


def _humaneva_matlab(folder: Path) -> Path:
    from scipy.io import savemat

    from tf_pose3d.data.humaneva_preparation import FRAME_RANGES

    path = folder / "Jog_1.mat"
    begin, end = FRAME_RANGES["Validate/S1"]["Jog"]
    poses = {"poses_3d": _numbers(end - begin, 15, 3), "poses_2d": _numbers(3, end - begin, 15, 2)}
    # Packed, as MATLAB itself writes.
    savemat(path, poses, do_compression=True)
    return path


def _read_humaneva_matlab(path: Path) -> Any:
    from tf_pose3d.data.humaneva_preparation import _read

    return _read(path, "Validate/S1")


def _wrong_recording(recording: Any, path: Path) -> str:
    sound = np.isfinite(recording.pose_3d).all((1, 2)) & np.isfinite(recording.pose_2d).all((0, 2, 3))
    told = np.concatenate([np.full(chunk.end - chunk.begin, chunk.sound) for chunk in recording.chunks])
    if not (sound == told).all():
        return "frames that are called sound and are not"
    known = held_numbers(path)
    fine = are_held(recording.pose_2d, known) and are_held(recording.pose_3d, known, (0.001,))
    return "" if fine else "poses that are not in the file"


def _humaneva_detections(detector: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "d" / "S1").mkdir(parents=True)
        path = folder / "d" / "S1" / "Walking_1_(C1).avi.npz"
        if detector == "cpn":
            np.savez(path, keypoints=_numbers(5, 17, 3))
            return folder / "d"
        boxes, keypoints = np.empty(5, object), np.empty(5, object)
        for frame in range(5):
            boxes[frame] = [[], np.array([[0.0, 0, 100, 100, 0.9]])]
            keypoints[frame] = [[], _numbers(1, 6, 17, seed=frame)]
        np.savez(path, boxes=boxes, keypoints=keypoints)
        return folder / "d"

    return make


def _read_humaneva_detections(name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from tf_pose3d.data.humaneva_preparation import read_detections

        return next(iter(read_detections(path, name).values()))

    return read


def _calibration(folder: Path) -> Path:
    path = folder / "camera.calibration"
    lines = ["Skeleton Camera Calibration V0.2"]
    for number in (0, 2):
        inner = np.array([[1500.0, 0, 1000, 0], [0, 1500, 1000, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        outer = np.eye(4)
        outer[:3, 3] = [100, 200, 3000 + number]
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
        ]
        lines += [
            f"  {word} {' '.join(map(str, m.ravel()))} "
            for word, m in (("intrinsic", inner), ("extrinsic", outer))
        ]
        lines += ["  radial      0"]
    path.write_text("\n".join(lines) + "\n")
    return path


def _read_3dhp_calibration(path: Path) -> Any:
    from tf_pose3d.data.multiview.mpi_inf_3dhp_preparation import read_calibration

    return read_calibration(path)


def _wrong_calibration(cameras: dict[int, dict[str, Any]], path: Path) -> str:
    for camera in cameras.values():
        facts = [np.asarray(camera[key]) for key in ("R", "T", "fx", "fy", "cx", "cy")]
        if not all(np.isfinite(fact).all() for fact in facts) or camera["fx"] <= 0:
            return "a camera that nothing can be seen by"
        if not are_held(np.concatenate([np.ravel(fact) for fact in facts]), held_numbers(path)):
            return "a camera that is not in the file"
    return ""


def _annotations_matlab(folder: Path) -> Path:
    from scipy.io import savemat

    path = folder / "annot.mat"
    pixels, poses = np.empty((2, 1), object), np.empty((2, 1), object)
    for camera in range(2):
        pixels[camera, 0] = _numbers(_FRAMES, 56, seed=camera)
        poses[camera, 0] = _numbers(_FRAMES, 84, seed=camera)
    savemat(path, {"annot2": pixels, "annot3": poses})
    return path


def _read_annotations_matlab(path: Path) -> Any:
    from tf_pose3d.data.multiview.mpi_inf_3dhp_preparation import _annotations

    return [np.concatenate([cell.ravel() for cell in cells]) for cells in _annotations(path)]


def _wrong_arrays(arrays: Iterable[np.ndarray], path: Path) -> str:
    return next(filter(None, (_wrong_array(array, path) for array in arrays)), "")


READERS = [
    Reader("Human3.6M npz", _human36m, _read_human36m, _wrong_sequences),
    Reader("HumanEva npz", _humaneva, _read_humaneva, _wrong_sequences),
    Reader("VideoPose3D custom data set", _custom, _read_custom, _wrong_sequences),
    Reader("manifest of a folder", _manifest, _read_manifest, _wrong_manifest),
    Reader("AMASS npz", _amass, _read_amass, _wrong_sequences),
    Reader("motion npz", _motion, _read_motion, _wrong_motion),
    Reader("LCN items", _lcn_items, _read_lcn_items, _wrong_columns),
    Reader("LCN detections", _lcn_detections, _read_lcn_detections, _wrong_array),
    Reader("MotionBERT pickle", _image_pickle, _read_image_pickle, _wrong_image_poses),
    Reader("P-STMO npz", _pstmo, _read_pstmo, _wrong_pstmo),
    Reader("sliced clips", _clips, _read_clips, _wrong_labelled_clips),
    Reader("Human3.6M views", _views(17, "human36"), _read_human36m_views, _wrong_records),
    Reader("3DHP views", _views(28, "mpi-inf-3dhp"), _read_3dhp_views, _wrong_records),
    Reader("MPII JSON", _mpii, _read_mpii, _wrong_records),
    Reader("images in a zip file", _zipped_mpii, _read_zipped_mpii, _wrong_records),
    Reader("PNG image", _image("1.png", lambda: _picture(40, 30)), _read_image, _wrong_image),
    Reader("JPEG image", _image("1.jpg", _jpeg), _read_image, _wrong_image),
    Reader("BMP image", _image("1.bmp", _bmp), _read_image, _wrong_image),
    Reader("MP4 video", _video, _read_video, _wrong_video),
    Reader("cameras of views, JSON", _view_cameras, _read_view_cameras, _wrong_cameras),
    Reader("H36M-Toolbox", _toolbox, _read_toolbox, _wrong_items),
    Reader("h36m.zip, a recording", _baseline_archive, _read_baseline, _wrong_array),
    Reader("h36m.zip", _whole_archive, _read_whole_archive, _wrong_recordings, 0.05),
    Reader("Human3.6M cdf.mat", _source_matlab, _read_source_matlab, _wrong_array),
    Reader("HumanEva mat", _humaneva_matlab, _read_humaneva_matlab, _wrong_recording),
    Reader(
        "HumanEva, Detectron",
        _humaneva_detections("detectron"),
        _read_humaneva_detections("detectron_pt_coco"),
        _wrong_array,
    ),
    Reader(
        "HumanEva, CPN", _humaneva_detections("cpn"), _read_humaneva_detections("cpn_ft_coco"), _wrong_array
    ),
    Reader("3DHP camera.calibration", _calibration, _read_3dhp_calibration, _wrong_calibration),
    Reader("3DHP annot.mat", _annotations_matlab, _read_annotations_matlab, _wrong_arrays),
]
