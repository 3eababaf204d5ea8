"""Multi-head attention over short token sequences."""

from tf_pose3d.ops.attention.operation import masked_score, self_attention, token_attention

__all__ = ["masked_score", "self_attention", "token_attention"]
