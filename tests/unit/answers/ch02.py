"""Chapter 02."""

RIGHT = {
    "02.slope": [
        """
def my_slope(f, x):
    return torch.func.jvp(f, (torch.tensor(float(x)),), (torch.tensor(1.0),))[1].item()
""",
        """
def my_slope(f, x):
    x = torch.tensor([float(x)], dtype=torch.float64).requires_grad_()
    return torch.autograd.grad(f(x), x)[0]
""",
        "my_slope = lambda f, x: torch.func.grad(f)(torch.tensor(float(x)))",
        """
def my_slope(f, x):
    x = torch.tensor(1.0 * x, requires_grad=True)
    y = f(x)
    y.backward()
    return x.grad
""",
        """
def my_slope(f, x):
    return torch.autograd.functional.jacobian(f, torch.tensor(float(x)))
""",
        """
class Slope:
    def __call__(self, f, *, x):
        leaf = nn.Parameter(torch.ones(()) * x)
        f(leaf).sum().backward()
        return leaf.grad.numpy()
my_slope = Slope()
""",
        """
def my_slope(f, x):
    one = torch.tensor(1.0)
    return torch.func.vjp(f, torch.tensor(float(x)))[1](one)[0].item()
""",
    ],
    "02.chain_rule": [
        """
my_neuron_gradients = lambda w, b, x, y: (
    np.array([2 * w * x + b, w + 1]) * 2 * (w * w * x + w * b + b - y)
)
""",
        """
def my_neuron_gradients(w, b, x, y):
    h = w * x + b
    y_hat = w * h + b
    d_y_hat = 2 * (y_hat - y)
    d_h = w * d_y_hat
    return [h * d_y_hat + x * d_h, d_y_hat + d_h]
""",
        """
def my_neuron_gradients(w, b, x, y):
    h = x * w + b
    dw, db = h + w * x, 1 + w
    return torch.tensor([dw, db]) * (-2) * (y - (h * w + b))
""",
        """
def my_neuron_gradients(w, b, x, y):
    # the answer and its two slopes, carried along step by step
    value, dw, db = x, 0, 0
    for _ in range(2):
        value, dw, db = w * value + b, value + w * dw, w * db + 1
    return 2 * (value - y) * dw, 2 * (value - y) * db
""",
        """
def my_neuron_gradients(w, b, x, y):
    def loss(w, b):
        return (w * (w * x + b) + b - y) ** 2
    e = 1e-4
    dw = (loss(w + e, b) - loss(w - e, b)) / (2 * e)
    return dw, (loss(w, b + e) - loss(w, b - e)) / (2 * e)
""",
    ],
    "02.sharper_gradient": [
        """
def my_sharper_gradient(f, X, h=0.01):
    flat = np.asarray(X, dtype=float).ravel()
    gradient = []
    for i in range(flat.size):
        unit = np.eye(flat.size)[i]
        near, far = (
            f((flat + k * h * unit).reshape(np.shape(X)))
            - f((flat - k * h * unit).reshape(np.shape(X)))
            for k in (1, 2)
        )
        gradient.append((8 * near - far) / (12 * h))
    return np.reshape(gradient, np.shape(X))
""",
        """
from itertools import product
def my_sharper_gradient(f, X, h=0.01):
    X = torch.as_tensor(X).double()
    gradient = torch.zeros_like(X)
    for index in product(*map(range, X.shape)):
        shift = torch.zeros_like(X)
        shift[index] = h
        gradient[index] = (
            8 * (f(X + shift) - f(X - shift)) - f(X + 2 * shift) + f(X - 2 * shift)
        ) / (12 * h)
    return gradient
""",
        """
def my_sharper_gradient(f, X, h=0.01):
    X = np.array(X) * 1.0
    out = np.empty(X.shape)
    for i, _ in np.ndenumerate(X):
        def at(x):
            Z = X.copy()
            Z[i] = x
            return f(Z)
        x = X[i]
        out[i] = -at(x + 2*h) + 8 * at(x + h) - 8 * at(x - h) + at(x - 2*h)
    return out / 12 / h
""",
        """
def my_sharper_gradient(f, X, *, h=0.01):
    X = np.array(X, dtype=float)
    def two_points(h):
        g = np.zeros(X.shape)
        for i in np.ndindex(*X.shape):
            up, down = X.copy(), X.copy()
            up[i] += h
            down[i] -= h
            g[i] = (f(up) - f(down)) / (2 * h)
        return g
    return (4 * two_points(h) - two_points(2 * h)) / 3
""",
    ],
    "02.descend": [
        """
def my_descend(grad, start, lr, small, max_steps):
    path = [start.copy()]
    while len(path) <= max_steps and np.abs(grad(path[-1])).max() >= small:
        path.append(path[-1] - lr * grad(path[-1]))
    return tuple(path)
""",
        """
def my_descend(grad, start, lr, small, max_steps):
    x = torch.tensor(start)
    path = [x.clone()]
    for step in range(max_steps):
        slope = grad(x)
        if torch.all(slope.abs() < small):
            return path
        x -= lr * slope
        path.append(x.clone())
    return path
""",
        """
def my_descend(grad, start, lr, small, max_steps):
    g = grad(start)
    if max_steps == 0 or all(-small < entry < small for entry in g.ravel()):
        return [start]
    return [start] + my_descend(grad, start - lr * g, lr, small, max_steps - 1)
""",
        """
def my_descend(grad, start, *, lr, small, max_steps):
    path = [start.clone().detach()]
    for _ in range(max_steps):
        g = grad(path[-1])
        if not (g.abs() >= small).any():
            break
        path.append(torch.sub(path[-1], g, alpha=lr))
    return torch.stack(path)
""",
        """
def my_descend(grad, start, lr, small, max_steps):
    def points(x):
        yield x
        for _ in range(max_steps):
            g = np.asarray(grad(x))
            if np.linalg.norm(g.ravel(), ord=np.inf) < small:
                return
            x = x - lr * g
            yield x
    return list(points(np.array(start)))
""",
    ],
    "02.fit_line": [
        """
def my_fit_line(x, y, lr, num_steps):
    theta = torch.zeros(2, dtype=x.dtype, requires_grad=True)
    A = torch.stack([x, torch.ones_like(x)], dim=1)
    for _ in range(num_steps):
        theta.grad = None
        ((A @ theta - y).pow(2).sum() / x.shape[0]).backward()
        with torch.no_grad():
            theta.sub_(lr * theta.grad)
    return theta.tolist()
""",
        """
def my_fit_line(x, y, lr, num_steps):
    x, y = torch.tensor(x), torch.tensor(y)
    params = torch.zeros(2, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=lr)
    for _ in range(num_steps):
        optimizer.zero_grad()
        F.mse_loss(params[0] * x + params[1], y).backward()
        optimizer.step()
    return params.detach().numpy()
""",
        """
def my_fit_line(x, y, lr, num_steps):
    w = b = torch.zeros((), dtype=torch.float32)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    for _ in range(num_steps):
        w, b = w.detach().requires_grad_(), b.detach().requires_grad_()
        dw, db = torch.autograd.grad(((w * x + b - y) ** 2).mean(), (w, b))
        w, b = w - lr * dw, b - lr * db
    return [w, b]
""",
        """
def my_fit_line(x, y, lr, num_steps):
    x = torch.as_tensor(np.asarray(x, dtype=float))
    y = torch.as_tensor(np.asarray(y, dtype=float))
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for _ in range(num_steps):
        loss = torch.mean((y - (w * x + b)).square())
        loss.backward()
        w.data -= lr * w.grad
        b.data -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
    return w, b
""",
        """
def my_fit_line(x, y, lr, num_steps):
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    column = lambda v: torch.as_tensor(v, dtype=model.weight.dtype).reshape(-1, 1)
    x, y = column(x), column(y)
    for _ in range(num_steps):
        model.zero_grad()
        nn.MSELoss()(model(x), y).backward()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(lr * p.grad)
    return model.weight, model.bias
""",
        """
def my_fit_line(x, y, lr, num_steps):
    points = list(zip(x, y))
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))
    for _ in range(num_steps):
        w.grad, b.grad = None, None
        sum((w * p + b - q) ** 2 for p, q in points).div(len(points)).backward()
        with torch.no_grad():
            w.copy_(w - lr * w.grad)
            b.copy_(b - lr * b.grad)
    return w.item(), b.item()
""",
    ],
    "02.jacobian": [
        "my_jacobian = torch.autograd.functional.jacobian",
        "my_jacobian = lambda f, x: torch.func.jacrev(f)(x).detach().numpy()",
        "my_jacobian = lambda f, x: torch.func.jacfwd(f)(x).tolist()",
        """
def my_jacobian(f, x):
    x.requires_grad_()
    rows = []
    for i in range(f(x).shape[0]):
        x.grad = None
        f(x)[i].backward()
        rows.append(x.grad.clone())
    return rows
""",
        """
def my_jacobian(f, x):
    x = x.clone().requires_grad_()
    y = f(x)
    eye = torch.eye(len(y), dtype=y.dtype)
    return torch.stack([torch.autograd.grad(y, x, v, retain_graph=True)[0] for v in eye])
""",
        """
def my_jacobian(f, x):
    x = x.clone().requires_grad_(True)
    y = f(x)
    J = torch.zeros(y.numel(), x.numel(), dtype=x.dtype)
    for i, part in enumerate(y):
        part.backward(retain_graph=True)
        J[i] = x.grad
        x.grad.zero_()
    return J
""",
        """
def my_jacobian(f, x):
    x = x.clone().requires_grad_(True)
    y = f(x)
    v = torch.eye(len(y), dtype=y.dtype)
    return torch.autograd.grad(y, x, v, is_grads_batched=True)[0]
""",
    ],
}
_BOTH = "return (2 * error * (h + w * x), 2 * error * (1 + w))"
EQUIVALENT = {
    "02.chain_rule": {
        change: "the order does not matter"
        for change in (
            "error = w * h + b - y >>> error = b + w * h - y",
            "h = w * x + b >>> h = b + w * x",
            f"{_BOTH} >>> return ((h + w * x) * (2 * error), 2 * error * (1 + w))",
            f"{_BOTH} >>> return (2 * error * (h + w * x), (1 + w) * (2 * error))",
            f"{_BOTH} >>> return (2 * error * (h + w * x), error * 2 * (1 + w))",
            f"{_BOTH} >>> return (2 * error * (w * x + h), 2 * error * (1 + w))",
        )
    },
    "02.descend": {
        "x = x - lr * g >>> x = x - g * lr": "the order does not matter",
    },
    "02.sharper_gradient": {
        "X[index] = old + step * h >>> X[index] = old + h * step": "the order does not matter",
        "total = 0.0 >>> total = -0.0": "minus zero is zero",
    },
    "02.fit_line": {
        "loss = ((w * x + b - y) ** 2).mean() >>> loss = ((b + w * x - y) ** 2).mean()": (
            "the order does not matter"
        ),
        "loss = ((w * x + b - y) ** 2).mean() >>> loss = ((x * w + b - y) ** 2).mean()": (
            "the order does not matter"
        ),
        "return (w.item(), b.item()) >>> return (w, b.item())": "a tensor with one number is one",
        "x, y = (torch.as_tensor(x), torch.as_tensor(y)) >>> x, y = (x, torch.as_tensor(y))": (
            "right for tensors, and for arrays a number times an array is one"
        ),
    },
    "02.jacobian": {
        "return torch.stack(rows) >>> return rows": "a list of rows is a matrix too",
        "v = torch.zeros_like(y) >>> v = -torch.zeros_like(y)": "minus zero is zero",
        "x = x.detach().clone().requires_grad_() >>> x = x.clone().requires_grad_()": (
            "the x that comes asks for no gradient"
        ),
        "x = x.detach().clone().requires_grad_() >>> x = x.detach().requires_grad_()": (
            "x is only read"
        ),
        "y = f(x) >>> y = f(x) + 1": "a constant has no slope",
    },
}
