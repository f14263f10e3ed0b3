"""The playgrounds: live figures, each fetched only when it is first asked for.

from course_utils.playgrounds import race
race()
"""

from __future__ import annotations

import importlib
from typing import Any

from course_utils.memory import nothing_to_collect
from course_utils.names import unknown_name

_HOMES = {
    "batch_explorer": "batches:BatchExplorer",
    "slope_explorer": "slopes:SlopeExplorer",
    "descent_explorer": "descent_1d:DescentExplorer",
    "neuron_boundary": "neuron:NeuronBoundary",
    "activation_explorer": "activations:ActivationExplorer",
    "xor_training": "xor:XorTraining",
    "broadcast_explorer": "broadcasting:BroadcastExplorer",
    "graph_explorer": "computational_graph:GraphExplorer",
    "race": "optimizer_race:OptimizerRace",
    "landscape": "landscape:LossLandscape",
    "ema_explorer": "ema:EmaExplorer",
    "first_training": "training:FirstTraining",
    "train_digits": "training:DigitTraining",
    "train_live": "batch_lr:LiveRun",
    "lr_sweep": "rate_sweep:LrSweep",
    "digit_pad": "pad:DigitPad",
    "init_explorer": "initialisation:InitExplorer",
    "fit_curve": "curve_fit:CurveFit",
    "schedule_designer": "schedule_designer:ScheduleDesigner",
    "loss_explorer": "losses_1d:LossExplorer",
    "line_fit": "line_fit:LineFit",
    "speedup_explorer": "speedup:SpeedUpExplorer",
    "kernel_editor": "kernel_editor:KernelEditor",
    "shape_calculator": "shape_calculator:ShapeCalculator",
    "receptive_field": "receptive_field:ReceptiveField",
    "inside_cnn": "inside:InsideCNN",
}  # the name that a notebook calls, its module and its class

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _HOMES:
        raise AttributeError(str(unknown_name("playground", name, _HOMES)))
    module, _, playground = _HOMES[name].partition(":")
    with nothing_to_collect():
        made = getattr(importlib.import_module(f"{__name__}.{module}"), playground)
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
