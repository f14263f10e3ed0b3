"""Digits that a program draws, for the reader to learn from besides the scanned ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Point = tuple[float, float]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Part of an ellipse, angles in degrees, clockwise on screen from the right."""
    angles = np.radians(np.linspace(start, end, 16))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


# Ways to write each digit: lists of strokes, x to the right and y down, in a square of side 1.
WAYS: dict[int, list[list[list[Point]]]] = {
    0: [[_arc(0.5, 0.5, 0.3, 0.5, -90, 270)], [_arc(0.5, 0.5, 0.42, 0.5, -60, 300)]],
    1: [[[(0.5, 0), (0.5, 1)]],
        [[(0.3, 0.25), (0.55, 0), (0.55, 1)]],
        [[(0.3, 0.22), (0.5, 0), (0.5, 1)], [(0.25, 1), (0.75, 1)]]],
    2: [[[*_arc(0.5, 0.27, 0.3, 0.27, 190, 385), (0.2, 1), (0.85, 1)]],
        [[*_arc(0.45, 0.25, 0.3, 0.25, 200, 370), (0.6, 0.6), (0.25, 0.93),
          *_arc(0.3, 0.9, 0.1, 0.1, 100, 300), (0.5, 0.9), (0.85, 1)]]],
    3: [[_arc(0.45, 0.25, 0.3, 0.25, 200, 450) + _arc(0.45, 0.75, 0.33, 0.25, -90, 150)],
        [[(0.2, 0), (0.8, 0), (0.45, 0.42), *_arc(0.45, 0.7, 0.35, 0.3, -80, 160)]]],
    4: [[[(0.6, 0), (0.12, 0.65), (0.9, 0.65)], [(0.65, 0.3), (0.65, 1)]],
        [[(0.2, 0), (0.17, 0.5), (0.8, 0.5)], [(0.75, 0), (0.75, 1)]],
        [[(0.68, 1), (0.68, 0), (0.1, 0.7), (0.92, 0.7)]],
        [[(0.3, 0), (0.2, 0.5), (0.85, 0.45)], [(0.7, 0.05), (0.55, 1)]]],
    5: [[[(0.8, 0), (0.28, 0), (0.25, 0.42), *_arc(0.45, 0.7, 0.35, 0.3, -125, 140)]],
        [[(0.25, 0.03), (0.23, 0.45), *_arc(0.45, 0.7, 0.33, 0.3, -110, 150)],
         [(0.25, 0), (0.85, 0)]]],
    6: [[[(0.7, 0.02), (0.4, 0.25), (0.22, 0.6), *_arc(0.5, 0.72, 0.28, 0.28, 180, 530)]],
        [[(0.35, 0), (0.2, 0.4), *_arc(0.48, 0.72, 0.3, 0.28, 200, -150)]],
        [_arc(0.75, 0.6, 0.52, 0.6, -100, -180) + _arc(0.5, 0.7, 0.28, 0.3, 180, -170)]],
    7: [[[(0.12, 0), (0.85, 0), (0.4, 1)]],
        [[(0.12, 0), (0.85, 0), (0.4, 1)], [(0.25, 0.5), (0.8, 0.5)]],
        [[(0.15, 0.15), (0.15, 0.02), (0.85, 0), (0.55, 0.5), (0.45, 1)]]],
    8: [[_arc(0.5, 0.25, 0.27, 0.25, 90, 450) + _arc(0.5, 0.75, 0.32, 0.25, -90, 270)],
        [[*_arc(0.5, 0.25, 0.25, 0.25, -30, -250), (0.7, 0.6),
          *_arc(0.48, 0.78, 0.26, 0.22, 0, 180), (0.3, 0.6), (0.72, 0.12)]]],
    9: [[[*_arc(0.48, 0.28, 0.28, 0.28, 0, 360), (0.77, 0.28), (0.7, 1)]],
        [[*_arc(0.5, 0.28, 0.28, 0.28, -20, 340), (0.78, 0.3),
          *_arc(0.42, 0.65, 0.36, 0.35, 0, 140)]],
        [[*_arc(0.48, 0.27, 0.28, 0.27, -30, 330), (0.78, 0), (0.78, 1)]]],
}  # fmt: skip
POINTS = 64  # per digit: less than half a stroke's width apart


