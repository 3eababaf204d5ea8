"""Every family under Keras's other backends, from `tf_pose3d.load_model`, without TensorFlow.

`backend_worker.py` runs all cases under one backend in one process. Outputs are compared with the releases'
(tests/golden, and larger ones beside the repository), gradients and what training changes with TensorFlow's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.config import Config
from tf_pose3d.models.family import FAMILIES, get_family
from tf_pose3d.models.loading import build_model, save_model

WORKER = Path(__file__).parent / "backend_worker.py"
# Case -> file of its weights in the releases' form.
CHECKPOINTS = {
    "hoif/joints16": "ckpt_best.pth.tar",
    "hoif/joints17": "ckpt_best.pth.tar",
    "hgcn/joints16": "ckpt_best.pth.tar",
    "hgcn/joints17": "ckpt_best.pth.tar",
    "semgcn/joints16": "ckpt_best.pth.tar",
    "semgcn/joints17": "ckpt_best.pth.tar",
    "semgcn/nonlocal16": "ckpt_best.pth.tar",
    "martinez/joints16": "ckpt_best.pth.tar",
    "videopose3d/strided": "model.bin",
    "videopose3d/dilated": "pretrained_h36m_cpn.bin",
    "rie/stage1": "stage_1_best_model.bin",
    "rie/stage2": "stage_2_best_model.bin",
    "ehfusion/one_stage_released": "cpn_one-stage_best_epoch.bin",
    "ehfusion/three_stage_1": "stage_1_best_model.bin",
    "ehfusion/three_stage_2": "stage_2_best_model.bin",
    "strided/frames27": "no_refine.pth",
    "poseformer/frames9": "detected81f.bin",
    "uplift/h36m_351_small": "weights.h5",
    "uplift/h36m_81_small": "weights.h5",
    "uplift/no_stride_bn": "weights.h5",
    "lcn/knn3": "checkpoints/best",
    "lcn/knn1_conf_flip": "checkpoints/best",
    "lcn/laplacian": "checkpoints/best",
    "lcn/learnable_knn2": "checkpoints/best",
    "densewarper/h36m_small": "warper.pth.tar",
    "densewarper/3dhp_small": "warper.pth.tar",
}
# Cases without a release's numbers -> settings of a small network with random weights.
RANDOM = {
    "strided/refined": {
        "FRAMES": 27,
        "CHANNELS": 16,
        "HIDDEN": 32,
        "LAYERS": 1,
        "NUM_HEADS": 2,
        "STRIDES": [3, 3, 3],
        "REFINE": True,
    },
    "general/small": {"WIDTH": 16, "BLOCKS": 1, "TEMPORAL_WIDTH": 8, "DILATIONS": [1, 3]},
    "pose2d/small": {
        "NUM_LAYERS": 18,
        "STAGE_CHANNELS": [4, 6, 8, 10],
        "NUM_DECONV_FILTERS": [8, 8, 8],
        "IMAGE_SIZE": [64, 96],
        "HEATMAP_SIZE": [16, 24],
    },
    "densewarper/small": {
        "NUM_LAYERS": 18,
        "STAGE_CHANNELS": [4, 4, 8, 8],
        "NUM_DECONV_FILTERS": [8, 8, 8],
        "IMAGE_SIZE": [64, 64],
        "HEATMAP_SIZE": [16, 16],
        "WARPER_CHANNELS": 6,
        "WARPER_BLOCKS": 1,
        "DILATIONS": [1, 3],
        "SIGMA": 2.0,
        "SELECTED_CAMS": [0, 1],
        "PATTERN": [0, 1],
        "MIN_TRAINING_VIEWS": 2,
        "TRAIN_BACKBONE": True,
        "HEATMAP_LOSS": 1.0,
        "TRIANGULATION": "ransac",
    },
}
_CLIP = {"FRAMES": 5, "CHANNELS": 8, "LAYERS": 1, "NUM_HEADS": 2, "CLIP_STRIDE": 5}
RANDOM |= {
    "motionbert/small": {**_CLIP, "REPRESENTATION": 8},
    "motionagformer/small": {**_CLIP, "REPRESENTATION": 8},
    "mixste/small": _CLIP,
}
CASES = [*CHECKPOINTS, *RANDOM]
# Their poses begin with noise, which each backend draws otherwise.
DRAWN = {"D3DP"}
# Their blocks drop features at a rate that no config key changes, each backend others.
FIXED_DROPOUT = ("rie/", "ehfusion/")


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "forward.npz") as file:
        return dict(file)


def cameras(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The released DenseWarper's cameras as batch keys."""
    matrix = arrays["K"]
    values = {
        "intrinsics": np.stack(
            [matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 0, 2], matrix[..., 1, 2]], -1
        ),
        "rotation": arrays["R"],
        "translation": arrays["T"][..., 0],
        "crop": 4 * arrays["affine"][..., :2, :],
    }
    return {name: value.astype("float32") for name, value in values.items()}


