"""Chapter 07."""

RIGHT = {
    "07.best_constant": [
        """
def my_best_constant(y, loss):
    return y.mean() if loss == "MSE" else torch.median(torch.as_tensor(y))
""",
        """
def my_best_constant(y, *, loss):
    if loss == "MAE":
        return sorted(float(value) for value in y)[(len(y) - 1) // 2]
    total = 0
    for value in y:
        total += value
    return total / len(y)
""",
        'my_best_constant = lambda y, loss: {"MSE": np.average, "MAE": np.median}[loss](y)',
        """
def my_best_constant(y, loss):
    y = torch.tensor(y)
    return y.mean(0, keepdim=True) if loss == "MSE" else y.quantile(0.5)
""",
        """
import statistics
def my_best_constant(y, loss):
    y = y.tolist()
    return statistics.fmean(y) if loss == "MSE" else statistics.median(y)
""",
    ],
    "07.mean_of_batches": [
        """
def my_mean_of_batches(batch_losses, batch_sizes):
    return (batch_losses * batch_sizes).sum() / batch_sizes.sum()
""",
        """
def my_mean_of_batches(batch_losses, batch_sizes):
    return np.average(batch_losses, weights=batch_sizes)
""",
        """
def my_mean_of_batches(batch_losses, batch_sizes):
    losses, sizes = torch.tensor(batch_losses), torch.tensor(batch_sizes)
    return (losses * sizes).sum() / sizes.sum()
""",
        """
def my_mean_of_batches(batch_losses, batch_sizes):
    mean, seen = 0.0, 0
    for loss, size in zip(batch_losses, batch_sizes):
        seen += size
        mean += (loss - mean) * size / seen
    return mean
""",
        "my_mean_of_batches = lambda a, b: np.dot(a, b) / np.sum(b)",
        """
def my_mean_of_batches(batch_losses, batch_sizes):
    every = []
    while batch_losses:
        every += [batch_losses.pop()] * batch_sizes.pop()
    return sum(every) / len(every)
""",
    ],
    "07.smooth_l1": [
        """
def my_smooth_l1(y_hat, y, beta):
    d = abs(y_hat - y)
    near = np.minimum(d, beta)
    return (near * (d - near / 2) / beta).mean()
""",
        """
def my_smooth_l1(y_hat, y, beta):
    return F.smooth_l1_loss(torch.as_tensor(y_hat), torch.as_tensor(y), beta=beta)
""",
        """
def my_smooth_l1(y_hat, y, *, beta):
    total = 0.0
    for a, b in zip(y_hat, y):
        d = abs(a - b)
        total += d**2 / (2 * beta) if d <= beta else d - beta / 2
    return total / len(y)
""",
        """
def my_smooth_l1(y_hat, y, beta):
    d = (y_hat - y).abs()
    small = (d < beta).to(d.dtype)
    return (small * d**2 / (2 * beta) + (1 - small) * (d - 0.5 * beta)).mean().requires_grad_()
""",
        """
def my_smooth_l1(y_hat, y, beta):
    return F.huber_loss(torch.as_tensor(y_hat), torch.as_tensor(y), delta=beta) / beta
""",
        """
def my_smooth_l1(y_hat, y, beta):
    d = np.abs(np.array(y_hat) - np.array(y))
    near = np.minimum(d, beta)
    return (near * (d - near / 2) / beta).mean(keepdims=True)
""",
    ],
    "07.bce_with_logits": [
        """
def my_bce_with_logits(z, y):
    z, y = torch.as_tensor(z), torch.as_tensor(y)
    return F.binary_cross_entropy_with_logits(z.clone().requires_grad_(), y)
""",
        "def my_bce_with_logits(z, y):\n    return np.mean(np.logaddexp(0, z) - np.asarray(z * y))",
        """
def my_bce_with_logits(z, y):
    total = 0.0
    for a, b in zip(z.tolist(), y.tolist()):
        total += max(a, 0) - a * b + math.log1p(math.exp(-abs(a)))
    return total / len(z)
""",
        """
def my_bce_with_logits(z, y):
    z, y = torch.as_tensor(z), torch.as_tensor(y)
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()
""",
        """
def my_bce_with_logits(z, y):
    return (z.clamp(min=0) - z * y + torch.log1p(torch.exp(-z.abs()))).mean()
""",
        """
def my_bce_with_logits(z, y):
    s = np.asarray(z) * (1 - 2 * np.asarray(y))
    return (np.where(s > 0, s, 0) + np.log1p(np.exp(-np.abs(s)))).mean()
""",
    ],
    "07.cross_entropy": [
        "def my_cross_entropy(logits, labels):\n    return F.cross_entropy(logits, labels)",
        """
def my_cross_entropy(logits, labels):
    logits, labels = torch.as_tensor(logits), torch.as_tensor(labels)
    log_p = logits.log_softmax(1)
    if labels.ndim == 1:
        return -log_p[range(len(labels)), labels].mean()
    return -(labels * log_p).sum(1).mean()
""",
        """
def my_cross_entropy(logits, labels):
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist()):
        top = max(row)
        log_sum = top + math.log(sum(math.exp(z - top) for z in row))
        if isinstance(label, list):
            losses.append(sum(p * (log_sum - z) for p, z in zip(label, row)))
        else:
            losses.append(log_sum - row[label])
    return sum(losses) / len(losses)
""",
        """
def my_cross_entropy(logits, labels):
    top = logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    if len(labels.shape) == 2:
        true = (labels * logits).sum(1)
    else:
        true = np.take_along_axis(logits, labels[:, None], 1)[:, 0]
    return np.mean(log_sum - true)
""",
        """
def my_cross_entropy(logits, labels):
    if labels.ndim == 1:
        labels = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    logits = logits.clone().requires_grad_()
    return (logits.logsumexp(1, keepdim=True) - logits).mul(labels).sum() / len(logits)
""",
    ],
    "07.smooth_targets": [
        """
def my_smooth_targets(labels, num_classes, smoothing):
    labels = torch.as_tensor(labels)
    return F.one_hot(labels, num_classes) * (1 - smoothing) + smoothing / num_classes
""",
        """
def my_smooth_targets(labels, num_classes, smoothing):
    rows = []
    for label in labels:
        row = [smoothing / num_classes] * num_classes
        row[label] = 1 - smoothing + smoothing / num_classes
        rows.append(row)
    return rows
""",
        """
def my_smooth_targets(labels, num_classes, *, smoothing):
    targets = np.full((len(labels), num_classes), smoothing / num_classes)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets
""",
        """
def my_smooth_targets(labels, num_classes, smoothing):
    targets = torch.full((len(labels), num_classes), smoothing / num_classes)
    return targets.scatter_(1, labels[:, None], 1 - smoothing + smoothing / num_classes)
""",
        """
def my_smooth_targets(labels, num_classes, smoothing):
    same = labels[:, None] == np.arange(num_classes)
    return np.where(same, 1 - smoothing * (num_classes - 1) / num_classes, smoothing / num_classes)
""",
    ],
}
_BEST = "return np.mean(y) if loss == 'MSE' else np.median(y)"
_TOTAL = "total = sum((loss * size for loss, size in zip(batch_losses, batch_sizes)))"
_PIECES = "d ** 2 / (2 * beta), d - beta / 2).mean()"
_PARTS = "losses = np.maximum(z, 0) - z * y + np.log(1 + np.exp(-abs(z)))"
_SHARES = "return (1 - smoothing) * one_hot + smoothing / num_classes"
_ORDER = "the order of a sum or product"
EQUIVALENT = {
    "07.best_constant": {
        f"{_BEST} >>> return np.mean(y) if not loss != 'MSE' else np.median(y)": "not of not",
    },
    "07.mean_of_batches": {
        f"{_TOTAL} >>> {_TOTAL.replace('losses, batch_sizes', 'sizes, batch_losses')}": _ORDER,
        f"{_TOTAL} >>> {_TOTAL.replace('loss * size', 'size * loss')}": _ORDER,
    },
    "07.smooth_l1": {
        f"return np.where(d < beta, {_PIECES} >>> return np.where(d <= beta, {_PIECES}": (
            "the two pieces have one value at d = beta"
        ),
    },
    "07.bce_with_logits": {
        f"{_PARTS} >>> losses = np.log(1 + np.exp(-abs(z))) + (np.maximum(z, 0) - z * y)": _ORDER,
        f"{_PARTS} >>> {_PARTS.replace('(z, 0)', '(0, z)')}": "a maximum has no order",
        f"{_PARTS} >>> {_PARTS.replace('1 + np.exp(-abs(z))', 'np.exp(-abs(z)) + 1')}": _ORDER,
    },
    "07.smooth_targets": {
        f"{_SHARES} >>> return one_hot * (1 - smoothing) + smoothing / num_classes": _ORDER,
        f"{_SHARES} >>> return smoothing / num_classes + (1 - smoothing) * one_hot": _ORDER,
    },
}
