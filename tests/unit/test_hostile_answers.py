"""Answers that misbehave, over every exercise: the check ends, helps, and leaves no trace."""

from __future__ import annotations

import builtins
import contextlib
import gc
import math
import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.checks import CheckResult
from course_utils.exercises import chapters, exercises_of, running
from course_utils.exercises.exercise import load
from course_utils.exercises.judging import judge

EVERY = [exercise for chapter in chapters() for exercise in exercises_of(chapter)]
every = pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)


# ------------------------------------------------------------------------- what answers may do


def loops_for_ever():
    while True:
        pass


def loops_and_catches_all():
    while True:
        try:
            sum(range(100))
        except BaseException:
            continue


def recurses():
    recurses()


def recurses_with_a_high_limit():
    sys.setrecursionlimit(10**9)
    recurses()


def exits():
    sys.exit(3)


def ends_the_process():
    os._exit(1)


def interrupts():
    raise KeyboardInterrupt


class Odd(BaseException):
    def __str__(self):
        raise Odd


def raises_what_cannot_be_shown():
    raise Odd


def asks():
    input("your name? ")


def prints_megabytes():
    print("x" * 3_000_000)
    print("y" * 3_000_000, file=sys.stderr)


def warns():
    warnings.warn("deprecated", stacklevel=1)
    raise ValueError("a line\n" * 1000)


def raises_at_length():
    raise ValueError("long " * 10_000)


def changes_switches():
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    torch.autograd.set_detect_anomaly(True)
    np.seterr(all="raise")
    sys.setrecursionlimit(123)
    os.chdir("/")
    gc.disable()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    os.environ["COURSE_HOSTILE"] = "1"
    sys.path.insert(0, "/nowhere")
    sys.stdout = None


def replaces_functions():
    np.mean = np.sum = np.exp = np.asarray = lambda *_, **__: 7
    torch.mean = torch.relu = torch.exp = torch.no_grad = lambda *_, **__: 7
    torch.Tensor.backward = torch.Tensor.sum = torch.Tensor.detach = lambda *_, **__: 7
    nn.Module.__call__ = nn.Module.parameters = lambda *_, **__: 7
    math.sqrt = builtins.sum = builtins.len = lambda *_, **__: 7
    del np.zeros
    time.perf_counter = lambda: 0


ACTS = [
    *(recurses, exits, ends_the_process, interrupts, asks),
    *(raises_what_cannot_be_shown, prints_megabytes, warns, raises_at_length),
    *(changes_switches, replaces_functions),
]


class Loops:
    """A result that does something as soon as anybody looks at it."""

    def __init__(self, act):
        self._act = act

    def _do(self, *_, **__):
        self._act()

    __array__ = __len__ = __iter__ = __float__ = __int__ = __index__ = __bool__ = _do
    __repr__ = __str__ = __getitem__ = __eq__ = __hash__ = __call__ = __getattr__ = _do


def answers_that(act, exercise):
    """An answer that acts when it is called, when it is built, and when its result is read."""

    class Answer:
        def __init__(self, *_, **__):
            pass

        def act(self, *_, **__):
            return act()

        __call__ = forward = backward = update = step = __getitem__ = __len__ = act

    class Module(nn.Module):
        def __init__(self, *_, **__):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, *_, **__):
            return act()

    class Built:
        def __init__(self, *_, **__):
            act()

    if exercise.is_class:
        return [Answer, Module, Built]
    return [lambda *_, **__: act(), Answer(), lambda *_, **__: Loops(act)]


def state():
    return {
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "anomaly": torch.is_anomaly_enabled(),
        "errors": np.geterr(),
        "recursion": sys.getrecursionlimit(),
        "folder": os.getcwd(),
        "gc": gc.isenabled(),
        "torch": torch.get_rng_state().tolist(),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "environ": dict(os.environ),
        "path": list(sys.path),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "interval": sys.getswitchinterval(),
        "filters": list(warnings.filters),
        "names": [
            *(np.mean, np.sum, np.exp, np.asarray, np.zeros, torch.mean, torch.relu, torch.exp),
            *(torch.no_grad, torch.Tensor.backward, torch.Tensor.sum, torch.Tensor.detach),
            *(nn.Module.__call__, nn.Module.parameters, math.sqrt, builtins.sum, builtins.len),
            *(time.perf_counter, builtins.input, os._exit, sys.setrecursionlimit),
        ],
    }


def helps(verdict, exercise):
    assert verdict.state == "not yet"
    assert 1 <= len(verdict.message.splitlines()) <= 5
    assert len(verdict.message) < 1_300
    shown = CheckResult(exercise.name, verdict.state, verdict.message)._repr_html_()
    assert len(shown) < 10_000


@every
def test_a_misbehaving_answer_leaves_no_trace(exercise, capfd):
    right = load(exercise.solution, exercise)
    judge(exercise, right)
    slow = [recurses_with_a_high_limit] * (EVERY.index(exercise) % 8 == 0)
    for act in ACTS + slow:
        for answer in answers_that(act, exercise):
            before = state()
            verdict = judge(exercise, answer)
            assert state() == before, act.__name__
            helps(verdict, exercise)
    assert judge(exercise, right).state == "correct"
    captured = capfd.readouterr()
    assert len(captured.out) + len(captured.err) < 10_000


@every
def test_an_endless_loop_is_stopped_wherever_it_is(exercise, monkeypatch):
    right = load(exercise.solution, exercise)
    judge(exercise, right)
    with monkeypatch.context() as patch:
        patch.setattr(running, "SECONDS", 0.2)
        for answer in answers_that(loops_for_ever, exercise):
            before = state()
            verdict = judge(exercise, answer)
            assert state() == before
            helps(verdict, exercise)
    assert judge(exercise, right).state == "correct"


def test_a_loop_that_catches_everything_is_stopped(monkeypatch):
    exercise = EVERY[0]
    monkeypatch.setattr(running, "SECONDS", 0.2)
    verdict = judge(exercise, lambda *_: loops_and_catches_all())
    assert "never ends" in verdict.message


def test_an_answer_that_loops_while_it_is_looked_at_is_stopped(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.2)

    class Meta(type):
        def __getattribute__(cls, name):
            return loops_for_ever()

    class Answer(metaclass=Meta):
        pass

    helps(judge(EVERY[0], Loops(loops_for_ever)), EVERY[0])
    helps(judge(EVERY[0], Answer), EVERY[0])


def test_the_stop_button_still_stops_a_check():
    exercise = EVERY[0]
    # Not `_thread.interrupt_main`: from another thread Python 3.11 may take it up only at the next
    # change of threads.
    main = threading.get_ident()
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        judge(exercise, lambda x: loops_for_ever())


@pytest.mark.parametrize("inference", [False, True])
def test_gradients_switched_off_in_the_notebook_are_named_and_not_blamed(inference):
    exercise = EVERY[0]
    right = load(exercise.solution, exercise)
    before = torch.is_grad_enabled()
    try:
        torch.set_grad_enabled(False)
        with torch.inference_mode() if inference else contextlib.nullcontext():
            verdict = judge(exercise, right)
        assert verdict.state == "correct"
        assert "By the way" in verdict.message
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(before)


def test_numpy_that_raises_in_the_notebook_does_not_disturb_a_check():
    before = np.geterr()
    try:
        np.seterr(all="raise")
        for exercise in EVERY:
            verdict = judge(exercise, load(exercise.solution, exercise))
            assert verdict.state == "correct", exercise.name
        assert np.geterr()["over"] == "raise"
    finally:
        np.seterr(**before)