def load_released(folder: Path, case: str):
    """The released network with our weights; LCN's settings are not in its checkpoint."""
    arch, checkpoint = case.split("/")[0], folder / CHECKPOINTS[case]
    if arch == "uplift":
        config = get_family(arch).config_class.load(folder / "config.json")
        return tf_pose3d.load_model(checkpoint, config=config)
    settings = {
        "poseformer": {"num_heads": 4},
        "densewarper": {"image_size": [64, 64], "heatmap_size": [16, 16], "min_confidence": 0},
    }.get(arch, {})
    if arch == "lcn":
        settings = json.loads((folder / "expected.json").read_text())["config"]
    if case == "lcn/laplacian":
        settings["mask"] = arrays_of(folder)["mask"]
    return tf_pose3d.convert(checkpoint, arch, **settings)


def released_case(folder: Path, case: str):
    """(model, what the worker reads, the release's outputs by our names, norm of all its gradients)."""
    arch, arrays = case.split("/")[0], arrays_of(folder)
    model = load_released(folder, case)
    norm = np.linalg.norm(arrays["grad_norms"]) if "grad_norms" in arrays else None
    if arch == "densewarper":
        own = np.moveaxis(arrays["heatmaps_gaussian"], -3, -1)[None]
        return (
            model,
            {"input/own_heatmaps": own, **inputs_named(cameras(arrays))},
            {"pose_3d": arrays["net_j3d"]},
            None,
        )
    if arch == "lcn":
        joints = arrays["train_labels"].reshape(-1, 17, 3)
        # The release's first and last test items.
        inputs = {"input/keypoints_2d": arrays["data"].reshape(-1, 17, model.input_features)}
        target = {"target/pose_image": np.resize(joints, (len(arrays["pred"]), 17, 3))}
        return model, inputs | target, {"pose_image": arrays["pred"].reshape(-1, 17, 3)}, None
    if arch == "uplift":
        names = ("keypoints_2d", "stride_mask")
        inputs = {f"input/{name}": arrays[name] for name in names if name in arrays}
        expected = {"pose_3d": arrays["pred_central"], "pose_3d_sequence": arrays["pred_sequence"]}
        return model, {**inputs, "batch/pose_3d": arrays["keypoints_3d"]}, expected, norm
    keypoints = arrays["input"]
    if keypoints.ndim < 4 and arch in ("hoif", "hgcn", "semgcn", "martinez"):
        keypoints = keypoints.reshape(len(keypoints), -1, 2)
    inputs = {"input/keypoints_2d": keypoints}
    if "intrinsics" in arrays:
        inputs["input/intrinsics"] = arrays["intrinsics"]
    if arch in ("videopose3d", "strided", "poseformer", "rie", "ehfusion"):
        # The sequence is given where a window predicts several frames.
        frames = arrays["output_0"].shape[1] if arrays["output_0"].ndim == 4 else 1
        names = {
            "videopose3d": ["pose_3d_sequence" if frames > 1 else "pose_3d"],
            "strided": ["pose_3d", "pose_3d_sequence"],
            "ehfusion": ["pose_3d_unfused", "pose_3d"],
        }.get(arch, ["pose_3d"])
        names = names[-sum(name.startswith("output_") for name in arrays) :]
    else:
        names = ["pose_3d"]

    def ours(name: str, value: np.ndarray) -> np.ndarray:
        # A release's pose of one frame has an axis of frames.
        return value[:, 0] if value.ndim == 4 and name != "pose_3d_sequence" else value

    expected = {name: ours(name, arrays[f"output_{index}"]) for index, name in enumerate(names)}
    targets = {f"target/{name}": ours(name, arrays[f"target_{index}"]) for index, name in enumerate(names)}
    return model, inputs | targets, expected, norm


