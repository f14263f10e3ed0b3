"""The checkers of chapter 08: answers of other kinds are right too, and mistakes are told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.checks import check
from course_utils.exercises import judges08


def test_the_descent_is_that_of_torch():
    rng = np.random.default_rng(1)
    batches = [(rng.normal(size=(n, 3)), rng.normal(size=n)) for n in (4, 4, 2)]
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for X, y in batches:
        optimizer.zero_grad()
        F.mse_loss(torch.from_numpy(X) @ w, torch.from_numpy(y)).backward()
        optimizer.step()
    ours = judges08.descent(np.zeros(3), batches, 0.1)
    np.testing.assert_allclose(ours, w.detach().numpy(), rtol=1e-12)
    ends = [judges08.descent(np.zeros(3), batches, 0.1, m) for m in judges08.DESCENT_MISTAKES]
    assert len({tuple(np.round(end, 6)) for end in [ours, *ends]}) == 1 + len(ends)


def test_the_bound_is_where_descent_breaks():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])
    bound = 2 / np.linalg.eigvalsh(A)[-1]
    for share, falls in ((0.99, True), (1.01, False)):
        w = np.array([1.0, 0.3])
        for _ in range(2000):
            w = w - share * bound * A @ w
        assert bool(np.abs(w).max() < 1) is falls


def right(name, answer):
    result = check(name, answer)
    assert result.state == "correct", result.message


def says(name, answer, words):
    result = check(name, answer)
    assert result.state == "not yet" and words in result.message, result


def test_answers_with_torch():
    right("08.max_lr", lambda A: 2 / torch.linalg.eigvalsh(torch.as_tensor(A)).max())
    right("08.updates", lambda n, size, epochs: epochs * math.ceil(n / size))

    def my_batches(X, y, batch_size, rng):
        order = rng.permutation(len(y))
        for start in range(0, len(y), batch_size):  # a generator is a fine list
            chosen = order[start : start + batch_size]
            yield torch.tensor(X[chosen]), torch.tensor(y[chosen])

    right("08.batches", my_batches)

    def my_descent(w, batches, lr):
        w = torch.as_tensor(w).clone()
        for X, y in batches:
            X, y = torch.as_tensor(X), torch.as_tensor(y)
            leaf = w.requires_grad_()
            (grad,) = torch.autograd.grad(((X @ leaf - y) ** 2).mean(), leaf)
            w = (leaf - lr * grad).detach()
        return w

    right("08.descent", my_descent)


def test_batches_that_change_what_came_in_or_are_no_pairs():
    def shuffles(X, y, batch_size, rng):
        order = rng.permutation(len(y))
        X[:], y[:] = X[order], y[order]
        return [
            (X[i : i + batch_size], y[i : i + batch_size]) for i in range(0, len(y), batch_size)
        ]

    says("08.batches", shuffles, "leave them as they are")
    says("08.batches", lambda X, y, batch_size, rng: X, "a list of pairs")

    def forgets(X, y, batch_size, rng):
        rng.permutation(len(y))

    says("08.batches", forgets, "`return`")

    def own_generator(X, y, batch_size, rng):
        order = np.random.default_rng().permutation(len(y))
        return [
            (X[order[i : i + batch_size]], y[order[i : i + batch_size]])
            for i in range(0, len(y), batch_size)
        ]

    says("08.batches", own_generator, "draw from `rng`")


def test_batches_that_stay_together_in_every_epoch():
    def shuffled_blocks(X, y, batch_size, rng):
        starts = rng.permutation(np.arange(0, len(y), batch_size))
        return [(X[i : i + batch_size], y[i : i + batch_size]) for i in starts]

    def shuffled_inside(X, y, batch_size, rng):
        chosen = [rng.permutation(part) for part in np.split(np.arange(len(y)), batch_size)]
        return [(X[part], y[part]) for part in chosen]

    says("08.batches", shuffled_blocks, "the same samples in every epoch")
    says(
        "08.batches", lambda X, y, size, rng: shuffled_inside(X, y, len(y) // size, rng), "the same"
    )


def test_random_orders_are_no_fixed_batches():
    blocks = [set(range(start, start + 3)) for start in range(0, 12, 3)]
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(12), (5000, 1)), axis=1)
    assert not any(all(set(row) in blocks for row in order.reshape(4, 3)) for order in orders)


def test_a_descent_that_changes_the_batches_is_right():
    def my_descent(w, batches, lr):
        for X, y in batches:
            y -= X @ w
            w = w + lr * 2 * X.T @ y / len(y)
        return w

    right("08.descent", my_descent)


def test_text_is_no_number_of_updates():
    says("08.updates", lambda n, size, epochs: str(epochs * -(-n // size)), "not text")


class Stopping:
    def __init__(self, patience):
        self.left = self.patience = patience
        self.best_loss, self.best_epoch, self.seen = math.inf, 0, 0

    def update(self, val_loss):
        self.seen += 1
        if val_loss < self.best_loss:
            self.best_loss, self.best_epoch, self.left = val_loss, self.seen, self.patience
            return False
        self.left -= 1
        return self.left <= 0


def test_stopping_written_in_another_way():
    right("08.stopping", Stopping)

    class Never(Stopping):
        def update(self, val_loss):
            super().update(val_loss)
            return False

    says("08.stopping", Never, "never stops")

    class Silent(Stopping):
        def update(self, val_loss):
            super().update(val_loss)

    says("08.stopping", Silent, "True or False")

    class FromZero(Stopping):
        def update(self, val_loss):
            done = super().update(val_loss)
            if self.best_epoch == self.seen:
                self.zero = self.seen - 1
            self.best_epoch, kept = self.zero, self.best_epoch
            return done or kept < 0

    says("08.stopping", FromZero, "Epochs count from 1")

    class Opposite(Stopping):
        def update(self, val_loss):
            return not super().update(val_loss)

    says("08.stopping", Opposite, "return the opposite")


@pytest.mark.parametrize("patience", [1, 3])
def test_the_stub_is_not_attempted(patience):
    class Stub:
        def __init__(self, patience):
            self.patience = patience

        def update(self, val_loss):
            raise NotImplementedError

    assert check("08.stopping", Stub).state == "not attempted"
