"""The layers of a network in NumPy, each with its own ``forward`` and ``backward``.

``forward`` computes the output and remembers what ``backward`` will need. ``backward`` takes
``G``, the gradient of the loss with respect to the output, in the shape of the output, and
returns the gradient with respect to each input, in the shape of that input. The method is that of
D. E. Rumelhart, G. E. Hinton and R. J. Williams, *Learning representations by back-propagating
errors*, Nature 323, 1986; the numbers are those of PyTorch's autograd.

Inputs are arrays or lists of real numbers. float32 and float64 are kept, everything else becomes
float64. Between ``forward`` and ``backward`` do not change an array in place: the layers remember
arrays, not copies. An empty batch is refused, since it has no mean and teaches nothing. Infinities
and NaN come and go as in PyTorch, without a warning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.reals import quiet, real_array

__all__ = ["Add", "Affine", "Multiply", "ReLU", "Sigmoid", "SoftmaxWithLoss", "Tanh"]


class Layer:
    """What all layers share: a memory that `forward` fills and `backward` reads."""

    _memory: Any = None
    _out_shape: tuple[int, ...] = ()

    def _remember(self, memory: Any, out: Any) -> Any:
        self._memory, self._out_shape = memory, np.shape(out)
        return out

    def _recall(self, G: Any) -> tuple[Any, np.ndarray]:
        """The memory, and ``G`` as an array of the shape of the output."""
        if self._memory is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward was called before forward: it needs what forward "
                "remembers"
            )
        G = _floats(G, "G")
        if G.shape != self._out_shape:
            raise ValueError(
                f"G has shape {G.shape}; it must have the shape of the output, {self._out_shape}"
            )
        return self._memory, G


class Add(Layer):
    """x + y, entry by entry, for shapes that broadcast. Source: `torch.add`."""

    @quiet
    def forward(self, x: Any, y: Any) -> np.ndarray:
        """x, y: arrays whose shapes broadcast (ValueError otherwise) → their sum."""
        x, y = _pair(x, y)
        return self._remember((x.shape, y.shape), x + y)

    @quiet
    def backward(self, G: Any) -> tuple[np.ndarray, np.ndarray]:
        """G: shape of the output → (dx, dy), in the shapes of x and y.

        The gradient passes through unchanged. An entry that was used several times by
        broadcasting gets the sum over its uses.
        """
        (x_shape, y_shape), G = self._recall(G)
        return _summed_to(G, x_shape), _summed_to(G, y_shape)


class Multiply(Layer):
    """x · y, entry by entry, for shapes that broadcast. Source: `torch.mul`."""

    @quiet
    def forward(self, x: Any, y: Any) -> np.ndarray:
        """x, y: arrays whose shapes broadcast (ValueError otherwise) → their product."""
        x, y = _pair(x, y)
        return self._remember((x, y), x * y)

    @quiet
    def backward(self, G: Any) -> tuple[np.ndarray, np.ndarray]:
        """G: shape of the output → (dx, dy): each input gets G times the *other* input."""
        (x, y), G = self._recall(G)
        return _summed_to(G * y, x.shape), _summed_to(G * x, y.shape)


class ReLU(Layer):
    """max(x, 0), entry by entry. Its slope at exactly 0 is taken as 0. Source: `torch.relu`."""

    @quiet
    def forward(self, x: Any) -> np.ndarray:
        """x: any shape → the same shape."""
        x = _floats(x, "x")
        return self._remember(~(x <= 0), np.maximum(x, 0))  # so written, NaN passes, as in PyTorch

    @quiet
    def backward(self, G: Any) -> np.ndarray:
        """G → dx, all of one shape: G where x was above 0, else 0."""
        passes, G = self._recall(G)
        return np.where(passes, G, 0)  # a product would make NaN of ∞ · 0


class Sigmoid(Layer):
    """1 / (1 + exp(−x)), entry by entry, without overflow. Source: `torch.sigmoid`."""

    @quiet
    def forward(self, x: Any) -> np.ndarray:
        """x: any shape → the same shape, in [0, 1]."""
        x = _floats(x, "x")
        small = np.exp(-np.abs(x))  # never overflows
        out = np.where(x >= 0, 1, small) / (1 + small)
        return self._remember(out, out)

    @quiet
    def backward(self, G: Any) -> np.ndarray:
        """G → dx, all of one shape: G · out · (1 − out)."""
        out, G = self._recall(G)
        return G * out * (1 - out)


class Tanh(Layer):
    """tanh(x), entry by entry. Source: `torch.tanh`."""

    @quiet
    def forward(self, x: Any) -> np.ndarray:
        """x: any shape → the same shape, in [−1, 1]."""
        out = np.tanh(_floats(x, "x"))
        return self._remember(out, out)

    @quiet
    def backward(self, G: Any) -> np.ndarray:
        """G → dx, all of one shape: G · (1 − out²)."""
        out, G = self._recall(G)
        return G * (1 - out * out)


class Affine(Layer):
    """X W + b, the linear layer. `torch.nn.Linear` stores its weight transposed, (M, D).

    Args:
        W: weights, shape (D, M). b: biases, shape (M,). Arrays of floats are not copied, so that
            an update in place reaches them.

    Attributes:
        dW: gradient of the loss with respect to W, shape (D, M), after `backward`; None before.
        db: the same for b, shape (M,).

    Raises:
        ValueError: other shapes, or something that is no real number.
    """

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = _floats(W, "W"), _floats(b, "b")
        if self.W.ndim != 2 or self.b.shape != self.W.shape[1:]:
            raise ValueError(
                f"W has shape {self.W.shape} and b {self.b.shape}; they must be (D, M) and (M,)"
            )
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None

    @quiet
    def forward(self, X: Any) -> np.ndarray:
        """X: shape (N, D), one sample in each row, N ≥ 1 → shape (N, M)."""
        X = _floats(X, "X")
        if X.ndim != 2 or X.shape[1] != self.W.shape[0]:
            raise ValueError(
                f"X has shape {X.shape}; for W of shape {self.W.shape} it must be "
                f"(N, {self.W.shape[0]})"
            )
        return self._remember(X, X @ self.W + self.b)

    @quiet
    def backward(self, G: Any) -> np.ndarray:
        """G: shape (N, M) → dX, shape (N, D). Keeps dW and db.

        Every sample has used W and b, so both sum over the batch. Nothing is divided by N here:
        that is done once, in the loss.
        """
        X, G = self._recall(G)
        self.dW, self.db = X.T @ G, G.sum(axis=0)
        return G @ self.W.T


class SoftmaxWithLoss(Layer):
    """Softmax and cross-entropy in one layer, averaged over the batch.

    Source: `torch.nn.CrossEntropyLoss` with ``reduction="mean"``, for both kinds of labels.

    Attributes:
        probabilities: the softmax of the last logits, shape (N, C); None before `forward`.
    """

    def __init__(self) -> None:
        self.probabilities: np.ndarray | None = None

    @quiet
    def forward(self, logits: Any, labels: Any) -> float:
        """logits: shape (N, C), N ≥ 1 → the loss, a number.

        labels: N class indices 0 … C − 1, shape (N,), whole numbers; or one-hot rows (or rows of
            probabilities), shape (N, C).

        Raises:
            ValueError: other shapes, labels out of range, rows that do not sum to 1.
        """
        logits = _floats(logits, "logits")
        if logits.ndim != 2:
            raise ValueError(f"logits has shape {logits.shape}; it must be (N, C)")
        targets = _checked_labels(labels, *logits.shape)
        shifted = logits - logits.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        total = powers.sum(axis=1, keepdims=True)
        log_p, self.probabilities = shifted - np.log(total), powers / total
        if targets.ndim == 1:
            losses = -log_p[np.arange(len(targets)), targets]
        else:  # where a target is 0, the logarithm does not count, not even where it is −∞
            losses = -np.where(targets > 0, targets * log_p, 0).sum(axis=1)
        loss = losses.sum(dtype=np.float64) / len(losses)
        return self._remember((self.probabilities, targets), float(loss))

    @quiet
    def backward(self, G: Any = 1.0) -> np.ndarray:
        """G: a number → the gradient of the logits, shape (N, C): G · (p − target) / N."""
        (probabilities, targets), G = self._recall(G)
        if targets.ndim == 1:
            gradient = probabilities.copy()
            gradient[np.arange(len(targets)), targets] -= 1
        else:
            gradient = probabilities * targets.sum(axis=1, keepdims=True) - targets
        scale = probabilities.dtype.type(G) / len(targets)
        return gradient.astype(probabilities.dtype, copy=False) * scale


def _floats(value: Any, name: str) -> np.ndarray:
    """``value`` as a non-empty array of floats."""
    array = real_array(name, value)
    if array.dtype.kind == "b":
        raise ValueError(f"{name} has dtype {array.dtype}; real numbers are needed")
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}: give at least one sample")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _pair(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = _floats(x, "x"), _floats(y, "y")
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}: they do not broadcast") from None
    return x, y


def _summed_to(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``gradient`` summed over the axes along which ``shape`` was repeated by broadcasting."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1)
    return gradient.sum(axis=repeated, keepdims=True)


def _checked_labels(labels: Any, N: int, C: int) -> np.ndarray:
    """Class indices, shape (N,), or rows that sum to 1, shape (N, C), float64."""
    labels = real_array("labels", labels)
    if labels.shape == (N,) and labels.dtype.kind in "iu":
        wrong = labels[(labels < 0) | (labels >= C)]
        if wrong.size:
            raise ValueError(f"label {wrong[0]} is out of range; allowed are 0 to {C - 1}")
        return labels
    if labels.shape == (N, C):
        # What a smaller type has rounded need not sum to 1 more exactly than it can say.
        room = max(1e-6, 8 * np.finfo(labels.dtype).eps if labels.dtype.kind == "f" else 0)
        targets = labels.astype(np.float64)
        sums = targets.sum(axis=1)
        # So written, NaN is caught too.
        good = (targets >= 0).all(axis=1) & (np.abs(sums - 1) < room)
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"row {row} of the labels is {targets[row].tolist()}: it must sum to 1, with no "
                "entry below 0"
            )
        return targets
    raise ValueError(
        f"labels has shape {labels.shape} and dtype {labels.dtype}; for logits of shape {(N, C)} "
        f"allowed are {N} whole numbers, shape {(N,)}, or one-hot rows, shape {(N, C)}"
    )
