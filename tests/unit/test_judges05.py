"""The checkers of chapter 05: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.checks import check
from course_utils.exercises import judges05


@pytest.mark.parametrize("sizes", [[3, 3, 2, 2], [1, 1], [784, 30, 10]])
def test_num_params_are_those_of_torch(sizes):
    model = nn.Sequential(*(nn.Linear(i, o) for i, o in itertools.pairwise(sizes)))
    assert judges05.num_params(sizes) == sum(p.numel() for p in model.parameters())


def test_wrong_numbers_differ_from_the_right_one():
    """Otherwise a message could name the wrong mistake."""
    sizes = [4, 6, 5, 3, 2]
    counts = [judges05.num_params(sizes, kind) for kind in ["", *judges05.COUNT_MISTAKES]]
    assert len(set(counts)) == len(counts)
    losses = [tuple(judges05.loop_losses(8, kind)) for kind in ["", *judges05.LOOP_MISTAKES]]
    assert len(set(losses)) == len(losses)
    stds = [round(judges05.init_std(400, 250, kind), 4) for kind in ["", *judges05.INIT_MISTAKES]]
    assert len(set(stds)) == len(stds)


def test_a_sequential_module_is_right_too():
    class MyNet(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            layers = []
            for i, o in itertools.pairwise(sizes):
                layers += [nn.Linear(i, o), nn.ReLU()]
            self.stack = nn.Sequential(*layers[:-1])

        def forward(self, X):
            return self.stack(X)

    assert check("05.module", MyNet).correct


def test_a_net_that_forgets_a_bias_or_ignores_its_sizes():
    class NoBias(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            pairs = itertools.pairwise(sizes)
            self.layers = nn.ModuleList(nn.Linear(i, o, bias=False) for i, o in pairs)

        def forward(self, X):
            return X

    assert "a parameter of shape (5,) is missing" in check("05.module", NoBias).message

    class Plain:
        def __init__(self, sizes):
            self.sizes = sizes

        def forward(self, X):
            return X

    assert "nn.Module" in check("05.module", Plain).message


def test_losses_by_functional_or_by_hand_are_right_too():
    def my_train(model, X, y, optimizer, num_epochs):
        losses = np.zeros(num_epochs)
        for epoch in range(num_epochs):
            optimizer.zero_grad()
            loss = ((model(X) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses[epoch] = loss.item()
        return losses

    assert check("05.loop", my_train).correct


def test_training_a_copy_is_noticed():
    import copy

    def my_train(model, X, y, optimizer, num_epochs):
        model = copy.deepcopy(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.3)
        losses = []
        for _ in range(num_epochs):
            loss = nn.functional.mse_loss(model(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    assert "was not trained" in check("05.loop", my_train).message


@pytest.mark.parametrize(
    "answer",
    [
        lambda y_hat, y: ((y_hat - np.reshape(y, y_hat.shape)) ** 2).mean(),
        lambda y_hat, y: nn.functional.mse_loss(y_hat, y.view_as(y_hat)),
        lambda y_hat, y: ((y_hat.flatten() - y.flatten()) ** 2).mean().item(),
    ],
)
def test_mse_in_numpy_or_torch(answer):
    assert check("05.shapes", answer).correct


def test_uniform_weights_are_noticed():
    def my_init(model):
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    assert "uniform weights" in check("05.init", my_init).message


def test_no_file_and_a_shared_model_are_noticed():
    assert "no file at `path`" in check("05.save", lambda m, make, path: make()).message

    def whole_in_a_list(model, make, path):
        torch.save([model.state_dict()], path)
        return model

    assert check("05.save", whole_in_a_list).state == "not yet"


def test_the_checks_leave_random_numbers_alone():
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    check("05.init", lambda model: None)
    check("05.save", lambda m, make, path: make())
    assert torch.equal(torch.random.get_rng_state(), before)
