"""A small classification task and a small model, for the tests of `course_utils.training`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils.training import fit


@pytest.fixture(autouse=True)
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def make_data(n=50, classes=3):
    g = torch.Generator().manual_seed(0)
    X = torch.randn(n, 4, generator=g)
    return X, (X @ torch.randn(4, classes, generator=g)).argmax(1)


def batches(X, y, size=16):
    """A loader in fixed order: a list of batches, the last one short."""
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]


def make_model(outputs=3, dropout=0.0):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, outputs)]
    return nn.Sequential(*layers)


def quiet_fit(model, loader, lr=0.1, num_epochs=3, **settings):
    settings.setdefault("optimizer", torch.optim.SGD(model.parameters(), lr=lr))
    return fit(model, loader, num_epochs=num_epochs, progress=False, **settings)
