"""Autograd for single numbers: each result remembers its inputs and its slope along each of them.

>>> w, x = Scalar(3.0), Scalar(2.0)
>>> (loss := (w * x - 5) ** 2).backward()
>>> loss.value, w.grad, x.grad
(1.0, 4.0, 6.0)

Chapter 04 builds this class step by step. Numbers as in PyTorch; so does `backward` add to `grad`.
"""

from __future__ import annotations

from course_utils.reals import ieee, power


class Scalar:
    """A number that remembers its inputs, pairs (node, local derivative); `backward` fills grad."""

    def __init__(self, value: float, inputs: tuple = (), op: str = "", name: str = "") -> None:
        self.value, self.inputs, self.op, self.name = float(value), inputs, op, name
        self.grad = 0.0

    def __repr__(self) -> str:
        return f"Scalar({self.value:g}, grad={self.grad:g})"

    def __add__(self, other: Scalar | float) -> Scalar:
        other = as_scalar(other)
        return Scalar(self.value + other.value, ((self, 1.0), (other, 1.0)), "+")

    def __mul__(self, other: Scalar | float) -> Scalar:
        other = as_scalar(other)
        return Scalar(self.value * other.value, ((self, other.value), (other, self.value)), "×")

    def __sub__(self, other: Scalar | float) -> Scalar:
        other = as_scalar(other)
        return Scalar(self.value - other.value, ((self, 1.0), (other, -1.0)), "−")

    def __pow__(self, n: float) -> Scalar:  # n is a plain number
        slope = n * power(self.value, n - 1) if n else 0.0
        return Scalar(power(self.value, n), ((self, slope),), f"^{n:g}")

    def __truediv__(self, other: Scalar | float) -> Scalar:
        other = as_scalar(other)
        out, slope = ieee("divide", self.value, other.value), ieee("divide", 1, other.value)
        return Scalar(out, ((self, slope), (other, -ieee("divide", out, other.value))), "÷")

    def __neg__(self) -> Scalar:
        return self * -1

    def __rsub__(self, other: float) -> Scalar:
        return as_scalar(other) - self

    def __rtruediv__(self, other: float) -> Scalar:
        return as_scalar(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def exp(self) -> Scalar:
        return Scalar(out := ieee("exp", self.value), ((self, out),), "exp")

    def log(self) -> Scalar:
        return Scalar(ieee("log", self.value), ((self, ieee("divide", 1, self.value)),), "log")

    def tanh(self) -> Scalar:
        return Scalar(out := ieee("tanh", self.value), ((self, 1 - out * out),), "tanh")

    def sigmoid(self) -> Scalar:
        return Scalar(out := 1 / (1 + ieee("exp", -self.value)), ((self, out * (1 - out)),), "σ")

    def relu(self) -> Scalar:  # its slope at exactly 0 is taken as 0
        return Scalar(max(self.value, 0.0), ((self, float(not self.value <= 0)),), "relu")

    def graph(self) -> list[Scalar]:
        """Every node that led here, once, each after its inputs; self comes last."""
        nodes, seen, stack = [], set(), [(self, False)]
        while stack:  # no recursion: a long sum is a deep graph
            node, inputs_done = stack.pop()
            if inputs_done:
                nodes.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *((origin, False) for origin, _ in node.inputs[::-1])]
        return nodes

    def backward(self) -> None:
        """Add to `grad`, in every node that led here, the derivative of this result."""
        flow = {self: 1.0}  # of this walk alone
        for node in reversed(self.graph()):
            node.grad += (arrived := flow.get(node, 0.0))
            for origin, slope in node.inputs:
                if slope or node.op not in ("relu", "^0"):  # these keep back even infinity
                    flow[origin] = flow.get(origin, 0.0) + slope * arrived

    def zero_grad(self) -> None:  # here, and in every node that led here
        for node in self.graph():
            node.grad = 0.0


def as_scalar(x: Scalar | float) -> Scalar:
    return x if isinstance(x, Scalar) else Scalar(x)
