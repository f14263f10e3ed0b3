"""Chapter 03."""

RIGHT = {
    "03.nor": [
        "my_nor = lambda: (-3, -2, 1)",
        "def my_nor():\n    return np.array([-0.1, -0.3, 0.1])",
        "def my_nor():\n    return torch.tensor([-1.0, -1.0, 0.5])",
        "def my_nor():\n    w1 = w2 = -1e4\n    return [w1, w2, 1.0]",
        "def my_nor(scale=20):\n    return {'w': -scale}['w'], -scale, np.float32(scale / 2)",
        "def my_nor():\n    return nn.Parameter(-torch.ones(2))[0], torch.tensor([-1.0]), 0.75",
    ],
    "03.log_softmax": [
        "my_log_softmax = lambda z: torch.log_softmax(torch.as_tensor(z).float(), dim=-1)",
        """
def my_log_softmax(z):
    if z.ndim == 1:
        top = max(z)
        return [value - top - math.log(sum(math.exp(v - top) for v in z)) for value in z]
    return [my_log_softmax(row) for row in z]
""",
        """
def my_log_softmax(z):
    top = torch.max(z, dim=-1, keepdim=True).values
    return z - (top + torch.log(torch.exp(z - top).sum(-1, keepdim=True)))
""",
        """
def my_log_softmax(z):
    z = z.T - z.max(-1)
    return (z - np.log(np.exp(z).sum(0))).T
""",
        """
def my_log_softmax(z):
    z = z.clone().requires_grad_()
    return z - z.logsumexp(-1, keepdim=True)
""",
        """
def my_log_softmax(z):
    z = np.asarray(z)
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
""",
        "my_log_softmax = nn.LogSoftmax(dim=-1)",
        """
def my_log_softmax(z):
    s = z.copy()
    s -= s.max(axis=-1, keepdims=True)
    s -= np.log(np.exp(s).sum(axis=-1, keepdims=True))
    return s
""",
    ],
    "03.tanh_slope": [
        "my_tanh_slope = lambda y: (1 - y) * (1 + y)",
        """
def my_tanh_slope(y):
    return 1 / np.cosh(np.arctanh(np.clip(y, -1 + 1e-12, 1 - 1e-12))) ** 2
""",
        "def my_tanh_slope(y):\n    return 1 - torch.as_tensor(y).float().square()",
        "def my_tanh_slope(y):\n    return np.array([1 - v * v for v in y.flat]).reshape(y.shape)",
        "def my_tanh_slope(y):\n    return np.ones_like(y) - np.multiply(y, y)",
        "def my_tanh_slope(*, a):\n    slope = a.copy()\n    slope *= -a\n    return slope + 1",
    ],
    "03.forward": [
        """
def my_forward(X, layers):
    A = torch.as_tensor(X)
    for i, (W, b) in enumerate(layers):
        A = A @ torch.as_tensor(W) + torch.as_tensor(b)
        A = torch.sigmoid(A) if i < len(layers) - 1 else A
    return A
""",
        """
def my_forward(X, layers):
    for W, b in layers[:-1]:
        X = (X @ W + b).sigmoid()
    W, b = layers[-1]
    return X @ W + b
""",
        """
def my_forward(X, layers):
    W, b = layers.pop(0)
    Z = X @ W + b
    return my_forward(1 / (1 + np.exp(-Z)), layers) if layers else Z
""",
        """
from functools import reduce
def my_forward(X, layers):
    (W, b), *rest = layers
    return reduce(lambda Z, p: np.tanh(Z / 2) / 2 @ p[0] + p[0].sum(0) / 2 + p[1], rest, X @ W + b)
""",
        """
def my_forward(X, layers):
    modules = []
    for W, b in layers:
        layer = nn.Linear(*W.shape, dtype=torch.float64)
        layer.load_state_dict({"weight": torch.tensor(W.T), "bias": torch.tensor(b)})
        modules += [layer, nn.Sigmoid()]
    return nn.Sequential(*modules[:-1])(torch.tensor(X))
""",
        """
class Network:
    def __call__(self, X, *, layers):
        A = np.atleast_2d(X)
        for k, (W, b) in enumerate(layers, start=1):
            A = np.einsum("ni,io->no", A, W) + b
            if k != len(layers):
                A = np.exp(A) / (np.exp(A) + 1)
        return A if X.ndim == 2 else A[0]
my_forward = Network()
""",
    ],
    "03.gradients": [
        """
def my_gradients(X, T, *params):
    params = [torch.tensor(p, requires_grad=True) for p in params]
    W1, b1, W2, b2 = params
    Y = torch.tanh(torch.tensor(X) @ W1 + b1) @ W2 + b2
    F.mse_loss(Y, torch.tensor(T)).backward()
    return [p.grad for p in params]
""",
        """
def my_gradients(X, T, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros_like(p) for p in (W1, b1, W2, b2))
    for x, t in zip(X, T, strict=True):
        a = np.tanh(x @ W1 + b1)
        d2 = 2 * (a @ W2 + b2 - t) / len(X)
        d1 = (W2 @ d2) * (1 - a * a)
        dW2 += np.outer(a, d2)
        db2 += d2
        dW1 += np.outer(x, d1)
        db1 += d1
    return dW1, db1, dW2, db2
""",
        """
def my_gradients(X, T, W1, b1, W2, b2):
    N = X.shape[0]
    Z = X @ W1 + b1
    A = torch.tanh(Z)
    D2 = (2 / N) * (A @ W2 + b2 - T)
    D1 = D2 * W2.T / torch.cosh(Z) ** 2
    return X.T @ D1, D1.sum(0), A.T @ D2, D2.sum(0)
""",
        """
def my_gradients(X, T, W1, b1, W2, b2):
    A = np.tanh(np.dot(X, W1) + b1)
    dY = 2 * (np.dot(A, W2) + b2 - T)
    dZ = np.dot(dY, W2.T) * (1 - A) * (1 + A)
    mean = lambda left, right: (left[:, :, None] * right[:, None, :]).mean(axis=0)
    return [mean(X, dZ), dZ.mean(axis=0), mean(A, dY), dY.mean(axis=0)]
""",
        """
def my_gradients(X, T, W1, b1, W2, b2):
    def loss(W1, b1, W2, b2):
        return ((torch.tanh(X @ W1 + b1) @ W2 + b2 - T) ** 2).mean()
    return torch.func.grad(loss, argnums=(0, 1, 2, 3))(W1, b1, W2, b2)
""",
    ],
    "03.polyline": [
        """
def my_polyline(x, knots, heights):
    piece = np.clip(np.searchsorted(knots, x) - 1, 0, len(knots) - 2)
    slope = (heights[piece + 1] - heights[piece]) / (knots[piece + 1] - knots[piece])
    return heights[piece] + slope * (x - knots[piece])
""",
        """
def my_polyline(x, knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    changes = np.diff(slopes)
    bends = np.maximum(0, np.subtract.outer(x, knots[1:-1])) @ changes
    return heights[0] + slopes[0] * (x - knots[0]) + bends
""",
        """
def my_polyline(x, knots, heights):
    x, knots, heights = (torch.as_tensor(v).double() for v in (x, knots, heights))
    slopes = heights.diff() / knots.diff()
    y = heights[0] + slopes[0] * (x - knots[0])
    for knot, change in zip(knots[1:-1], slopes.diff()):
        y = y + change * torch.relu(x - knot)
    return y
""",
        """
def my_polyline(x, knots, heights):
    values = []
    for at in x:
        slope = (heights[1] - heights[0]) / (knots[1] - knots[0])
        value = heights[0] + slope * (at - knots[0])
        for k in range(1, len(knots) - 1):
            new = (heights[k + 1] - heights[k]) / (knots[k + 1] - knots[k])
            value += (new - slope) * max(0.0, at - knots[k])
            slope = new
        values.append(value)
    return values
""",
        """
def my_polyline(x, knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    c = np.diff(slopes, prepend=0.0)
    left = np.maximum(0, knots[0] - x) * -slopes[0]
    return heights[0] + left + sum(ci * np.maximum(0, x - k) for ci, k in zip(c, knots))
""",
    ],
}
EQUIVALENT = {
    "03.nor": {
        f"return (-1.0, -1.0, 0.5) >>> return ({numbers})": "other numbers of the same gate"
        for numbers in (
            "-0.5, -0.5, 0.5",
            "-1.0, -1.0, --0.5",
            "-1.0, -1.5, 0.5",
            "-1.0, -3.0, 0.5",
            "-1.0, -4.0, 0.5",
            "-2.0, -1.0, 0.25",
            "-2.0, -1.0, 1.0",
        )
    },
    "03.log_softmax": {
        "s = z - z.max(axis=-1, keepdims=True) >>> s = z - z.max(axis=-1, keepdims=True) + 1": (
            "a shift of all scores cancels"
        ),
        "z = np.asarray(z) >>> pass": "arrays are arrays already",
        "z = np.asarray(z) >>> z = z": "arrays are arrays already",
    },
    "03.tanh_slope": {
        "return 1 - a ** 2 >>> return 0 - a ** 2 + 1": "the order does not matter",
        "return 1 - a ** 2 >>> return 1 - a ** 2 + 0": "nothing is added",
    },
    "03.forward": {
        "A = 1 / (1 + np.exp(-(A @ W + b))) >>> A = 1 / (1 + np.exp(-(b + A @ W)))": (
            "the order does not matter"
        ),
        "return A @ W + b >>> return b + A @ W": "the order does not matter",
    },
}