def inputs_named(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"input/{name}": value for name, value in inputs.items()}


def random_case(golden: Path, case: str):
    """(model with random weights, what the worker reads)."""
    family, rng = get_family(case.split("/")[0]), np.random.default_rng(0)
    model = build_model(family.config_class.from_dict(RANDOM[case]))
    for weight in model.weights:
        if "seed" in weight.path or "moving" in weight.path:
            continue
        scale = 0.1 if len(weight.shape) == 4 or case == "strided/refined" else 0.3
        weight.assign(rng.normal(size=weight.shape, scale=scale) + ("gamma" in weight.path))

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    def uniform(*shape: int) -> np.ndarray:
        return rng.uniform(2, 14, size=shape).astype("float32")

    if case == "strided/refined":
        # Batch norms of two examples give signs, and gradients that are rounding alone.
        camera = np.zeros((8, 11), "float32")
        camera[:, :4] = (2.29, 2.29, 0.01, 0.02)
        inputs = {
            "keypoints_2d": 0.3 * normal(8, 27, 17, 2),
            "intrinsics": camera,
            "root_depth": np.linspace(4, 5, 8, dtype="float32"),
        }
        return model, {**inputs_named(inputs), "batch/pose_3d": normal(8, 27, 17, 3)}
    if case == "general/small":
        camera = np.zeros((2, 11), "float32")
        camera[:, :4] = (2.29, 2.29, 0.01, 0.02)
        keypoints = np.concatenate([0.3 * normal(2, 9, 13, 2), rng.uniform(size=(2, 9, 13, 1))], -1)
        return model, {
            **inputs_named({"keypoints_2d": keypoints.astype("float32"), "intrinsics": camera}),
            "batch/pose_3d": normal(2, 9, 17, 3),
        }
    if "FRAMES" in RANDOM[case]:
        channels = model.channels
        target = "pose_3d" if case == "mixste/small" else "pose_image"
        return model, {
            **inputs_named({"keypoints_2d": 0.3 * normal(2, 5, 17, channels)}),
            f"batch/{target}": normal(2, 5, 17, 3),
        }
    if case == "pose2d/small":
        maps = rng.uniform(size=(2, 24, 16, 20)).astype("float32")
        return model, {
            "input/image": normal(2, 96, 64, 3),
            "batch/heatmaps": maps,
            "batch/weights": np.ones((2, 20), "float32"),
        }
    arrays = arrays_of(golden / "densewarper" / "h36m_small")
    inputs = {name: value[:, :2] for name, value in cameras(arrays).items()}
    return model, {
        **inputs_named({"image": normal(1, 2, 64, 64, 3), **inputs}),
        "batch/keypoints_2d": uniform(1, 2, 2, 17, 2),
        "batch/visible": np.ones((1, 2, 2, 17), "float32"),
    }


def without_dropout(config: Config) -> Config:
    rates = [name for name in config.to_dict() if name.endswith(("DROP_RATE", "DROPOUT", "DROP_PATH_RATE"))]
    return config.replace(**dict.fromkeys(rates, 0.0))


def stem(case: str) -> str:
    return case.replace("/", "-")


