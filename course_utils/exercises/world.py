"""While an answer is judged: a neutral state for it, and everything back as it was afterwards.

An answer may print megabytes, change the default dtype, replace ``np.exp`` or end the process. The
check after it must not notice, and neither must the notebook.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import io
import math
import os
import random
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

DEEPEST = 5_000  # frames; far more would fill the memory before the time is up
HIGHEST_SEED = 2**31

_NAMESPACES: tuple[Any, ...] = (
    *(builtins, math, random, os, sys, time, functools, gc),
    *(np, np.linalg, np.random, np.lib.stride_tricks),
    *(
        torch,
        torch.Tensor,
        torch.linalg,
        torch.random,
        torch.autograd,
        torch.optim,
        torch.utils.data,
    ),
    *(torch.optim.SGD, torch.optim.Adam, torch.optim.Optimizer),
    *(nn, nn.functional, nn.init, nn.Module, nn.Linear, nn.Conv2d, nn.ReLU, nn.Sequential),
)


class InterruptedByAnswer(Exception):
    """The answer itself raised KeyboardInterrupt; nobody pressed the stop button."""


class _Sink(io.TextIOBase):
    """Takes what is printed and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def _refused(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{name}() cannot be used in an answer")

    return refuse


# Put in place while an answer runs: they would wait for ever, or end the kernel.
_REPLACED = {
    (builtins, "input"): _refused("input"),
    (builtins, "breakpoint"): _refused("breakpoint"),
    (os, "_exit"): _refused("os._exit"),
    (os, "abort"): _refused("os.abort"),
    (os, "fork"): _refused("os.fork"),
}


def switched_off() -> str:
    """A sentence about a switch of the notebook that makes right code fail, or ""."""
    if torch.is_inference_mode_enabled():
        return (
            "By the way: inference mode is on in this notebook, so no cell outside of the check "
            "gets gradients. Use it as `with torch.inference_mode():`."
        )
    if not torch.is_grad_enabled():
        return (
            "By the way: gradients are switched off in this notebook. "
            "`torch.set_grad_enabled(True)` switches them on again."
        )
    return ""


@contextlib.contextmanager
def kept_switches() -> Iterator[None]:
    """Around one call of an answer: process-wide settings neutral before it, and back after it."""
    dtype, limit, threads = (
        torch.get_default_dtype(),
        sys.getrecursionlimit(),
        torch.get_num_threads(),
    )
    anomaly, deterministic = (
        torch.is_anomaly_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )
    folder, collecting = os.getcwd(), gc.isenabled()
    grad, errors = torch.is_grad_enabled(), np.geterr()
    torch.set_grad_enabled(True)
    np.seterr(all="ignore")
    try:
        yield
    finally:
        np.seterr(**errors)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        _set_default_device(torch.device("cpu"))
        sys.setrecursionlimit(limit)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.is_anomaly_enabled() != anomaly:
            torch.autograd.set_detect_anomaly(anomaly)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        if collecting and not gc.isenabled():
            gc.enable()
        if os.getcwd() != folder:
            os.chdir(folder)


@contextlib.contextmanager
def kept_world() -> Iterator[None]:
    """Around a whole check: names of the libraries, streams, random numbers, warnings."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    device, environ, path = torch.get_default_device(), dict(os.environ), list(sys.path)
    streams = sys.stdin, sys.stdout, sys.stderr
    sink = _Sink()
    with (
        kept_switches(),
        kept_namespaces(),
        warnings.catch_warnings(),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)  # for inputs as small as ours more threads wait for each other
        _set_default_device(torch.device("cpu"))
        limit = sys.setrecursionlimit
        names = _REPLACED | {
            (sys, "setrecursionlimit"): lambda depth: limit(min(depth, DEEPEST)),
        }
        kept = {(home, name): getattr(home, name) for home, name in names if hasattr(home, name)}
        try:
            sys.stdout = sys.stderr = sink
            for home, name in kept:
                setattr(home, name, names[home, name])
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            for (home, name), value in kept.items():
                setattr(home, name, value)
            if os.environ != environ:
                os.environ.clear()
                os.environ.update(environ)
            sys.path[:] = path
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            torch.set_rng_state(states[2])
    _set_default_device(device)


def _set_default_device(device: torch.device) -> None:
    if torch.get_default_device() != device:
        # None, not "cpu": a named device costs time in every later call of PyTorch.
        torch.set_default_device(None if device.type == "cpu" else device)


@contextlib.contextmanager
def kept_namespaces() -> Iterator[None]:
    """Functions and methods of the libraries that were replaced or deleted come back."""
    kept = [(home, dict(vars(home))) for home in _NAMESPACES]
    try:
        yield
    finally:
        for home, before in kept:
            now = vars(home)
            if len(now) == len(before) and all(
                now.get(name, kept) is value for name, value in before.items()
            ):
                continue
            for name, value in before.items():
                if now.get(name, kept) is not value:
                    with contextlib.suppress(AttributeError, TypeError):
                        setattr(home, name, value)
            if isinstance(home, type):  # a new name in a class hides one of its bases
                for name in [n for n in now if n not in before]:
                    with contextlib.suppress(AttributeError, TypeError):
                        delattr(home, name)


@contextlib.contextmanager
def interrupts_told_apart() -> Iterator[None]:
    """KeyboardInterrupt passes where the stop button was pressed; an answer's own is an error.

    Raises:
        InterruptedByAnswer: in place of the answer's own KeyboardInterrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.getsignal(signal.SIGINT)

    def noted(number: int, frame: types.FrameType | None) -> None:
        pressed.append(number)
        if callable(before):
            before(number, frame)

    if before is not None:
        signal.signal(signal.SIGINT, noted)
    try:
        yield
    except KeyboardInterrupt as error:
        if pressed:
            raise
        raise InterruptedByAnswer("KeyboardInterrupt") from error
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def seed_all(seed: int) -> None:
    """The same random numbers for each program in each case."""
    # Not torch.manual_seed: without a GPU it notes each call, with its stack, for a later one.
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % HIGHEST_SEED)  # noqa: NPY002
