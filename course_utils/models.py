"""Networks that read digits: the ones that chapter 12 builds, ready-made for the other chapters."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_utils.names import look_up
from course_utils.reals import flag, number, whole

_VARIANTS = {"A": "A", "B": "B"}
_one_at_a_time = threading.Lock()


def digit_cnn(
    variant: str = "A",
    *,
    in_channels: int = 1,
    num_classes: int = 10,
    num_blocks: int = 2,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """A convolutional network for images (N, in_channels, 28, 28) → logits (N, num_classes).

    - Variant "A": convolutions 1 → 32 → 64 (3x3, padding 1), each with ReLU and 2x2 max pooling,
      then 3136 → 128 → 10. PyTorch's own initialisation. 421,642 parameters.
    - Variant "B": convolutions 1 → 32 → 32 (3x3, no padding), each with ReLU and 2x2 max pooling,
      then 800 → 100 → 10. Kaiming-uniform weights (He et al., 2015), Xavier-uniform in the last
      layer (Glorot and Bengio, 2010), biases zero. 90,678 parameters.

    ``num_blocks=1`` leaves the second convolution out. ``batch_norm`` normalises after each
    convolution; ``dropout`` is the probability of dropping a hidden unit before the last layer.
    Layers carry names: ``model.conv1``, ``model.fc1``, ``model.head`` and so on.

    Weights are drawn from PyTorch's global generator: call `torch.manual_seed` first.
    Raises ValueError for an unknown variant or a value out of range.
    """
    variant = look_up("variant", variant, _VARIANTS)
    num_blocks = whole("num_blocks", num_blocks, 1, 2)
    in_channels = whole("in_channels", in_channels, 1)
    num_classes = whole("num_classes", num_classes, 1)
    dropout = number("dropout", dropout, 0, 1, below=True)
    batch_norm = flag("batch_norm", batch_norm)
    channels, padding, hidden = ((32, 64), 1, 128) if variant == "A" else ((32, 32), 0, 100)

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    size, before = 28, in_channels
    for i, after in enumerate(channels[:num_blocks], start=1):
        layers[f"conv{i}"] = nn.Conv2d(before, after, kernel_size=3, padding=padding)
        if batch_norm:
            layers[f"norm{i}"] = nn.BatchNorm2d(after)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(2)
        size, before = (size - 2 + 2 * padding) // 2, after
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(before * size * size, hidden)
    layers["relu_fc1"] = nn.ReLU()
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers["head"] = nn.Linear(hidden, num_classes)
    model = nn.Sequential(layers)
    if variant == "B":
        _initialise_b(model)
    return model


class Residual(nn.Module):
    """relu(h + body(h)), with two convolutions as the body (He et al., 2016). Keeps the shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_normed(channels, channels), nn.ReLU(), *_normed(channels, channels)
        )

    def forward(self, h: Tensor) -> Tensor:
        """Maps (N, channels, H, W) → (N, channels, H, W)."""
        return torch.relu(h + self.body(h))


def digit_resnet(width: int = 16, *, in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """A small residual network: images (N, in_channels, 28, 28) → logits (N, num_classes).

    Convolution with stride 2 to ``width`` channels, batch norm, ReLU, a residual block; the same
    once more to twice as many; the mean of each of these 7x7 maps (global average pooling), and one
    linear layer. 28,410 parameters with width 16. Layers carry names: ``model.conv1``,
    ``model.block1``, ``model.head``. PyTorch's own initialisation, from its global generator.
    Raises ValueError for a value out of range.
    """
    width = whole("width", width, 1)
    before = whole("in_channels", in_channels, 1)
    num_classes = whole("num_classes", num_classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, after in enumerate((width, 2 * width), start=1):
        layers[f"conv{i}"], layers[f"norm{i}"] = _normed(before, after, stride=2)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"block{i}"] = Residual(after)
        before = after
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["head"] = nn.Linear(before, num_classes)
    return nn.Sequential(layers)


def _normed(before: int, after: int, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution and its batch norm, whose shift makes a bias of its own useless."""
    conv = nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(after)


def digit_mlp(
    hidden: Sequence[int] = (64,),
    *,
    in_features: int = 784,
    num_classes: int = 10,
    dropout: float = 0.0,
) -> nn.Sequential:
    """A plain network: images (N, ...) are flattened to (N, in_features) → logits (N, num_classes).

    ``hidden`` are the widths of the hidden layers, each followed by ReLU; ``()`` gives softmax
    regression. ``dropout`` acts after each hidden layer. PyTorch's own initialisation, from its
    global generator. Raises ValueError for a value out of range.
    """
    in_features = whole("in_features", in_features, 1)
    num_classes = whole("num_classes", num_classes, 1)
    dropout = number("dropout", dropout, 0, 1, below=True)
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    before = in_features
    listed = isinstance(hidden, Sequence) and not isinstance(hidden, str | bytes)
    if not listed and getattr(hidden, "ndim", 0) != 1:
        raise ValueError(f"hidden must be a list of widths, got {hidden!r}")
    for i, width in enumerate(hidden, start=1):
        width = whole("hidden", width, 1)
        layers[f"fc{i}"] = nn.Linear(before, width)
        layers[f"relu{i}"] = nn.ReLU()
        if dropout:
            layers[f"dropout{i}"] = nn.Dropout(dropout)
        before = width
    layers["head"] = nn.Linear(before, num_classes)
    return nn.Sequential(layers)


def _initialise_b(model: nn.Sequential) -> None:
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if layer is model.head:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


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