def run_worker(backend: str, folder: Path, *forbidden: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, str(WORKER), str(folder), *forbidden]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=3000, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]


def require(backend: str) -> str:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    return backend


@pytest.fixture(scope="module")
def cases(golden, tmp_path_factory):
    """(folder of the cases with TensorFlow's results, releases' outputs, their gradients' norms) by case."""
    folder = tmp_path_factory.mktemp("cases")
    beside = golden.parents[2] / "shared" / "golden"
    outputs, norms = {}, {}
    for case in CASES:
        if case in RANDOM:
            model, arrays = random_case(golden, case)
        else:
            place = next(
                (p / case for p in (golden, beside) if (p / case / CHECKPOINTS[case]).exists()), None
            )
            if place is None:
                continue
            model, arrays, outputs[case], norms[case] = released_case(place, case)
        model.config = without_dropout(model.config)
        save_model(model, folder / f"{stem(case)}.h5")
        np.savez(folder / f"{stem(case)}.npz", **arrays)
    run_worker("tensorflow", folder)
    return folder, outputs, norms


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request, cases):
    """The backend's name, when it has run all cases without TensorFlow."""
    name = require(request.param)
    run_worker(name, cases[0], "tensorflow")
    return name


def distance(actual: np.ndarray, expected: np.ndarray, least: float = 1.0) -> float:
    """Largest error, relative where `expected` is above `least`; NaN must lie in the same places."""
    assert actual.shape == expected.shape
    actual, expected = actual.astype("float64"), expected.astype("float64")
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    return float(
        np.nan_to_num(np.abs(actual - expected) / np.maximum(least, np.abs(expected))).max(initial=0)
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients(cases, backend, case):
    folder, outputs, norms = cases
    if not (folder / f"{stem(case)}.npz").exists():
        pytest.skip(f"there is no {case} beside the repository")
    found, reference = (
        dict(np.load(folder / f"{stem(case)}.{name}.npz")) for name in (backend, "tensorflow")
    )
    assert found.keys() == reference.keys()
    for name, expected in outputs.get(case, {}).items():
        # Triangulated points, mm: rounding moves a point along its rays, whatever its single coordinates are.
        least = float(np.abs(expected).max()) if case.startswith("densewarper/") else 1.0
        assert distance(found[f"output/{name}"].reshape(expected.shape), expected, least) < 1e-4
    random_steps = case.startswith(FIXED_DROPOUT)
    largest = {
        prefix: max(
            (np.abs(value).max() for name, value in reference.items() if name.startswith(prefix)), default=0
        )
        for prefix in ("gradient/", "training/gradient/")
    }
    for name, expected in reference.items():
        if name.startswith("training/") and random_steps:
            assert np.isfinite(found[name]).all(), name
        elif "gradient/" in name:
            assert np.isfinite(found[name]).all(), name
            # Some gradients are zero but for rounding: biases before batch norms.
            scale = max(np.abs(expected).max(), 0.1 * largest[name[: name.index("gradient/") + 9]])
            # A sampled place on a border between pixels has a slope on either side.
            tolerance = 1e-2 if "/offsets_" in name else 1e-3
            assert np.abs(found[name] - expected).max() < tolerance * scale, name
        else:
            # As are joints hundreds of metres away that a refined depth puts on their rays.
            points = case.startswith(("densewarper/", "strided/refined")) and "pose_3d" in name
            least = float(np.abs(expected).max()) if points else 1.0
            assert distance(found[name], expected, least) < 1e-4, name
    if norms.get(case) is not None:
        gradients = [value for name, value in found.items() if name.startswith("gradient/")]
        norm = np.sqrt(sum(np.square(gradient, dtype="float64").sum() for gradient in gradients))
        assert norm == pytest.approx(norms[case], rel=1e-3)


def test_every_family_has_a_case():
    named = {get_family(case.split("/")[0]).arch for case in CASES}
    assert named == set(FAMILIES) - DRAWN
