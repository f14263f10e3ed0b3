"""Colours of numbers with signs: orange below 0, white at 0, blue above."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from course_utils.plotting import BLUE, RED

SIGNED = LinearSegmentedColormap.from_list("signed", [RED, "#ffffff", BLUE])


def tints(values: np.ndarray, least: float = 1e-9) -> np.ndarray:
    """Colours (9, 3): blue where positive, orange where negative, the larger the stronger."""
    flat = values.ravel()
    share = (0.6 * np.abs(flat) / max(np.abs(flat).max(), least))[:, None]
    full = np.where(flat[:, None] < 0, to_rgb(RED), to_rgb(BLUE))
    return 1 - share * (1 - full)
