"""Ink on the drawing pad: strokes of a round brush, and test digits put on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional as F

SIDE = 280  # pixels of the pad
BRUSH = 26  # width of a stroke, pixels


def pasted(image: Tensor, side: int) -> np.ndarray:
    """An image (28, 28) as ink in the middle of an empty pad, `side` pixels high."""
    large = F.interpolate(image[None, None], size=(side, side), mode="bilinear")[0, 0]
    ink = np.zeros((SIDE, SIDE), np.float32)
    edge = (SIDE - side) // 2
    ink[edge : edge + side, edge : edge + side] = large.clamp(0, 1).numpy()
    return ink


def on_paper(ink: np.ndarray) -> np.ndarray:
    """Ink (H, W) in [0, 1] as black on white, (H, W, 4) bytes, which matplotlib draws fastest."""
    grey = (255.5 - 255 * ink).astype(np.uint8)
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=2)


def brush_line(ink: np.ndarray, start: Sequence[float], end: Sequence[float]) -> None:
    """Draw a round stroke from `start` to `end` (x, y in pixels, y downwards) into `ink`."""
    (x0, y0), (x1, y1) = start, end
    margin = BRUSH / 2 + 1
    left, right = _span(min(x0, x1) - margin, max(x0, x1) + margin)
    top, bottom = _span(min(y0, y1) - margin, max(y0, y1) + margin)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32)[None, :] + 0.5
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    dx, dy = x1 - x0, y1 - y0
    along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9)
    along = along.clip(0, 1)
    distance = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    spot = ink[top:bottom, left:right]
    np.maximum(spot, (BRUSH / 2 + 0.5 - distance).clip(0, 1), out=spot)


def _span(low: float, high: float) -> tuple[int, int]:
    return max(0, math.floor(low)), min(SIDE, math.ceil(high))
