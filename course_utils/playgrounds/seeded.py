"""Small trainings that are the same in every process, and leave no trace in the notebook."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator

import torch
from torch import nn

_one_at_a_time = threading.Lock()


def seeded_network(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """``build()`` in float64 with PyTorch's random numbers started at ``seed``.

    Default dtype and global random numbers are put back afterwards: a playground must not change
    the numbers of the notebook it stands in.
    """
    with _one_at_a_time:
        state, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
        try:
            torch.set_default_dtype(torch.float64)
            torch.default_generator.manual_seed(seed)
            return build()
        finally:
            torch.set_default_dtype(dtype)
            torch.random.set_rng_state(state)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread. On small networks more gain nothing, and on a busy machine, where
    the page and the kernel want their turn too, they wait for each other: measured up to ten
    times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def on_one_thread(training: Generator) -> Generator:
    """`training`, each of its steps on one thread; at its yields the threads are the learner's."""
    new = None
    while True:
        try:
            with one_thread():
                result = training.send(new)
        except StopIteration:
            return
        new = yield result
