"""Chapter 08."""

RIGHT = {
    "08.updates": [
        """
def my_num_updates(num_images, batch_size, num_epochs):
    return num_epochs * math.ceil(num_images / batch_size)
""",
        """
def my_num_updates(num_images, batch_size, *, num_epochs):
    full, rest = divmod(num_images, batch_size)
    return np.int64((full + (rest > 0)) * num_epochs)
""",
        "my_num_updates = lambda n, size, epochs: (n + size - 1) // size * epochs",
        """
def my_num_updates(num_images, batch_size, num_epochs):
    updates = 0
    for _ in range(num_epochs):
        updates += len(range(0, num_images, batch_size))
    return updates
""",
    ],
    "08.max_lr": [
        "my_max_lr = lambda A: 2 / torch.linalg.eigvalsh(A).max()",
        """
def my_max_lr(A):
    v = np.arange(1.0, A.shape[0] + 1) ** 0.5
    for _ in range(5000):
        v = A @ v / np.linalg.norm(A @ v)
    return 2 / (v @ (A @ v))
""",
        "def my_max_lr(A):\n    return 2 / torch.linalg.eigvalsh(torch.as_tensor(A)).max()",
        "def my_max_lr(A):\n    return 2.0 / max(np.linalg.eigvals(A).real)",
        "def my_max_lr(A):\n    return 2 / np.linalg.norm(A, 2)",
        """
def my_max_lr(A):
    values, vectors = np.linalg.eigh(np.array(A))
    return np.array([2 / values[-1]])
""",
        """
def my_max_lr(A):
    A = torch.as_tensor(A, dtype=torch.float64)
    v = torch.linspace(1, 2, len(A), dtype=torch.float64)
    for _ in range(300):
        v = A @ v / (A @ v).norm()
    return (2 / (v @ A @ v)).item()
""",
    ],
    "08.scaled_lr": [
        """
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    scaled = lr / batch_size * new_batch_size
    return scaled if scaled < max_lr else max_lr
""",
        """
def my_scaled_lr(lr, batch_size, new_batch_size, *, max_lr):
    return np.minimum(lr * (new_batch_size / batch_size), max_lr)
""",
        """
def my_scaled_lr(lr, batch_size, new_batch_size, max_lr):
    return torch.tensor(lr * new_batch_size / batch_size).clamp(max=max_lr)
""",
        "my_scaled_lr = lambda a, b, c, d: sorted([a * c / b, d])[0]",
    ],
    "08.batches": [
        """
def my_batches(X, y, batch_size, rng):
    order = rng.permutation(len(y))
    for start in range(0, len(y), batch_size):
        chosen = order[start : start + batch_size]
        yield torch.as_tensor(X)[chosen], torch.as_tensor(y)[chosen]
""",
        """
def my_batches(X, y, batch_size, *, rng):
    numbers = np.arange(len(X))
    rng.shuffle(numbers)
    cuts = np.array_split(numbers, range(batch_size, len(X), batch_size))
    return tuple([X[cut], y[cut]] for cut in cuts)
""",
        """
def my_batches(X, y, batch_size, rng):
    pairs = list(zip(X, y))
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    batches = []
    while pairs:
        part, pairs = pairs[:batch_size], pairs[batch_size:]
        batches.append((np.stack([a for a, _ in part]), np.stack([b for _, b in part])))
    return batches
""",
        """
def my_batches(X, y, batch_size, rng):
    order = np.argsort(rng.random(len(y)))
    X, y = X[order], y[order]
    n = len(y)
    return [(X[i : i + batch_size], y[i : i + batch_size]) for i in range(0, n, batch_size)]
""",
        """
def my_batches(X, y, batch_size, rng):
    left, batches = set(range(len(y))), []
    while left:
        chosen = rng.choice(sorted(left), min(batch_size, len(left)), replace=False)
        left -= set(chosen.tolist())
        batches.append((X[chosen], [float(y[i]) for i in chosen]))
    return batches
""",
    ],
    "08.descent": [
        """
def my_descent(w, batches, lr):
    w = torch.as_tensor(w).clone()
    for X, y in batches:
        X, y = torch.as_tensor(X), torch.as_tensor(y)
        leaf = w.requires_grad_()
        (grad,) = torch.autograd.grad(((X @ leaf - y) ** 2).mean(), leaf)
        w = (leaf - lr * grad).detach()
    return w
""",
        """
def my_descent(w, batches, lr):
    w = torch.as_tensor(w).clone().requires_grad_()
    optimizer = torch.optim.SGD([w], lr=lr)
    for X, y in batches:
        optimizer.zero_grad()
        F.mse_loss(torch.as_tensor(X) @ w, torch.as_tensor(y)).backward()
        optimizer.step()
    return w
""",
        """
def my_descent(w, batches, *, lr):
    for X, y in batches:
        y -= X @ w
        w = w + lr * 2 * X.T @ y / len(y)
    return w
""",
        """
def my_descent(w, batches, lr):
    w = [float(x) for x in w]
    for X, y in batches:
        grad = [0.0] * len(w)
        for x, target in zip(X, y):
            error = sum(a * b for a, b in zip(x, w)) - target
            for j in range(len(w)):
                grad[j] += 2 * error * x[j] / len(y)
        w = [a - lr * g for a, g in zip(w, grad)]
    return w
""",
        """
def my_descent(w, batches, lr):
    w = w.copy()
    while batches:
        X, y = batches.pop(0)
        w -= lr * np.mean(2 * (X @ w - y)[:, None] * X, axis=0)
    return w
""",
    ],
    "08.stopping": [
        """
class MyEarlyStopping:
    def __init__(self, patience):
        self.left = self.patience = patience
        self.best_loss, self.best_epoch, self.seen = math.inf, 0, 0
    def update(self, val_loss):
        self.seen += 1
        if val_loss < self.best_loss:
            self.best_loss, self.best_epoch, self.left = val_loss, self.seen, self.patience
            return False
        self.left -= 1
        return self.left <= 0
""",
        """
class MyEarlyStopping:
    def __init__(self, *, patience):
        self.patience, self.losses = patience, []
    @property
    def best_loss(self):
        return min(self.losses)
    @property
    def best_epoch(self):
        return self.losses.index(min(self.losses)) + 1
    def update(self, val_loss):
        self.losses.append(val_loss)
        return np.bool_(len(self.losses) - self.best_epoch >= self.patience)
""",
        """
class MyEarlyStopping:
    def __init__(self, patience):
        self.patience, self.counter, self.epoch = patience, 0, 0
        self.best_loss, self.best_epoch = None, None
    def update(self, val_loss):
        self.epoch = self.epoch + 1
        if self.best_loss is None or self.best_loss > val_loss:
            self.best_loss = torch.tensor(val_loss)
            self.best_epoch = torch.tensor(self.epoch)
            self.counter = 0
        else:
            self.counter += 1
            if self.counter == self.patience:
                return True
        return False
""",
        """
from types import SimpleNamespace
def MyEarlyStopping(patience):
    state = SimpleNamespace(best_loss=float("inf"), best_epoch=0, epoch=0)
    def update(val_loss):
        state.epoch += 1
        if val_loss < state.best_loss:
            state.best_loss, state.best_epoch = val_loss, state.epoch
        return int(state.epoch - state.best_epoch >= patience)
    state.update = update
    return state
""",
    ],
}
_RATE = "2 / np.linalg.eigvalsh(A).max()"
_SCALED = "return min(lr * new_batch_size / batch_size, max_lr)"
_STEP = "w = w - lr * 2 * X.T @ error / len(y)"
_ORDER = "the order of a sum or product"
EQUIVALENT = {
    "08.max_lr": {
        f"return {_RATE} >>> return --({_RATE})": "two minus signs cancel",
    },
    "08.scaled_lr": {
        f"{_SCALED} >>> return min(max_lr, lr * new_batch_size / batch_size)": "no order in a min",
        f"{_SCALED} >>> return min(new_batch_size * lr / batch_size, max_lr)": _ORDER,
    },
    "08.batches": {
        "chosen = order[start:start + batch_size]"
        " >>> chosen = order[start:batch_size + start]": _ORDER,
        "order = rng.permutation(len(y)) >>> order = -rng.permutation(len(y))": (
            "indices from the end name every sample once, too"
        ),
        "order = rng.permutation(len(y)) >>> order = rng.permutation(len(X))": "both have N rows",
    },
    "08.descent": {
        f"{_STEP} >>> w = w - 2 * lr * X.T @ error / len(y)": _ORDER,
        f"{_STEP} >>> w = w - X.T * (lr * 2) @ error / len(y)": _ORDER,
    },
    "08.stopping": {
        "self.best_loss, self.best_epoch = (float('inf'), 0)"
        " >>> self.best_loss, self.best_epoch = (float('inf'), 1)": "the first loss replaces it",
        "self.epoch = 0 >>> self.epoch = -0": "minus zero is zero",
    },
}
