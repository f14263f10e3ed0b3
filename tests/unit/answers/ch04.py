"""Chapter 04."""

RIGHT = {
    "04.multiply": [
        """
class MyMultiply:
    def forward(self, x, y):
        self.x, self.y = np.float32(x), np.float32(y)
        return self.x * self.y

    def backward(self, dout):
        return [np.float32(dout) * self.y, np.float32(dout) * self.x]
""",
        """
class MyMultiply:
    def forward(self, x, y):
        self.x = torch.as_tensor(x).clone().requires_grad_()
        self.y = torch.as_tensor(y).clone().requires_grad_()
        self.out = self.x * self.y
        return self.out

    def backward(self, dout):
        self.out.backward(torch.as_tensor(dout))
        return self.x.grad, self.y.grad
""",
        """
class MyMultiply:
    def __init__(self):
        self.cache = []

    def forward(self, x, y):
        self.cache.append((x.copy(), y.copy()))
        return np.multiply(x, y)

    def backward(self, dout):
        x, y = self.cache.pop()
        return np.stack([dout * y, dout * x])
""",
        """
class MyMultiply(nn.Module):
    def forward(self, x, y):
        self.back = lambda dout: (torch.mul(dout, y), torch.mul(dout, x))
        return torch.mul(x, y)

    def backward(self, dout):
        return self.back(dout)
""",
        """
class _Product:
    def forward(self, left, right):
        self.kept = left, right
        return left * right

    def backward(self, dout):
        return tuple(dout * other for other in reversed(self.kept))

def MyMultiply():
    return _Product()
""",
        """
from functools import partial

class _Product:
    def __init__(self, names):
        self.names = names

    def forward(self, x, y):
        vars(self).update(zip(self.names, (x, y)))
        return x * y

    def backward(self, dout):
        return dout * self.right, dout * self.left

MyMultiply = partial(_Product, ("left", "right"))
""",
    ],
    "04.relu": [
        """
class MyReLU:
    def forward(self, x):
        self.passes = torch.as_tensor(x) > 0
        return torch.relu(torch.as_tensor(x))

    def backward(self, dout):
        return torch.as_tensor(dout) * self.passes
""",
        """
class MyReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx
""",
        """
class MyReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)

    def backward(self, dout):
        return np.where(self.x > 0, dout, 0)
""",
        """
class MyReLU(nn.Module):
    def forward(self, x):
        self.x = x.clone().requires_grad_()
        self.out = F.relu(self.x)
        return self.out

    def backward(self, dout):
        return torch.autograd.grad(self.out, self.x, dout)[0]
""",
        """
class MyReLU:
    def forward(self, x):
        self.out = (np.abs(x) + x) / 2
        return self.out

    def backward(self, dout):
        return dout * np.sign(self.out)
""",
        """
class MyReLU:
    def forward(self, x):
        self.shape = np.shape(x)
        self.flat = [float(v) for v in np.ravel(x)]
        return np.reshape([v if v > 0 else 0.0 for v in self.flat], self.shape)

    def backward(self, dout):
        pairs = zip(self.flat, np.ravel(dout))
        return np.reshape([d if v > 0 else 0.0 for v, d in pairs], self.shape)
""",
    ],
    "04.affine_backward": [
        """
def my_affine_backward(X, W, dout):
    X, W, dout = (torch.as_tensor(a) for a in (X, W, dout))
    return dout @ W.T, torch.einsum("nd,nm->dm", X, dout), dout.sum(0)
""",
        """
def my_affine_backward(X, W, dout):
    X, W, b = (torch.tensor(np.asarray(a), requires_grad=True) for a in (X, W, dout[0] * 0))
    (X @ W + b).backward(torch.tensor(np.asarray(dout)))
    return [X.grad, W.grad, b.grad]
""",
        """
def my_affine_backward(X, W, dout):
    dX, dW, db = np.zeros(X.shape), np.zeros(W.shape), np.zeros(W.shape[1])
    for x, g, dx in zip(X, dout, dX):
        dx += [(g * row).sum() for row in W]
        dW += np.outer(x, g)
        db += g
    return dX, dW, db
""",
        """
def my_affine_backward(X, W, dout):
    ones = np.ones(len(X), dtype=np.float32)
    return np.dot(dout, np.transpose(W)), np.dot(np.transpose(X), dout), ones @ dout
""",
        """
def my_affine_backward(X, W, dout):
    dW = sum(torch.outer(x, g) for x, g in zip(X, dout))
    return torch.mm(dout, W.t()), dW, torch.sum(dout, dim=0)
""",
        "my_affine_backward = lambda X, W, dout, *, n=0: (dout @ W.T, X.T @ dout, dout.sum(n))",
    ],
    "04.logits_gradient": [
        """
def my_logits_gradient(logits, labels):
    s = torch.tensor(np.asarray(logits), requires_grad=True)
    F.cross_entropy(s, torch.as_tensor(labels)).backward()
    return s.grad
""",
        """
def my_logits_gradient(logits, labels):
    p = torch.softmax(torch.as_tensor(logits), dim=1)
    if labels.ndim == 1:
        labels = F.one_hot(torch.as_tensor(labels), p.shape[1])
    return (p - torch.as_tensor(labels)) / len(p)
""",
        """
def my_logits_gradient(logits, labels):
    if labels.ndim == 2:
        labels = labels.argmax(axis=1)
    rows = []
    for row, label in zip(np.asarray(logits), labels):
        e = [math.exp(v - max(row)) for v in row]
        rows.append([(v / sum(e) - (k == label)) / len(logits) for k, v in enumerate(e)])
    return rows
""",
        """
def my_logits_gradient(logits, labels):
    logits = torch.tensor(logits)
    p = (logits - logits.logsumexp(1, keepdim=True)).exp()
    t = torch.eye(logits.shape[1])[labels] if labels.ndim == 1 else torch.tensor(labels)
    return (p - t).div(len(logits))
""",
        """
def my_logits_gradient(logits, labels):
    from course_utils.layers import SoftmaxWithLoss

    layer = SoftmaxWithLoss()
    layer.forward(logits, labels)
    return layer.backward()
""",
        """
def my_logits_gradient(logits, labels):
    top = np.max(logits, axis=-1)[:, None]
    e = np.exp(logits - top)
    t = labels if labels.shape == e.shape else np.eye(e.shape[1])[labels]
    return np.float32((e / np.sum(e, -1)[:, None] - t) / e.shape[0])
""",
    ],
    "04.worst_entry": [
        """
from course_utils.gradients import numerical_gradient

def my_worst_entry(f, X, grad):
    apart = np.abs(numerical_gradient(f, X) - grad)
    return tuple(np.argwhere(apart == apart.max())[0])
""",
        """
def my_worst_entry(f, X, grad, h=1e-4):
    worst, where = -1.0, None
    for index in np.ndindex(X.shape):
        X[index] += h
        above = f(X)
        X[index] -= 2 * h
        below = f(X)
        X[index] += h
        apart = abs((above - below) / (2 * h) - grad[index])
        if apart > worst:
            worst, where = apart, index
    return where
""",
        """
def my_worst_entry(f, X, grad, h=1e-4):
    from course_utils.gradients import numerical_gradient

    apart = np.abs(numerical_gradient(f, X, h) - grad)
    return tuple(np.argwhere(apart == apart.max())[0])
""",
        """
def my_worst_entry(f, X, grad, h=1e-4):
    apart = []
    for k in range(X.numel()):
        nudge = torch.zeros_like(X).flatten()
        nudge[k] = h
        nudge = nudge.reshape(X.shape)
        slope = (f(X + nudge) - f(X - nudge)) / (2 * h)
        apart.append((slope - grad.flatten()[k]).abs())
    return torch.unravel_index(torch.stack(apart).argmax(), X.shape)
""",
        """
def my_worst_entry(f, X, grad, h=1e-4):
    def off(index):
        nudge = np.zeros(X.shape)
        nudge[index] = h
        return ((f(X + nudge) - f(X - nudge)) / h / 2 - grad[index]) ** 2

    return max(np.ndindex(X.shape), key=off)
""",
        """
def my_worst_entry(f, X, grad, h=1e-4):
    found = {}
    for index, value in np.ndenumerate(X):
        sides = []
        for moved in (value + h, value - h):
            copy = np.array(X)
            copy[index] = moved
            sides.append(f(copy))
        found[index] = abs((sides[0] - sides[1]) / (2 * h) - grad[index])
    return np.array(max(found, key=found.get))
""",
    ],
    "04.divide": [
        "my_divide = lambda a, b: a / b",
        "my_divide = lambda a, b: b**-1 * a",
        """
def my_divide(a, b):
    return a * Scalar(1 / b.value, ((b, -1 / b.value**2),), "1/")
""",
        """
def my_divide(a, b):
    out = Scalar(a.value / b.value)
    out.inputs = [(b, -out.value / b.value), (a, 1 / b.value)]
    return out
""",
        """
def my_divide(a, b):
    top, below = a.value, b.value
    return Scalar(top / below, inputs=((a, below**-1), (b, -top * below**-2)), op="÷", name="ratio")
""",
        """
class Scalar:
    def __init__(self, value, inputs=(), op=""):
        self.value, self.inputs, self.op, self.grad = value, inputs, op, 0.0

    def __add__(self, other):
        return Scalar(self.value + other.value, ((self, 1), (other, 1)))

    def __mul__(self, other):
        return Scalar(self.value * other.value, ((self, other.value), (other, self.value)))

    def backward(self, gradient=1.0):
        self.grad += gradient
        for origin, slope in self.inputs:
            origin.backward(gradient * slope)

def my_divide(a, b):
    return a * Scalar(1 / b.value, ((b, -1 / b.value**2),))
""",
    ],
}
EQUIVALENT = {
    "04.multiply": {
        "return (dout * self.y, dout * self.x) >>> return (dout * self.y, self.x * dout)": "the "
        "order of factors does not matter",
        "return (dout * self.y, dout * self.x) >>> return (self.y * dout, dout * self.x)": "the "
        "order of factors does not matter",
        "return x * y >>> return y * x": "the order of factors does not matter",
    },
    "04.relu": {
        "return x * self.passes >>> return self.passes * x": "the order of factors does not matter",
    },
    "04.logits_gradient": {
        "N = len(logits) >>> N = len(labels)": "there is one label for each row",
    },
    "04.worst_entry": {
        "apart = np.zeros(X.shape) >>> apart = -np.zeros(X.shape)": "every entry is overwritten",
        "apart = np.zeros(X.shape) >>> apart = np.zeros(grad.shape)": "grad has the shape of X",
        "return np.unravel_index(np.argmax(apart), X.shape) >>> return np.unravel_index("
        "np.argmax(apart), grad.shape)": "grad has the shape of X",
        "def my_worst_entry(f, X, grad, h=0.0001): >>> def my_worst_entry(f, X, grad, h=5e-05):": ""
        "a default step of the same order measures the same slopes",
    },
}
