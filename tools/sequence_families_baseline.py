"""Plain PyTorch forms of MotionBERT, MotionAGFormer and MixSTE, to measure speed against.

They are written from the papers' and releases' formulas, in the releases' layout and with the releases'
amount of work, and are not used for anything else.
"""

from __future__ import annotations

import torch
from torch import nn

_JOINTS = 17


class Attention(nn.Module):
    """Over the second last axis of `(M, N, C)`."""

    def __init__(self, width, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width)

    def forward(self, x):
        batch, count, width = x.shape
        parts = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        weights = ((query @ key.transpose(-2, -1)) * (width // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ value).transpose(1, 2).reshape(batch, count, width))


def mlp(width, ratio):
    """Linear, GELU, linear."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))


class Block(nn.Module):
    """Pre-norm block."""

    def __init__(self, width, heads, ratio, epsilon, bias=True):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=epsilon), nn.LayerNorm(width, eps=epsilon)
        self.attention, self.mlp = Attention(width, heads, bias), mlp(width, ratio)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def over_joints(block, x):
    """`(B, F, J, C)` with frames as samples."""
    return block(x.flatten(0, 1)).reshape(x.shape)


def over_frames(block, x):
    """`(B, F, J, C)` with joints as samples."""
    batch, frames, joints, width = x.shape
    rows = x.transpose(1, 2).reshape(batch * joints, frames, width)
    return block(rows).reshape(batch, joints, frames, width).transpose(1, 2)


class MotionBERT(nn.Module):
    """DSTformer."""

    def __init__(self, frames, width, depth, ratio, heads=8, rep=512):
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.joint = nn.Parameter(torch.zeros(1, 1, _JOINTS, width))
        self.frame = nn.Parameter(torch.zeros(1, frames, 1, width))
        self.blocks = nn.ModuleList([Block(width, heads, ratio, 1e-6) for _ in range(4 * depth)])
        self.fuse = nn.ModuleList([nn.Linear(2 * width, 2) for _ in range(depth)])
        self.norm, self.rep, self.head = (
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, rep),
            nn.Linear(rep, 3),
        )

    def forward(self, x):
        x = self.embed(x) + self.joint + self.frame[:, : x.shape[1]]
        for index, fuse in enumerate(self.fuse):
            first, second, third, fourth = self.blocks[4 * index : 4 * index + 4]
            one = over_frames(second, over_joints(first, x))
            two = over_joints(third, over_frames(fourth, x))
            share = fuse(torch.cat([one, two], -1)).softmax(-1)
            x = one * share[..., :1] + two * share[..., 1:]
        return self.head(torch.tanh(self.rep(self.norm(x))))


class Graph(nn.Module):
    """Graph convolution of the joints, or of the frames that are most alike."""

    def __init__(self, width, nodes, adjacency=None):
        super().__init__()
        self.own, self.others = nn.Linear(width, width), nn.Linear(width, width)
        self.norm, self.adjacency = nn.BatchNorm1d(nodes), adjacency

    def forward(self, x):
        if self.adjacency is None:
            alike = x @ x.transpose(1, 2)
            adjacency = (alike >= alike.topk(2, dim=-1)[0][..., -1:]).float()
        else:
            adjacency = self.adjacency.repeat(len(x), 1, 1)
        scale = torch.eye(x.shape[1])[None] * (adjacency.detach().sum(-1) ** -0.5)[..., None]
        mixed = torch.bmm(torch.bmm(torch.bmm(scale, adjacency), scale), self.others(x))
        return torch.relu(x + self.norm(mixed + self.own(x)))


class MixerBlock(nn.Module):
    """Pre-norm block with learned scales."""

    def __init__(self, width, mixer):
        super().__init__()
        self.norm1, self.norm2, self.mixer = nn.LayerNorm(width), nn.LayerNorm(width), mixer
        self.mlp = mlp(width, 4)
        self.scale1, self.scale2 = (nn.Parameter(1e-5 * torch.ones(width)) for _ in range(2))

    def forward(self, x):
        x = x + self.scale1 * self.mixer(self.norm1(x))
        return x + self.scale2 * self.mlp(self.norm2(x))


class MotionAGFormer(nn.Module):
    """Attention beside graph convolutions."""

    def __init__(self, frames, width, depth, heads=8, rep=512):
        super().__init__()
        adjacency = torch.zeros(_JOINTS, _JOINTS)
        for joint in range(1, _JOINTS):
            adjacency[joint, joint - 1] = adjacency[joint - 1, joint] = 1
        self.embed = nn.Linear(3, width)
        self.joint = nn.Parameter(torch.zeros(1, 1, _JOINTS, width))
        mixers = []
        for _ in range(depth):
            mixers += [Attention(width, heads, False), Attention(width, heads, False)]
            mixers += [Graph(width, _JOINTS, adjacency), Graph(width, frames)]
        self.blocks = nn.ModuleList([MixerBlock(width, mixer) for mixer in mixers])
        self.fuse = nn.ModuleList([nn.Linear(2 * width, 2) for _ in range(depth)])
        self.norm, self.rep, self.head = nn.LayerNorm(width), nn.Linear(width, rep), nn.Linear(rep, 3)

    def forward(self, x):
        x = self.embed(x) + self.joint
        for index, fuse in enumerate(self.fuse):
            first, second, third, fourth = self.blocks[4 * index : 4 * index + 4]
            one = over_frames(second, over_joints(first, x))
            two = over_frames(fourth, over_joints(third, x))
            share = fuse(torch.cat([one, two], -1)).softmax(-1)
            x = one * share[..., :1] + two * share[..., 1:]
        return self.head(torch.tanh(self.rep(self.norm(x))))


class MixSTE(nn.Module):
    """Blocks over joints and over frames in turn."""

    def __init__(self, frames, width, depth, heads=8):
        super().__init__()
        self.embed = nn.Linear(2, width)
        self.joint = nn.Parameter(torch.zeros(1, 1, _JOINTS, width))
        self.frame = nn.Parameter(torch.zeros(1, frames, 1, width))
        self.blocks = nn.ModuleList([Block(width, heads, 2, 1e-6) for _ in range(2 * depth)])
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3))

    def forward(self, x):
        x = self.embed(x) + self.joint
        for index in range(0, len(self.blocks), 2):
            x = self.norm1(over_joints(self.blocks[index], x))
            x = self.norm2(over_frames(self.blocks[index + 1], x if index else x + self.frame))
        return self.head(x)


def image_loss(pred, target):
    """MotionBERT's and MotionAGFormer's."""
    size = (pred**2).sum((-2, -1), keepdim=True)
    scaled = (pred * target).sum((-2, -1), keepdim=True) / size * pred
    moved = (pred - target)[:, 1:] - (pred - target)[:, :-1]
    parts = (
        (pred - target).norm(dim=-1).mean(),
        (scaled - target).norm(dim=-1).mean(),
        moved.norm(dim=-1).mean(),
    )
    return parts[0] + 0.5 * parts[1] + 20 * parts[2]
