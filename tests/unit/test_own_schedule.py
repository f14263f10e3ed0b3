"""The training of exercise 10.own_schedule is that of the schedule designer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.exercises.ch10_own import NUM_UPDATES, final_losses
from course_utils.playgrounds.schedule_training import LOST, TOTAL, Design, train_with


@pytest.mark.parametrize("top", [0.1, 0.39])
def test_the_five_networks_are_those_of_the_designer(top):
    assert NUM_UPDATES == TOTAL
    rates = Design("cosine", top)([])
    *_, run = train_with(lambda _: rates, dtype=torch.float64)
    np.testing.assert_allclose(final_losses(tuple(rates)), run.val_loss[-1], rtol=1e-6)


def test_an_explosion_is_found_in_the_same_update():
    *_, run = train_with(lambda _: np.full(TOTAL, 1e9), dtype=torch.float64)
    assert final_losses((1e9,) * TOTAL) == run.diverged_at
    assert run.loss[-1].mean() > LOST or np.isnan(run.loss[-1]).any()
