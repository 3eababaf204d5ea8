"""Configs of MotionBERT's and MotionAGFormer's releases."""

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import load_config
from tf_pose3d.release_yaml import parse_flat_yaml

MOTIONBERT = """
# General
train_2d: False
partial_train: null
epochs: 60
checkpoint_frequency: 30
batch_size: 32
dropout: 0.0
learning_rate: 0.0005
weight_decay: 0.01
lr_decay: 0.99
maxlen: 243
dim_feat: 256
mlp_ratio: 4
depth: 5
dim_rep: 512
num_heads: 8
att_fuse: True
data_root: data/motion3d/MB3D_f243s81/
subset_list: [H36M-SH]
clip_len: 243
data_stride: 81
rootrel: False
no_conf: False
lambda_3d_velocity: 20.0
lambda_scale: 0.5
lambda_lv: 0.0
synthetic: False
flip: True
mask_ratio: 0.
mask_T_ratio: 0.
noise: False
"""
MOTIONAGFORMER = """
learning_rate: 0.0005
epochs: 60
model_name: MotionAGFormer
n_layers: 12
dim_in: 3
dim_feat: 64
act_layer: gelu
use_layer_scale: True
layer_scale_init_value: 0.00001
qkv_scale: null
use_temporal_similarity: True # Only useful when use_tcn = False
neighbour_num: 2
use_tcn: False
graph_only: False
n_frames: 27
root_rel: True
flip: True
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_they_say_what_the_shipped_configs_say(write):
    ours, theirs = load_config("motionbert_global_lite"), load_config(write(MOTIONBERT))
    differing = {k for k, v in ours.to_dict().items() if v != theirs.to_dict()[k]}
    assert differing == {"CLIP_FRAMES", "CHECKPOINT_INTERVAL"}
    assert load_config(write(MOTIONAGFORMER)).to_dict() == load_config("motionagformer_xs").to_dict()


def test_what_there_is_not_here_is_said(write):
    for change, words in (
        (("graph_only: False", "graph_only: True"), "graph_only is True, expected False"),
        (("root_rel", "root_rell"), "unknown key root_rell of MotionAGFormer's release"),
        (("n_layers", "layers"), "neither a config of MotionBERT"),
        (("flip: True", "flip:\n  - True"), "line 19"),
    ):
        with pytest.raises(Pose3DError, match=words):
            load_config(write(MOTIONAGFORMER.replace(*change)))


def test_values():
    text = "a: 0.\nb: [1, x]\nc: 'y' # note\nd:\n---\ne: 1e-4\n"
    assert parse_flat_yaml(text, "x") == {"a": 0.0, "b": [1, "x"], "c": "y", "d": None, "e": 1e-4}
