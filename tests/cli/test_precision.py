"""What `--mixed_precision` and `--jit_compile` do to a loaded network, and say."""

from argparse import Namespace

import numpy as np
import pytest

from tf_pose3d.cli.precision import apply_precision
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.models.videopose3d.config import VideoPose3DConfig
from tf_pose3d.process import half_precision_on_cpu

KEYPOINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 9, 17, 2)).astype(np.float32)


def flags(precision=None, overrides=()):
    return Namespace(mixed_precision=precision, set=list(overrides))


@pytest.mark.bfloat16
@pytest.mark.parametrize("given", [flags("mixed_bfloat16"), flags(None, ["MIXED_PRECISION=mixed_bfloat16"])])
def test_products_are_narrowed_and_said(given, capsys):
    model = build_model(VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=128))
    before = np.asarray(model(KEYPOINTS)["pose_3d"])
    apply_precision(model, given, model.config, "eval")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("eval.py: --mixed_precision: matrix products over 128 features and more, ")
    assert "in bfloat16, " in line
    assert line.endswith("; all else in float32")
    after = np.asarray(model(KEYPOINTS)["pose_3d"])
    assert 0 < np.abs(after - before).max() < 0.03 * np.abs(before).max()


@pytest.mark.bfloat16
def test_of_windows_what_they_have_in_common_stays(capsys):
    model = build_model(
        UpliftUpsampleConfig(
            SEQUENCE_LENGTH=9,
            STRIDES=[3, 3],
            PADDINGS=[[1, 1], [0, 0]],
            SPATIAL_EMBED_DIM=8,
            TEMPORAL_EMBED_DIM=128,
            NUM_HEADS=2,
        )
    )
    batch = {"keypoints_2d": KEYPOINTS, "stride_mask": np.ones((2, 9), bool)}
    before, tokens = np.asarray(model(batch)["pose_3d"]), np.asarray(model.encode_frames(KEYPOINTS[0]))
    apply_precision(model, flags("mixed_bfloat16"), model.config, "eval")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; all else, as what the tokens of a window have in common, in float32")
    after = np.asarray(model(batch)["pose_3d"])
    assert 0 < np.abs(after - before).max() < 0.01 * np.abs(before).max()
    # What reads coordinates.
    np.testing.assert_array_equal(np.asarray(model.encode_frames(KEYPOINTS[0])), tokens)


def test_what_has_no_effect_or_only_slows_is_said(capsys):
    model = build_model("semgcn")
    apply_precision(model, flags("mixed_float16"), model.config, "inference")
    assert "without effect, SemGCN has no large matrix products" in capsys.readouterr().err
    attends = build_model("poseformer")
    apply_precision(attends, flags("mixed_bfloat16"), attends.config, "inference")
    assert "may move joints of PoseFormer, which attends" in capsys.readouterr().err
    assert not any(getattr(layer, "product_dtype", None) for layer in attends._flatten_layers())
    apply_precision(model, flags(), model.config.replace(JIT_COMPILE=True), "inference")
    assert "XLA is slower" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arch", "said"), [("semgcn", "each core lifts a part"), ("motionagformer", "XLA is")]
)
def test_xla_is_passed_over_where_single_frames_go_in_parts(arch, said, monkeypatch, capsys):
    monkeypatch.setattr("tf_pose3d.cli.precision.cores_apart", lambda: 2)
    model, config = Namespace(_flatten_layers=list), get_family(arch).config_class(JIT_COMPILE=True)
    apply_precision(model, flags(), config, "inference")
    assert said in capsys.readouterr().err


def test_weights_trained_in_half_precision_run_in_float32_without_the_flag(capsys):
    config = VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=128, MIXED_PRECISION="mixed_bfloat16")
    model = build_model(config)
    before = np.asarray(model(KEYPOINTS)["pose_3d"])
    apply_precision(model, flags(), config, "eval")
    np.testing.assert_array_equal(np.asarray(model(KEYPOINTS)["pose_3d"]), before)
    assert capsys.readouterr().err == ""


def test_the_processor_is_told_by_its_instructions(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr("builtins.open", lambda *_, **__: file.open())
    for text, part in (
        ("flags\t\t: fpu avx512_bf16\n", "faster by its AVX512-BF16"),
        ("flags\t\t: fpu avx2\n", "only slower"),
    ):
        file.write_text(text)
        assert part in half_precision_on_cpu("bfloat16")
    assert "only slower" in half_precision_on_cpu("float16")
