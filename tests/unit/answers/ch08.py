"""Chapter 08."""

RIGHT = {
    "08.epochs": [
        """
def my_num_epochs(num_images, batch_size, num_updates):
    return math.ceil(num_updates / math.ceil(num_images / batch_size))
""",
        """
def my_num_epochs(num_images, batch_size, *, num_updates):
    done = epochs = 0
    while done < num_updates:
        epochs += 1
        done += len(range(0, num_images, batch_size))
    return epochs
""",
        "my_num_epochs = lambda n, size, k: (k - 1) // ((n + size - 1) // size) + 1",
        """
def my_num_epochs(num_images, batch_size, num_updates):
    full, rest = divmod(num_images, batch_size)
    return np.int64(np.ceil(num_updates / (full + (rest > 0))))
""",
    ],
    "08.max_lr": [
        "def my_max_lr(X):\n    return len(X) / np.linalg.norm(X, 2) ** 2",
        """
def my_max_lr(X):
    X = torch.as_tensor(X)
    A = 2 * X.T @ X / X.shape[0]
    return 2 / torch.linalg.eigvalsh(A).max()
""",
        """
def my_max_lr(X):
    w = torch.zeros(X.shape[1], dtype=torch.float64)
    X = torch.as_tensor(X, dtype=torch.float64)
    A = torch.autograd.functional.hessian(lambda w: ((X @ w - 1) ** 2).mean(), w)
    return (2 / torch.linalg.eigvalsh(A)[-1]).item()
""",
        "my_max_lr = lambda X: X.shape[0] / max(np.linalg.eigvals(X.T @ X).real)",
        """
def my_max_lr(X):
    X = np.asarray(X, dtype=np.float64)
    values = np.linalg.svd(X, compute_uv=False)
    return np.array([len(X) / values[0] ** 2])
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
    "08.diagnosis": [
        """
def my_diagnosis(train, val, goal, share):
    train, val = np.array(train), np.array(val)
    if not np.isfinite(train).all() or train[-1] > train[0]:
        return "diverged"
    if train[-1] > goal:
        return "underfitting"
    return "overfitting" if val[-1] > val.min() * (1 + share) else "fine"
""",
        """
def my_diagnosis(train, val, *, goal, share):
    word = "fine"
    lowest = sorted(val)[0]
    if val[-1] > lowest + share * lowest:
        word = "overfitting"
    if train[-1] > goal:
        word = "underfitting"
    if train[-1] > train[0]:
        word = "diverged"
    for loss in train:
        if loss != loss or loss == float("inf"):
            word = "diverged"
    return word
""",
        """
def my_diagnosis(train, val, goal, share):
    train, val = torch.tensor(train).double(), torch.tensor(val).double()
    if not train.isfinite().all() or train[-1] > train[0]:
        return "diverged"
    elif train[-1] > goal:
        return "underfitting"
    elif val[-1] > (1 + share) * val.min():
        return "overfitting"
    else:
        return "fine"
""",
        """
def my_diagnosis(train, val, goal, share):
    bad = not math.isfinite(sum(train)) or train[-1] > train[0]
    tests = {"diverged": bad, "underfitting": train[-1] > goal,
             "overfitting": val[-1] > (1 + share) * min(val), "fine": True}
    return next(word for word, fits in tests.items() if fits)
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
_SCALED = "return min(lr * new_batch_size / batch_size, max_lr)"
_STEP = "w = w - lr * 2 * X.T @ error / len(y)"
_ORDER = "the order of a sum or product"
EQUIVALENT = {
    "08.max_lr": {
        "A = 2 / len(X) * X.T @ X >>> A = X @ (2 / len(X) * X.T)": (
            "X Xᵀ and Xᵀ X have the same largest eigenvalue"
        ),
        "A = 2 / len(X) * X.T @ X >>> A = X.T * (2 / len(X)) @ X": _ORDER,
    },
    "08.diagnosis": {
        "if val[-1] > (1 + share) * min(val): >>> if val[-1] > (share + 1) * min(val):": _ORDER,
    },
    "08.scaled_lr": {
        f"{_SCALED} >>> return min(max_lr, lr * new_batch_size / batch_size)": "no order in a min",
        f"{_SCALED} >>> return min(new_batch_size * lr / batch_size, max_lr)": _ORDER,
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
