"""Plain PyTorch forms of VideoPose3D and EHFusion for one window, to measure speed against.

They are written from the papers' and releases' formulas, with the releases' layout `(B, C, T)` and amount of
work, and are not used for anything else.
"""

from __future__ import annotations

import math

import torch
from torch import nn

_GROUPS = ((0, 7, 8, 9, 10), (14, 15, 16), (11, 12, 13), (1, 2, 3), (4, 5, 6))
_WIDTHS = (3, 3, 3, 3, 3)


class Temporal(nn.Module):
    """Strided convolutions over a window, down to one frame."""

    def __init__(self, inputs, channels, outputs, dropout, slope):
        super().__init__()

        def layer(width, fan_in):
            return nn.Sequential(
                nn.Conv1d(fan_in, channels, width, stride=width, bias=False),
                nn.BatchNorm1d(channels),
                nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            )

        self.expand = layer(_WIDTHS[0], inputs)
        self.wide = nn.ModuleList(layer(width, channels) for width in _WIDTHS[1:])
        self.narrow = nn.ModuleList(layer(1, channels) for _ in _WIDTHS[1:])
        self.shrink = nn.Conv1d(channels, outputs, 1)

    def forward(self, x):
        x = self.expand(x)
        for width, wide, narrow in zip(_WIDTHS[1:], self.wide, self.narrow, strict=True):
            x = x[:, :, width // 2 :: width] + narrow(wide(x))
        return self.shrink(x)[..., 0]


class VideoPose3D(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = Temporal(34, 1024, 51, 0.25, 0.0)

    def forward(self, keypoints, intrinsics):
        return [self.network(keypoints.flatten(2).transpose(1, 2)).view(-1, 17, 3)]


def dense(fan_in, units, slope=0.2):
    return nn.Sequential(
        nn.Linear(fan_in, units), nn.BatchNorm1d(units), nn.LeakyReLU(slope, inplace=True), nn.Dropout(0.25)
    )


class Block(nn.Module):
    """RIE's fully connected block."""

    def __init__(self, fan_in, units, pairs=1, hidden=1024):
        super().__init__()
        self.first = dense(fan_in, hidden)
        self.pairs = nn.ModuleList(
            nn.Sequential(dense(hidden, hidden), dense(hidden, hidden)) for _ in range(pairs)
        )
        self.last = nn.Linear(hidden, units)

    def forward(self, x):
        x = self.first(x)
        for pair in self.pairs:
            x = x + pair(x)
        return self.last(x)


class EHFusion(nn.Module):
    """The released one-stage network, or with `stage` 3 the three-stage one."""

    def __init__(self, stage=0, latent=512):
        super().__init__()
        self.stage, self.latent = stage, latent
        self.local = nn.ModuleList(Temporal(6 * len(group), 256, latent, 0.2, 0.2) for group in _GROUPS)
        self.angles = nn.ModuleList(Temporal(len(group), 256, 64, 0.2, 0.2) for group in _GROUPS)
        self.whole = Block(34, latent, pairs=2)
        self.camera = nn.Sequential(dense(4, 32, 0.01), dense(32, 64, 0.01))
        if stage:
            self.torso_fusion = Block(4 * latent, latent)
            self.limb_fusion = nn.ModuleList(
                nn.Sequential(nn.Conv1d(4 * latent, latent // 4, 1), nn.BatchNorm1d(latent // 4), nn.ReLU())
                for _ in range(4)
            )
        branches = (3,) if stage else (2, 3)
        self.branches = nn.ModuleList(
            nn.ModuleList(Block(count * latent + 128, 3 * len(group)) for group in _GROUPS)
            for count in branches
        )

    def forward(self, keypoints, intrinsics):
        middle = keypoints.shape[1] // 2
        centre = keypoints[:, middle : middle + 1]
        relative = keypoints - keypoints[:, :, :1]
        moved = keypoints - centre
        cosine = torch.cosine_similarity(
            relative, relative[:, middle : middle + 1].expand_as(relative), dim=3
        )
        angles = torch.exp(torch.acos(cosine.clamp(-1, 1)) - math.pi).transpose(1, 2)
        local, angle = [], []
        for group, network, angle_network in zip(_GROUPS, self.local, self.angles, strict=True):
            joints = list(group)
            features = [part[:, :, joints].flatten(2) for part in (keypoints, relative, moved)]
            local.append(network(torch.cat(features, dim=2).transpose(1, 2)))
            angle.append(angle_network(angles[:, joints]))
        whole = self.whole(centre.flatten(1))
        camera = self.camera(intrinsics)
        if self.stage:
            fused = []
            for index in range(len(local)):
                others = torch.cat(local[:index] + local[index + 1 :], dim=1)
                if index == 0:
                    fused.append(self.torso_fusion(others))
                else:
                    maps = [one(others[..., None])[..., 0] for one in self.limb_fusion]
                    fused.append(torch.cat(maps, dim=1))
        else:
            fused = [torch.zeros_like(part) for part in local]
        poses = []
        for branch in self.branches:
            with_fusion = self.stage or branch is self.branches[-1]
            parts = []
            for index, decoder in enumerate(branch):
                mixed = [fused[index]] if with_fusion else []
                features = torch.cat([local[index], *mixed, whole, angle[index], camera], dim=1)
                parts.append(decoder(features).view(len(keypoints), -1, 3))
            poses.append(torch.cat(parts, dim=1)[:, _order()])
        return poses


def _order():
    joints = [joint for group in _GROUPS for joint in group]
    return [joints.index(joint) for joint in range(17)]


def make(name):
    """The form that a case of the benchmark is measured against."""
    return {"videopose3d": VideoPose3D, "one_stage": EHFusion, "three_stage": lambda: EHFusion(3)}[name]()
