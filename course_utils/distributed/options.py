"""The options of the training script. PyTorch is not needed to read them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

# Settings that decide the result. A checkpoint of a run with other settings is refused; the number
# of workers, the device and the number of epochs may change from one start to the next.
HUGE = 2**63  # no count is as large
DECIDING = ("model", "data", "global_batch", "lr", "warmup", "dropout", "dtype", "seed")


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options as attributes, from ``arguments`` or the command line.

    As usual for a command, a wrong option prints a message and raises SystemExit.
    """
    parser = argparse.ArgumentParser(
        prog="train", description="Train a network on the digits.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--epochs", type=_number(int, 1), default=3)
    add("--global-batch", type=_number(int, 1), default=64, help="images per step, all workers")
    add("--lr", type=_number(float, 0, above=True), default=0.05, help="learning rate of SGD")
    add("--warmup", type=_number(int, 0), default=0, help="steps over which the rate grows to --lr")
    add("--model", choices=["mlp", "cnn"], default="mlp")
    add("--dropout", type=_number(float, 0, 1), default=0.0)
    add("--data", choices=["embedded", "mnist"], default="embedded")
    add("--dtype", choices=["float32", "float64"], default="float32")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add("--seed", type=_number(int, 0), default=0)
    add("--checkpoint", metavar="FOLDER", help="write a checkpoint here after each epoch; resume")
    add(
        "--fail-at",
        metavar="EPOCH:BATCH",
        type=_place,
        help="for teaching: the last worker kills itself before this batch, on the first attempt",
    )
    return parser.parse_args(arguments)


def _number(kind: type, low: float, high: float = math.inf, above: bool = False) -> Callable:
    def read(text: str) -> float:
        value = kind(text)  # argparse turns a ValueError into its message
        top = min(high, HUGE) if kind is int else high
        if not low <= value < top or (above and value == low):
            least = f"above {low}" if above else f"at least {low}"
            raise argparse.ArgumentTypeError(
                f"must be {least}{f' and below {high}' if high < math.inf else ''}, got {text}"
            )
        return value

    read.__name__ = {int: "whole number", float: "number"}[kind]
    return read


def _place(text: str) -> tuple[int, int]:
    epoch, _, batch = text.partition(":")
    if not (epoch.isdecimal() and batch.isdecimal() and int(epoch) and int(batch)):
        raise argparse.ArgumentTypeError(f"must look like 2:5 (epoch 2, batch 5), got {text!r}")
    return int(epoch), int(batch)
