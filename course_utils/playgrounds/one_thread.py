"""Small trainings on one thread: on networks of this size more threads only wait for each other."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

import torch


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
