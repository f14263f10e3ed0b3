"""Networks with the same first weights in every process, whatever the notebook has set."""

from __future__ import annotations

import threading
from collections.abc import Callable

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
