"""Plain PyTorch forms of Strided Transformer and PoseFormer, to measure speed against.

They are written from the papers' and releases' formulas, in the releases' layout and with the releases'
amount of work, and are not used for anything else.
"""

from __future__ import annotations

import torch
from torch import nn

_JOINTS = 17


class UnbiasedNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return self.gain * centred / (x.std(-1, keepdim=True) + 1e-6) + self.shift


class Attention(nn.Module):
    def __init__(self, width, heads, dropout, joint_projection):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        sizes = [3 * width] if joint_projection else [width] * 3
        self.inputs = nn.ModuleList([nn.Linear(width, size) for size in sizes])
        self.output = nn.Linear(width, width)

    def forward(self, x):
        batch, count, width = x.shape
        parts = torch.cat([one(x) for one in self.inputs], -1).chunk(3, -1)
        query, key, value = (p.reshape(batch, count, self.heads, -1).transpose(1, 2) for p in parts)
        scores = query @ key.transpose(-2, -1) / (width // self.heads) ** 0.5
        mixed = self.dropout(scores.softmax(-1)) @ value
        return self.output(mixed.transpose(1, 2).reshape(batch, count, width))


class DropPath(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1)) >= self.rate
        return x * kept / (1 - self.rate)


class Block(nn.Module):
    def __init__(self, width, hidden, norm, activation, attention, dropout=0.0, drop_path=0.0):
        super().__init__()
        self.norm1, self.norm2, self.attention = norm(width), norm(width), attention
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), activation(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.dropout, self.drop_path = nn.Dropout(dropout), DropPath(drop_path)

    def forward(self, x):
        x = x + self.drop_path(self.dropout(self.attention(self.norm1(x))))
        return x + self.drop_path(self.dropout(self.mlp(self.norm2(x))))


class StridedBlock(nn.Module):
    def __init__(self, width, hidden, stride, dropout):
        super().__init__()
        self.norm1, self.norm2 = UnbiasedNorm(width), UnbiasedNorm(width)
        self.attention = Attention(width, 8, dropout, joint_projection=False)
        self.mlp = nn.Sequential(
            nn.Conv1d(width, hidden, 1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(hidden, width, 3, stride=stride, padding=1),
        )
        self.pool, self.dropout = nn.MaxPool1d(1, stride), nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.norm1(x)))
        short = self.pool(x.transpose(1, 2)).transpose(1, 2)
        return short + self.dropout(self.mlp(self.norm2(x).transpose(1, 2)).transpose(1, 2))


class StridedTransformer(nn.Module):
    def __init__(self, frames=351, width=256, hidden=512, strides=(3, 9, 13), dropout=0.1):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(2 * _JOINTS, width, 1), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.25)
        )
        self.position = nn.Parameter(torch.randn(1, frames, width))
        self.blocks = nn.Sequential(
            *(
                Block(
                    width,
                    hidden,
                    UnbiasedNorm,
                    nn.ReLU,
                    Attention(width, 8, dropout, joint_projection=False),
                    dropout,
                )
                for _ in range(3)
            )
        )
        self.strided = nn.ModuleList([StridedBlock(width, hidden, stride, dropout) for stride in strides])
        self.positions = nn.ParameterList([nn.Parameter(torch.randn(1, frames, width)) for _ in strides])
        self.heads = nn.ModuleList(
            [nn.Sequential(nn.BatchNorm1d(width), nn.Conv1d(width, 3 * _JOINTS, 1)) for _ in range(2)]
        )

    def forward(self, x):
        batch, frames = x.shape[:2]
        x = self.encoder(x.reshape(batch, frames, -1).transpose(1, 2)).transpose(1, 2)
        x = self.blocks(x + self.position)
        sequence = self.heads[0](x.transpose(1, 2)).transpose(1, 2)
        for position, block in zip(self.positions, self.strided, strict=True):
            x = block(x + position[:, : x.shape[1]])
        centre = self.heads[1](x.transpose(1, 2)).transpose(1, 2)
        return centre.reshape(batch, _JOINTS, 3), sequence.reshape(batch, frames, _JOINTS, 3)


class PoseFormer(nn.Module):
    def __init__(self, frames=81, width=32, depth=4, drop_path=0.1):
        super().__init__()

        def norm(channels):
            return nn.LayerNorm(channels, eps=1e-6)

        def blocks(channels):
            rates = torch.linspace(0, drop_path, depth).tolist()
            attentions = [Attention(channels, 8, 0.0, joint_projection=True) for _ in rates]
            return nn.Sequential(
                *(
                    Block(channels, 2 * channels, norm, nn.GELU, attention, drop_path=rate)
                    for attention, rate in zip(attentions, rates, strict=True)
                )
            )

        wide = _JOINTS * width
        self.embedding = nn.Linear(2, width)
        self.joint_position = nn.Parameter(torch.zeros(1, _JOINTS, width))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, wide))
        self.spatial, self.temporal = blocks(width), blocks(wide)
        self.spatial_norm, self.temporal_norm = norm(width), norm(wide)
        self.mean = nn.Conv1d(frames, 1, 1)
        self.head = nn.Sequential(nn.LayerNorm(wide), nn.Linear(wide, 3 * _JOINTS))

    def forward(self, x):
        batch, frames = x.shape[:2]
        x = self.embedding(x.reshape(batch * frames, _JOINTS, 2)) + self.joint_position
        x = self.spatial_norm(self.spatial(x)).reshape(batch, frames, -1)
        x = self.temporal_norm(self.temporal(x + self.frame_position))
        return (self.head(self.mean(x)).reshape(batch, _JOINTS, 3),)