def _points(strokes: Sequence[Sequence[Point]]) -> np.ndarray:
    """(POINTS, 2) points at equal distances along all strokes."""
    lines = [np.asarray(stroke, float) for stroke in strokes]
    runs = [np.hypot(*np.diff(line, axis=0).T).cumsum() for line in lines]
    runs = [np.concatenate([[0], run]) for run in runs]
    shares = np.array([run[-1] for run in runs]) / sum(run[-1] for run in runs)
    counts = np.floor(shares * POINTS).astype(int)
    counts[0] += POINTS - counts.sum()
    placed = []
    for line, run, count in zip(lines, runs, counts, strict=True):
        at = np.linspace(0, run[-1], count)
        placed.append(np.stack([np.interp(at, run, line[:, axis]) for axis in (0, 1)], axis=1))
    return np.concatenate(placed)


def drawn_digits(per_digit: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Digits drawn by code as the embedded ones look: X (10·per_digit, 1, 28, 28), y, float32.

    Every one is bent, turned, slanted, stretched and drawn with a stroke of its own.
    """
    ways = [(digit, way) for digit in WAYS for way in WAYS[digit]]
    bank = torch.tensor(np.stack([_points(way) for _, way in ways]) - 0.5, dtype=torch.float32)
    of_digit = {d: [i for i, (digit, _) in enumerate(ways) if digit == d] for d in WAYS}
    which = [of_digit[d][i % len(of_digit[d])] for d in WAYS for i in range(per_digit)]
    points = bank[which]
    n = len(points)

    def either_way(*shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=generator, dtype=torch.float32) * 2 - 1

    bends = F.grid_sample(
        either_way(2, 5, 5) * 0.1, points[:, :, None] * 1.8, mode="bicubic", align_corners=True
    )
    points = points + bends[..., 0].mT
    turn, slant = either_way() * 0.2, either_way() * 0.25
    wide = torch.exp(either_way() * 0.35)
    rows = [torch.stack([wide * turn.cos(), slant - turn.sin()], 1)]
    rows += [torch.stack([wide * turn.sin(), turn.cos()], 1)]
    points = points @ torch.stack(rows, 1).mT

    # Fitted into the frame as `prepare_drawing` does: 128 high or 118 wide, strokes of 23 or more.
    stroke = 28 + 5 * either_way()
    low, high = points.amin(1), points.amax(1)
    room = torch.tensor([118, 128]) - stroke[:, None]
    scale = (room / (high - low).clamp(min=0.05)).amin(1)
    points = (points - ((low + high) / 2)[:, None]) * scale[:, None, None]
    points = points + torch.tensor([66, 64])
    centres = torch.arange(2, 128, 4, dtype=torch.float32)
    pixels = torch.cartesian_prod(centres, centres).flip(1)
    images = []
    for some, widths in zip(points.split(64), stroke.split(64), strict=True):
        distance = torch.cdist(pixels.expand(len(some), -1, -1), some).amin(-1)
        images.append(((widths[:, None] / 2 - distance) / 4 + 0.5).clamp(0, 1))
    scanned = F.avg_pool2d(torch.cat(images).reshape(-1, 1, 32, 32), 4)
    enlarged = F.interpolate(scanned, size=(28, 28), mode="bilinear", align_corners=False)
    return enlarged, torch.tensor([ways[i][0] for i in which])


def warped(X: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, 1, H, W), each turned by up to 18°, slanted, stretched and moved a little."""

    def either_way() -> Tensor:
        return torch.rand(len(X), generator=generator, dtype=X.dtype) * 2 - 1

    turn = either_way() * math.radians(18)
    wide, high = 1 + 0.2 * either_way(), 1 + 0.12 * either_way()
    slant = 0.25 * either_way()
    top = torch.stack([wide * turn.cos(), slant - turn.sin(), 0.08 * either_way()], 1)
    bottom = torch.stack([turn.sin(), high * turn.cos(), 0.08 * either_way()], 1)
    where = F.affine_grid(torch.stack([top, bottom], 1), X.shape, align_corners=False)
    return F.grid_sample(X, where, align_corners=False)
