"""Plain PyTorch forms of HOIF-Net, HGCN, SemGCN and Martinez's network, to measure speed against.

They are written from the papers' and releases' formulas, in the releases' layout `(B, J, C)` and with the
releases' amount of work, and are not used for anything else.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from tf_pose3d.layers.skeleton_graph import hop_edges, skeleton_adjacency

_SKELETON = "h36m_16"
_JOINTS = 16


def _edge_weights(mask, logits):
    spread = torch.full(mask.shape, -9e15)
    spread[mask] = logits
    return torch.softmax(spread, dim=1)


class HighOrderConvolution(nn.Module):
    """HGCN's layer, or with `beta` HOIF-Net's."""

    def __init__(self, width, units, sums=False, beta=None):
        super().__init__()
        adjacency = skeleton_adjacency(_SKELETON, self_loops=False)
        self.masks = [torch.from_numpy(hop_edges(adjacency, hop)) for hop in range(4)]
        self.kernel = nn.Parameter(torch.randn(4, width, units) / math.sqrt(width))
        self.edges = nn.ParameterList([nn.Parameter(torch.ones(int(mask.sum()))) for mask in self.masks])
        self.bias = nn.Parameter(torch.zeros(units if sums else 4 * units))
        self.sums, self.beta = sums, beta

    def forward(self, x, initial=None):
        outputs = []
        for mask, kernel, edges in zip(self.masks, self.kernel, self.edges, strict=True):
            weights = _edge_weights(mask, edges)
            if self.beta is None:
                outputs.append(weights @ (x @ kernel))
            else:
                outputs.append((0.5 * (weights @ x) + 0.5 * initial) @ (self.beta * kernel))
        joined = sum(outputs) if self.sums else torch.cat(outputs, dim=-1)
        return joined + self.bias


class SemanticConvolution(nn.Module):
    """SemGCN's layer."""

    def __init__(self, width, units):
        super().__init__()
        self.mask = torch.from_numpy(skeleton_adjacency(_SKELETON, self_loops=True) > 0)
        self.kernel = nn.Parameter(torch.randn(2, width, units) / math.sqrt(width))
        self.edges = nn.Parameter(torch.ones(int(self.mask.sum())))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, x):
        weights, own = _edge_weights(self.mask, self.edges), torch.eye(_JOINTS)
        return (
            (weights * own) @ (x @ self.kernel[0]) + (weights * (1 - own)) @ (x @ self.kernel[1]) + self.bias
        )


class Block(nn.Module):
    def __init__(self, convolution, width):
        super().__init__()
        self.convolution, self.norm = convolution, nn.BatchNorm1d(width)

    def forward(self, x, *further):
        x = self.norm(self.convolution(x, *further).transpose(1, 2)).transpose(1, 2)
        return torch.relu(x)


class Residual(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return x + self.second(self.first(x))


class HOIFNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        betas = [math.log(0.5 / layer + 1) for layer in range(1, 10)]
        wide = 4 * width
        self.first = Block(HighOrderConvolution(2, width, beta=betas[0]), wide)
        self.blocks = nn.ModuleList(
            [Block(HighOrderConvolution(wide, width, beta=beta), wide) for beta in betas[1:]]
        )
        self.last = HighOrderConvolution(wide, 3, sums=True, beta=betas[0])

    def forward(self, x):
        initial = x = self.first(x, x)
        for block in self.blocks:
            x = block(x, initial)
        return self.last(x, initial)


def hgcn(width=64, depth=4):
    wide = 4 * width

    def block():
        return Block(HighOrderConvolution(wide, width), wide)

    return nn.Sequential(
        Block(HighOrderConvolution(2, width), wide),
        *(Residual(block(), block()) for _ in range(depth)),
        HighOrderConvolution(wide, 3, sums=True),
    )


def semgcn(width=128, depth=4):
    def block():
        return Block(SemanticConvolution(width, width), width)

    return nn.Sequential(
        Block(SemanticConvolution(2, width), width),
        *(Residual(block(), block()) for _ in range(depth)),
        SemanticConvolution(width, 3),
    )


def martinez(width=1024, stages=2, dropout=0.5):
    def block(inputs):
        return nn.Sequential(
            nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True), nn.Dropout(dropout)
        )

    return nn.Sequential(
        nn.Flatten(),
        block(2 * _JOINTS),
        *(Residual(block(width), block(width)) for _ in range(stages)),
        nn.Linear(width, 3 * (_JOINTS - 1)),
        nn.Unflatten(1, (_JOINTS - 1, 3)),
    )
