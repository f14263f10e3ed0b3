"""Chapter 04."""

RIGHT = {
    "04.quotient": [
        """
class MyDivide:
    def forward(self, x, y):
        self.x, self.y = np.float32(x), np.float32(y)
        return self.x / self.y

    def backward(self, G):
        one = np.float32(G) / self.y
        return [one, -one * self.x / self.y]
""",
        """
class MyDivide:
    def forward(self, x, y):
        self.x = torch.as_tensor(x).clone().requires_grad_()
        self.y = torch.as_tensor(y).clone().requires_grad_()
        self.out = self.x / self.y
        return self.out

    def backward(self, G):
        self.out.backward(torch.as_tensor(G))
        return self.x.grad, self.y.grad
""",
        """
class MyDivide:
    def __init__(self):
        self.cache = []

    def forward(self, x, y):
        self.cache.append((x.copy(), y.copy()))
        return np.divide(x, y)

    def backward(self, G):
        x, y = self.cache.pop()
        return np.stack([G * y**-1.0, -G * x * y**-2.0])
""",
        """
class MyDivide(nn.Module):
    def forward(self, x, y):
        out = torch.div(x, y)
        self.back = lambda G: (torch.div(G, y), torch.div(-G * out, y))
        return out

    def backward(self, G):
        return self.back(G)
""",
        """
class _Quotient:
    def forward(self, top, below):
        self.inverse = 1 / below
        self.out = top * self.inverse
        return self.out

    def backward(self, G):
        first = G * self.inverse
        return first, -(first * self.out)

def MyDivide():
    return _Quotient()
""",
        """
from course_utils.layers import Multiply

class MyDivide(Multiply):
    def forward(self, x, y):
        self.y = y
        return super().forward(x, 1 / y)

    def backward(self, G):
        dx, d_inverse = super().backward(G)
        return dx, -d_inverse / self.y**2
""",
    ],
    "04.leaky_relu": [
        """
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, z):
        self.z = z
        return np.where(z > 0, z, self.slope * z)

    def backward(self, G):
        return np.where(self.z > 0, G, self.slope * G)
""",
        """
class MyLeakyReLU(nn.Module):
    def __init__(self, *, slope=0.01):
        super().__init__()
        self.slope = slope

    def forward(self, z):
        self.z = z.clone().requires_grad_()
        self.out = F.leaky_relu(self.z, self.slope)
        return self.out

    def backward(self, G):
        return torch.autograd.grad(self.out, self.z, G)[0]
""",
        """
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, z):
        self.off = z <= 0
        out = z.copy()
        out[self.off] *= self.slope
        return out

    def backward(self, G):
        dz = G.copy()
        dz[self.off] *= self.slope
        return dz
""",
        """
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, z):
        self.shape = np.shape(z)
        self.factors = [1.0 if v > 0 else self.slope for v in np.ravel(z)]
        return np.reshape([v * f for v, f in zip(np.ravel(z), self.factors)], self.shape)

    def backward(self, G):
        return np.reshape([v * f for v, f in zip(np.ravel(G), self.factors)], self.shape)
""",
        """
class MyLeakyReLU:
    def __init__(self, slope=0.01):
        self.act = nn.LeakyReLU(slope)

    def forward(self, z):
        z = torch.as_tensor(z)
        self.local = torch.where(z > 0, 1.0, self.act.negative_slope)
        return self.act(z)

    def backward(self, G):
        return torch.as_tensor(G) * self.local
""",
        """
from dataclasses import dataclass

@dataclass
class MyLeakyReLU:
    slope: float = 0.01

    def forward(self, z):
        self.local = self.slope + (1 - self.slope) * (z > 0)
        return np.maximum(z, 0) + self.slope * np.minimum(z, 0)

    def backward(self, G):
        return self.local * G
""",
    ],
    "04.sequence": [
        """
def my_affine_backward(X, W, G):
    X, W, G = (torch.as_tensor(a) for a in (X, W, G))
    return G @ W.T, torch.einsum("ntd,ntm->dm", X, G), G.sum((0, 1))
""",
        """
def my_affine_backward(X, W, G):
    X, W, b = (torch.tensor(np.asarray(a), requires_grad=True) for a in (X, W, G[0, 0] * 0))
    (X @ W + b).backward(torch.tensor(np.asarray(G)))
    return [X.grad, W.grad, b.grad]
""",
        """
def my_affine_backward(X, W, G):
    dX, dW, db = np.zeros(X.shape), np.zeros(W.shape), np.zeros(W.shape[1])
    for n in range(X.shape[0]):
        for t in range(X.shape[1]):
            dX[n, t] = W @ G[n, t]
            dW += np.outer(X[n, t], G[n, t])
            db += G[n, t]
    return dX, dW, db
""",
        """
def my_affine_backward(X, W, G):
    return np.matmul(G, W.T), np.tensordot(X, G, axes=([0, 1], [0, 1])), G.sum(0).sum(0)
""",
        """
def my_affine_backward(X, W, G):
    return G @ W.t(), (X.transpose(1, 2) @ G).sum(0), G.flatten(0, 1).sum(dim=0)
""",
        """
from course_utils.layers import Affine

def my_affine_backward(X, W, G):
    N, T, D = X.shape
    layer = Affine(W, np.zeros(W.shape[1]))
    layer.forward(X.reshape(N * T, D))
    dX = layer.backward(G.reshape(N * T, -1))
    return dX.reshape(N, T, D), layer.dW, layer.db
""",
        """
my_affine_backward = lambda X, W, G: (
    G @ W.T, sum(x.T @ g for x, g in zip(X, G)), sum(g.sum(0) for g in G)
)
""",
    ],
    "04.log_softmax": [
        """
class MyLogSoftmax:
    def forward(self, z):
        self.z = torch.tensor(np.asarray(z), requires_grad=True)
        self.out = F.log_softmax(self.z, dim=1)
        return self.out.detach()

    def backward(self, G):
        self.out.backward(torch.as_tensor(G))
        return self.z.grad
""",
        """
class MyLogSoftmax(nn.Module):
    def forward(self, z):
        self.log_p = z - z.logsumexp(1, keepdim=True)
        return self.log_p

    def backward(self, G):
        return G - self.log_p.exp() * G.sum(1, keepdim=True)
""",
        """
class MyLogSoftmax:
    def forward(self, z):
        rows = []
        for row in np.asarray(z):
            top = max(row)
            total = math.log(sum(math.exp(v - top) for v in row))
            rows.append([v - top - total for v in row])
        self.rows = rows
        return rows

    def backward(self, G):
        out = []
        for row, g in zip(self.rows, np.asarray(G)):
            out.append([g[j] - math.exp(v) * sum(g) for j, v in enumerate(row)])
        return np.array(out)
""",
        """
class MyLogSoftmax:
    def forward(self, z):
        e = np.exp(z - np.max(z, axis=-1)[:, None])
        self.p = e / e.sum(-1)[:, None]
        return z - np.max(z, axis=-1)[:, None] - np.log(e.sum(-1))[:, None]

    def backward(self, G):
        C = self.p.shape[1]
        jacobians = np.eye(C) - self.p[:, None, :].repeat(C, axis=1)
        return np.einsum("nj,nji->ni", G, jacobians)
""",
        """
class _Rows:
    def forward(self, z):
        self.p = torch.softmax(torch.as_tensor(z), dim=1)
        return torch.log_softmax(torch.as_tensor(z), dim=1)

    def backward(self, G):
        G = torch.as_tensor(G)
        return torch.stack([g - p * g.sum() for g, p in zip(G, self.p)])

MyLogSoftmax = lambda: _Rows()
""",
    ],
    "04.log_sum_exp": [
        """
def my_log_sum_exp(scores):
    top = max(s.value for s in scores)
    total = sum(((s - top).exp() for s in scores), start=Scalar(0.0))
    return total.log() + top
""",
        """
def my_log_sum_exp(scores):
    values = torch.tensor([s.value for s in scores], dtype=torch.float64)
    shares = torch.softmax(values, 0).tolist()
    return Scalar(torch.logsumexp(values, 0).item(), tuple(zip(scores, shares)), "lse")
""",
        """
def my_log_sum_exp(scores):
    z = np.array([s.value for s in scores])
    p = np.exp(z - z.max())
    out = Scalar(z.max() + np.log(p.sum()))
    out.inputs = list(zip(scores, p / p.sum()))
    return out
""",
        """
def my_log_sum_exp(scores):
    value = np.logaddexp.reduce([s.value for s in scores])
    return Scalar(value, [(s, math.exp(s.value - value)) for s in scores], name="total")
""",
        """
def my_log_sum_exp(scores):
    def two(a, b):
        high, low = (a, b) if a.value >= b.value else (b, a)
        small = math.exp(low.value - high.value)
        slopes = ((high, 1 / (1 + small)), (low, small / (1 + small)))
        return Scalar(high.value + math.log1p(small), slopes, "⊕")

    out = scores[0] + 0
    for s in scores[1:]:
        out = two(out, s)
    return out
""",
        """
class Scalar:
    def __init__(self, value, inputs=(), op="", name=""):
        self.value, self.inputs, self.grad = float(value), inputs, 0.0

    def __mul__(self, other):
        return Scalar(self.value * other.value, ((self, other.value), (other, self.value)))

    def __add__(self, other):
        return Scalar(self.value + other.value, ((self, 1.0), (other, 1.0)))

    def backward(self, gradient=1.0):
        self.grad += gradient
        for origin, slope in self.inputs:
            origin.backward(gradient * slope)

def my_log_sum_exp(scores):
    top = max([s.value for s in scores])
    total = sum(math.exp(s.value - top) for s in scores)
    pairs = [(s, math.exp(s.value - top) / total) for s in scores]
    return Scalar(top + math.log(total), tuple(pairs))
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
}
EQUIVALENT = {
    "04.leaky_relu": {
        "return G * self.local >>> return self.local * G": "the order of factors does not matter",
        "return z * self.local >>> return self.local * z": "the order of factors does not matter",
        "self.local = (z > 0) + self.slope * (z <= 0) >>> self.local = (z > 0) + (z <= 0) * "
        "self.slope": "the order of factors does not matter",
        "self.local = (z > 0) + self.slope * (z <= 0) >>> self.local = self.slope * (z <= 0) + "
        "(z > 0)": "the order of terms does not matter",
    },
    "04.sequence": {
        "dW = X.reshape(-1, D).T @ G.reshape(-1, M) >>> dW = X.reshape(-1, D).T @ "
        "G.reshape(-2, M)": "NumPy takes any negative size for the unknown one",
        "dW = X.reshape(-1, D).T @ G.reshape(-1, M) >>> dW = X.reshape(-2, D).T @ "
        "G.reshape(-1, M)": "NumPy takes any negative size for the unknown one",
    },
    "04.log_softmax": {
        "return G - self.p * G.sum(axis=1, keepdims=True) >>> return G - G.sum(axis=1, "
        "keepdims=True) * self.p": "the order of factors does not matter",
        "shifted = z - z.max(axis=1, keepdims=True) >>> shifted = z - z.max(axis=1, "
        "keepdims=True) + 1": "a shift of the whole row cancels",
    },
    "04.log_sum_exp": {
        "return Scalar(top + np.log(total), inputs, 'log Σ exp') >>> return "
        "Scalar(np.log(total) + top, inputs, 'log Σ exp')": "the order of terms does not matter",
        "top = max((s.value for s in scores)) >>> top = max((s.value for s in scores)) + 1": "any "
        "number near the largest may be subtracted and added again",
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
