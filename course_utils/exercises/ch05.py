"""Chapter 05, modules: count, build, train, compare shapes, initialise, save.

What the learner reads stands here; how the answers are judged, in ``judges05.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges05 as judges

SETUP = """
import torch
from torch import nn
"""

_COUNT = """
def my_num_params(sizes):
    total = 0
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        total += n_out * n_in + n_out
    return total
""".strip()

_NET = """
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = zip(sizes[:-1], sizes[1:])
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairs)

    def forward(self, X):
        for layer in self.layers[:-1]:
            X = torch.relu(layer(X))
        return self.layers[-1](X)
""".strip()

_TRAIN = """
def my_train(model, X, y, optimizer, num_epochs):
    loss_fn = nn.MSELoss()
    losses = []
    for epoch in range(num_epochs):
        y_hat = model(X)
        loss = loss_fn(y_hat, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""".strip()

_MSE = """
def my_mse(y_hat, y):
    difference = y_hat - y.reshape(y_hat.shape)
    return (difference**2).mean()
""".strip()

_INIT = """
def my_init(model):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
""".strip()

_COPY = """
def my_copy(model, make_model, path):
    torch.save(model.state_dict(), path)
    copy = make_model()
    copy.load_state_dict(torch.load(path, weights_only=True))
    return copy.eval()
""".strip()

EXERCISES = (
    Exercise(
        name="05.count",
        title="count the parameters",
        prompt=r"""
A network of `nn.Linear` layers is given by its layer sizes: `[3, 3, 2, 2]` has three inputs, hidden
layers of three and two units, and two outputs. Every layer has its biases. How many parameters does
the network have?
""",
        answer="my_num_params",
        stub='''
def my_num_params(sizes):
    """Number of weights and biases of the network with these layer sizes."""
    raise NotImplementedError
''',
        hints=(
            "A layer from n_in to n_out has a weight of shape (n_out, n_in). How many biases?",
            "`zip(sizes[:-1], sizes[1:])` gives the pairs (n_in, n_out), one for each layer. Each "
            "adds n_out · n_in weights and n_out biases.",
        ),
        solution=_COUNT,
        wrong=(
            (variant(_COUNT, ("n_in + n_out", "n_in")), "biases are missing"),
            (variant(_COUNT, ("n_in + n_out", "n_in + n_in")), "one bias for each *output*"),
            (variant(_COUNT, ("n_in + n_out", "n_in + 1")), "one bias for the whole layer"),
            (variant(_COUNT, ("total += n_out", "total = n_out")), "only the last layer"),
        ),
        checker=judges.check_count,
        examples=(("my_num_params([3, 3, 2, 2])", "26"),),
    ),
    Exercise(
        name="05.module",
        title="build a module",
        prompt=r"""
Write a module `MyNet(sizes)` for any list of layer sizes: a linear layer between each two
neighbours, a ReLU after every layer **except the last one**. An input of shape (N, `sizes[0]`)
gives an output of shape (N, `sizes[-1]`).
""",
        answer="MyNet",
        stub='''
class MyNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        raise NotImplementedError

    def forward(self, X):
        """(N, sizes[0]) → (N, sizes[-1])."""
        raise NotImplementedError
''',
        hints=(
            "Make the layers in `__init__`, in a loop over the pairs of sizes, and keep them where "
            "the module can see them.",
            "`nn.ModuleList` is a list that registers what is in it. (Or collect layers and ReLUs "
            "in a list and hand them to `nn.Sequential(*layers)`.)",
        ),
        solution=_NET,
        wrong=(
            (
                variant(_NET, ("nn.ModuleList(nn", "list(nn")),
                "plain Python list",
            ),
            (
                variant(
                    _NET,
                    ("self.layers[:-1]:", "self.layers:"),
                    ("return self.layers[-1](X)", "return X"),
                ),
                "after the last layer",
            ),
            (variant(_NET, ("torch.relu(layer(X))", "layer(X)")), "no ReLU"),
            (variant(_NET, ("        super().__init__()\n", "")), "super().__init__()"),
        ),
        checker=judges.check_module,
    ),
    Exercise(
        name="05.loop",
        title="the five-line loop",
        prompt=r"""
Train `model` on all of `X` and `y` for `num_epochs` epochs, with the mean squared error. Return the
list of the losses, one plain number per epoch: the loss that the epoch's gradients come from.
""",
        answer="my_train",
        stub='''
def my_train(model, X, y, optimizer, num_epochs):
    """Train the model; return its losses, a list of num_epochs numbers."""
    raise NotImplementedError
''',
        hints=(
            "Five lines in the loop: forward, loss, zero_grad, backward, step. And one that notes "
            "the loss.",
            "`losses.append(loss.item())`: without `.item()` each entry keeps its whole graph.",
        ),
        solution=_TRAIN,
        wrong=(
            (variant(_TRAIN, ("        optimizer.zero_grad()\n", "")), "gradients pile up"),
            (
                variant(
                    _TRAIN,
                    ("        optimizer.zero_grad()\n", ""),
                    ("        optimizer.step()\n", "        optimizer.zero_grad()\n"),
                ),
                "never changes",
            ),
            (variant(_TRAIN, ("loss.item()", "loss")), "plain number"),
            (
                variant(
                    _TRAIN,
                    ("    for epoch in range(num_epochs):\n        y_hat = model(X)\n", ""),
                    (
                        "    losses = []\n",
                        "    losses = []\n    y_hat = model(X)\n"
                        "    for epoch in range(num_epochs):\n",
                    ),
                ),
                "inside the loop",
            ),
        ),
        checker=judges.check_loop,
    ),
    Exercise(
        name="05.shapes",
        title="find the bug",
        prompt=r"""
A colleague's loss is far too large, and the network learns to give the same number everywhere:

```python
def mse(y_hat, y):
    return ((y_hat - y) ** 2).mean()
```

The model gives `y_hat` of shape (N, 1); the targets come as (N,) from one file and as (N, 1) from
another. Write `my_mse`, which gives the mean squared error for both.
""",
        answer="my_mse",
        stub='''
def my_mse(y_hat, y):
    """Mean squared error, a number. y_hat: (N, 1). y: (N,) or (N, 1)."""
    raise NotImplementedError
''',
        hints=(
            "Which shape has `y_hat - y` when the shapes are (N, 1) and (N,)? Broadcasting aligns "
            "from the right.",
            "Give `y` the shape of `y_hat` first: `reshape` does it for both kinds of targets.",
        ),
        solution=_MSE,
        wrong=(
            (variant(_MSE, ("y.reshape(y_hat.shape)", "y")), "broadcast to (N, N)"),
            (
                variant(_MSE, ("y_hat - y.reshape(y_hat.shape)", "y_hat[:, 0] - y")),
                "when y has shape (N, 1)",
            ),
            (variant(_MSE, (".mean()", ".sum()")), "sum"),
            (variant(_MSE, ("difference**2", "abs(difference)")), "absolute"),
        ),
        checker=judges.check_shapes,
        examples=(("my_mse(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]))", "2.0"),),
    ),
    Exercise(
        name="05.init",
        title="initialise a network",
        prompt=r"""
Initialise every `nn.Linear` in `model`, also those inside of other modules: Kaiming-normal weights
for ReLU, standard deviation $\sqrt{2/D}$ with $D$ the number of the layer's inputs, and zero
biases. Change the model in place; nothing needs to be returned.
""",
        answer="my_init",
        stub='''
def my_init(model):
    """Kaiming-normal weights and zero biases for every nn.Linear in the model."""
    raise NotImplementedError
''',
        hints=(
            "`model.modules()` walks through all modules at every depth; `isinstance` picks the "
            "linear ones.",
            "`torch.nn.init` has a function for the weights (ending in `_`: in place) and one for "
            "the zeros.",
        ),
        solution=_INIT,
        wrong=(
            (
                variant(
                    _INIT,
                    (
                        'kaiming_normal_(layer.weight, nonlinearity="relu")',
                        "xavier_normal_(layer.weight)",
                    ),
                ),
                "That is Xavier",
            ),
            (variant(_INIT, ("\n            nn.init.zeros_(layer.bias)", "")), "are not 0"),
            (variant(_INIT, ("model.modules()", "model.children()")), "still has its old weights"),
            (
                variant(
                    _INIT,
                    (
                        'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")',
                        "nn.init.normal_(layer.weight, 0, 2 / layer.in_features)",
                    ),
                ),
                "the root is missing",
            ),
        ),
        checker=judges.check_init,
    ),
    Exercise(
        name="05.save",
        title="save, load, use",
        prompt=r"""
Save the parameters of `model` (not the whole object) in the file `path`. Then make a fresh model
with `make_model()`, load the parameters from the file into it with `weights_only=True`, and return
it ready for use: in evaluation mode.
""",
        answer="my_copy",
        stub='''
def my_copy(model, make_model, path):
    """A fresh model with the parameters of the old one, which travelled through a file."""
    raise NotImplementedError
''',
        hints=(
            "`model.state_dict()` goes into the file; the fresh model has a method that takes it.",
            "`torch.save(what, path)`, `torch.load(path, weights_only=True)`, "
            "`load_state_dict(...)`, and `eval()` at the end.",
        ),
        solution=_COPY,
        wrong=(
            (
                variant(
                    _COPY,
                    ("model.state_dict(), path", "model, path"),
                    ("    copy = make_model()\n", ""),
                    (
                        "copy.load_state_dict(torch.load(path, weights_only=True))",
                        "copy = torch.load(path, weights_only=False)",
                    ),
                ),
                "whole model",
            ),
            (variant(_COPY, ("copy = make_model()", "copy = model")), "the old model itself"),
            (
                variant(
                    _COPY,
                    (
                        "    copy.load_state_dict(torch.load(path, weights_only=True))\n",
                        "    torch.load(path, weights_only=True)\n",
                    ),
                ),
                "not those of the old model",
            ),
            (variant(_COPY, ("copy.eval()", "copy")), "train mode"),
        ),
        checker=judges.check_save,
    ),
)
