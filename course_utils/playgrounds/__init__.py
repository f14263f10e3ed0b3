"""The playgrounds: live figures, each fetched only when it is first asked for.

from course_utils.playgrounds import race
race()
"""

from __future__ import annotations

import importlib
from typing import Any

from course_utils.names import unknown_name

_HOMES = {
    "batch_explorer": "batches",
    "slope_explorer": "slopes",
    "descent_explorer": "descent_1d",
    "neuron_boundary": "neuron",
    "activation_explorer": "activations",
    "xor_training": "xor",
    "broadcast_explorer": "broadcasting",
    "graph_explorer": "computational_graph",
    "race": "optimizer_race",
    "ema_explorer": "ema",
    "train_digits": "training",
    "train_live": "batch_lr",
    "lr_sweep": "rate_sweep",
    "digit_pad": "pad",
    "init_explorer": "initialisation",
    "fit_curve": "curve_fit",
    "schedule_designer": "schedule_designer",
    "loss_explorer": "losses_1d",
    "line_fit": "line_fit",
    "speedup_explorer": "speedup",
    "kernel_editor": "kernel_editor",
    "shape_calculator": "shape_calculator",
    "receptive_field": "receptive_field",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _HOMES:
        raise AttributeError(str(unknown_name("playground", name, _HOMES)))
    made = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
