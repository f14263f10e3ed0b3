"""Answers that learners may give: right ones of every style, and wrong ones beyond the typical."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks import check
from course_utils.exercises import judges12


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def default_dtype(request):
    """Both kinds of notebook: those that train in float64, and PyTorch's own default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


# -------------------------------------------------------------------- other right answers


class ModelB(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.head = nn.Linear(100, 10)
        self.hidden = nn.LazyLinear(100)
        self.conv2 = nn.Conv2d(32, 32, 3)
        self.conv1 = nn.LazyConv2d(32, 3)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = F.max_pool2d(conv(x), 2).clamp(min=0)  # pool first: the same numbers
        return self.head(F.relu(self.hidden(x.flatten(1))))


def accuracy_at_once(model, loader):
    model.train(False)
    X = torch.cat([X for X, _ in loader])
    y = torch.cat([y for _, y in loader])
    return (model(X).detach().numpy().argmax(1) == y.numpy()).mean()


def accuracy_by_dataset(model, loader):
    right = 0
    for X, y in loader:
        right += (model.eval()(X).argmax(dim=-1) == y).sum()
    return right / len(loader.dataset)


def confusion_numpy(y, y_hat, num_classes):
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (np.asarray(y), np.asarray(y_hat)), 1)
    return counts


def confusion_bincount(y, y_hat, num_classes):
    flat = torch.bincount(y * num_classes + y_hat, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).to(torch.float16)


def predict_in_numpy(model, image):
    model.eval()
    logits = model(image.unsqueeze(0)).detach().numpy()[0]
    powers = np.exp(logits - logits.max())
    return np.argmax(logits), (powers / powers.sum()).tolist()


def predict_with_tensors(model, image):
    with torch.no_grad():
        p = F.softmax(model.eval()(image[None]), dim=-1).squeeze(0)
    return [p.argmax(), p]


def occlusion_in_one_batch(model, image, digit, size):
    steps = 28 // size
    batch = image.repeat(steps**2, 1, 1, 1).reshape(steps, steps, 1, 28, 28)
    for i in range(steps):
        for j in range(steps):
            batch[i, j, 0, i * size : i * size + size, j * size : j * size + size] = 0
    p = model(batch.flatten(0, 1)).softmax(1)[:, digit]
    before = model(image[None]).softmax(1)[0, digit]
    return (before - p).reshape(steps, steps)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("12.flat_features", lambda size, blocks: float(judges12.flat_features(size, blocks))),
        ("12.model_b", ModelB),
        ("12.model_b", lambda n: ModelB(n).to(torch.float64)),
        ("12.accuracy", accuracy_at_once),
        ("12.accuracy", accuracy_by_dataset),
        ("12.confusion", confusion_numpy),
        ("12.confusion", confusion_bincount),
        ("12.predict", predict_in_numpy),
        ("12.predict", predict_with_tensors),
        ("12.occlusion", occlusion_in_one_batch),
    ],
)
def test_another_right_answer_is_right(name, answer, default_dtype):
    result = check(name, answer)
    assert result.correct, result


# ---------------------------------------------------------------- further wrong answers


class NormalisingNet(nn.Sequential):
    def __init__(self, *extra):
        super().__init__(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 100), nn.ReLU(), *extra,
            nn.Linear(100, 10),
        )  # fmt: skip


class PlainList(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.layers = [nn.Conv2d(in_channels, 10, 28), nn.Flatten()]

    def forward(self, x):
        return self.layers[1](self.layers[0](x))


def predict_with_graph(model, image):
    p = model.eval()(image[None]).softmax(1)[0]
    return p.argmax().item(), p


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("12.model_b", lambda n: NormalisingNet(nn.BatchNorm1d(100)), "no batch norm"),
        ("12.model_b", lambda n: NormalisingNet(nn.Dropout(0.5)), "no dropout"),
        ("12.model_b", PlainList, "plain Python list"),
        ("12.model_b", nn.Sequential(), "function that builds it"),
        ("12.predict", predict_with_graph, "inference_mode"),
        ("12.predict", lambda model, image: 3, "a pair"),
    ],
)
def test_further_wrong_answers(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet"
    assert part in result.message
    assert "could not be checked" not in result.message


def test_a_model_that_the_learner_still_uses_stays_as_it_is():
    model = NormalisingNet().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    check("12.model_b", lambda in_channels: model)
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
