"""Answers that learners may give: right ones of every style, and wrong ones beyond the typical."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks import check
from course_utils.exercises import judges12
from course_utils.optimizers import Adam as CourseAdam
from course_utils.optimizers import Momentum
from course_utils.optimizers import RMSProp as CourseRMSProp


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def default_dtype(request):
    """Both kinds of notebook: those that train in float64, and PyTorch's own default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


# -------------------------------------------------------------------- other right answers


def ema_with_torch(values, beta):
    average, averages = torch.zeros((), dtype=torch.float32), []
    for t, value in enumerate(values, start=1):
        average = torch.lerp(torch.as_tensor(value, dtype=torch.float32), average, beta)
        averages.append(average / (1 - beta**t))
    return torch.stack(averages)


def ema_with_a_matrix(values, beta):
    t = np.arange(len(values))
    weights = np.tril(beta ** np.abs(np.subtract.outer(t, t), dtype=float))
    return weights @ values / weights.sum(1)


class OnlyTorchRMSProp:
    def __init__(self, lr, alpha, eps):
        self.lr, self.alpha, self.eps, self.s = lr, alpha, eps, None

    def update(self, w, grad):
        self.s = torch.zeros_like(w) if self.s is None else self.s
        self.s = self.alpha * self.s + (1 - self.alpha) * grad.square()
        return w - self.lr * grad / (self.s.sqrt() + self.eps)


class TorchAdam:
    """torch.optim itself behind the interface of the exercise."""

    def __init__(self, lr, betas, eps):
        self.settings = {"lr": lr, "betas": betas, "eps": eps}
        self.params = None

    def step(self, params, grads):
        if self.params is None:
            self.params = [torch.tensor(w, dtype=torch.float32) for w in params]
            self.optimizer = torch.optim.Adam(self.params, **self.settings)
        for w, grad in zip(self.params, grads, strict=True):
            w.grad = torch.tensor(grad, dtype=torch.float32)
        self.optimizer.step()
        return tuple(w.clone() for w in self.params)


class AdamOfAdams:
    def __init__(self, **settings):
        self.settings, self.each = settings, []

    def step(self, params, grads):
        self.each = self.each or [CourseAdam(**self.settings) for _ in params]
        return [a.update(w, g) for a, w, g in zip(self.each, params, grads, strict=True)]


def adamw_the_other_way(w, grad, adam, lr, weight_decay):
    return adam.update(w, grad) - lr * weight_decay * w


def adamw_in_torch(w, grad, adam, lr, weight_decay):
    return adam.update(torch.mul(w, 1 - lr * weight_decay), grad)


class PerCoordinate:
    """Uses the known curvature: a Newton step, which sees the gradient only."""

    def update(self, w, grad):
        return w - grad / np.array([0.1, 4.0])


def rule_with_state(w, grad, state):
    state["v"] = 0.6 * state.get("v", 0.0) + grad
    return w - 0.4 * state["v"]


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
        ("00.relu", lambda x: x if x > 0 else 0),
        ("00.relu", lambda x: torch.relu(torch.tensor(x))),
        ("00.relu", lambda x: np.maximum(0, x)),
        ("09.ema", ema_with_torch),
        ("09.ema", ema_with_a_matrix),
        ("09.pytorch_lr", lambda lr_ema, momentum: lr_ema - lr_ema * momentum),
        ("09.rmsprop", OnlyTorchRMSProp),
        ("09.rmsprop", CourseRMSProp),
        ("09.adam", TorchAdam),
        ("09.adam", AdamOfAdams),
        ("09.adamw", adamw_the_other_way),
        ("09.adamw", adamw_in_torch),
        ("09.own_rule", PerCoordinate),
        ("09.own_rule", PerCoordinate()),
        ("09.own_rule", rule_with_state),
        ("09.own_rule", lambda: Momentum(lr=0.4, momentum=0.6)),
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


class InPlaceRMSProp(CourseRMSProp):
    def update(self, w, grad):
        w -= self.lr * grad
        return w


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


def fed_back(values, beta):
    average, averages = 0.0, []
    for t, value in enumerate(values, start=1):
        average = (beta * average + (1 - beta) * value) / (1 - beta**t)
        averages.append(average)
    return averages


def predict_with_graph(model, image):
    p = model.eval()(image[None]).softmax(1)[0]
    return p.argmax().item(), p


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("09.ema", fed_back, "fed back"),
        ("09.ema", lambda values, beta: ema_with_a_matrix(values, beta)[-1], "not only the last"),
        ("09.rmsprop", CourseRMSProp(lr=0.1), "Pass the class itself"),
        ("09.rmsprop", InPlaceRMSProp, "in place"),
        ("09.adam", PerCoordinate, "no method `step`"),
        ("09.own_rule", lambda w, grad: w[:1], "shape (2,), got shape (1,)"),
        ("09.own_rule", lambda w, grad: w * np.nan, "NaN"),
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


def test_an_own_rule_object_keeps_its_state():
    rule = Momentum(lr=0.4, momentum=0.6)
    rule.update(np.ones(2), np.ones(2))
    before = vars(rule).copy()
    check("09.own_rule", rule)
    assert str(vars(rule)) == str(before)
