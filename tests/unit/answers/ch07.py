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
    "07.smooth_constant": [
        """
def my_smooth_constant(y, beta):
    y = torch.as_tensor(y)
    c = y.mean().clone().requires_grad_()
    optimizer = torch.optim.SGD([c], lr=beta)
    for _ in range(300):
        optimizer.zero_grad()
        F.smooth_l1_loss(c.expand_as(y), y, beta=beta).backward()
        optimizer.step()
    return c
""",
        """
def my_smooth_constant(y, beta):
    c = np.median(y)
    for _ in range(500):
        c = c + np.clip(np.asarray(y) - c, -beta, beta).mean()
    return c
""",
        """
def my_smooth_constant(y, beta):
    corners = sorted([v - beta for v in y.tolist()] + [v + beta for v in y.tolist()])
    pull = lambda c: sum(min(max((c - v) / beta, -1), 1) for v in y.tolist())
    low = max(c for c in corners if pull(c) < 0)
    high = min(c for c in corners if pull(c) >= 0)
    return low - pull(low) * (high - low) / (pull(high) - pull(low))
""",
        """
def my_smooth_constant(y, *, beta):
    y = np.asarray(y)
    low, high = y.min(), y.max()
    while high - low > 1e-9:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        losses = []
        for c in (left, right):
            d = abs(c - y)
            losses.append(np.where(d < beta, d**2 / (2 * beta), d - beta / 2).sum())
        low, high = (low, right) if losses[0] < losses[1] else (left, high)
        if high - low < 1e-6:
            break
    return np.array([low])
""",
        """
def my_smooth_constant(y, beta):
    c = 0.0
    for _ in range(1500):
        c = c - 0.2 * np.clip((c - np.asarray(y)) / beta, -1, 1).mean()
    return float(c)
""",
    ],
    "07.divergence": [
        """
def my_divergence(y, p):
    return F.kl_div(torch.log(torch.as_tensor(p)), torch.as_tensor(y), reduction="batchmean")
""",
        """
def my_divergence(y, p):
    total = 0.0
    for true, said in zip(y.tolist(), p.tolist()):
        total += sum(a * math.log(a / b) for a, b in zip(true, said) if a > 0)
    return total / len(y)
""",
        """
def my_divergence(y, p):
    y, p = torch.as_tensor(y), torch.as_tensor(p)
    return (torch.xlogy(y, y) - y * p.log()).sum(dim=1).mean()
""",
        """
def my_divergence(y, p):
    y, p = np.array(y), np.array(p)
    known = y > 0
    return np.sum(y[known] * np.log(y[known] / p[known])) / y.shape[0]
""",
        """
def my_divergence(y, p):
    cross = -(y * np.log(p)).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(np.asarray(y) * np.log(np.asarray(y)), axis=1)
    return np.mean(np.asarray(cross) - entropy, keepdims=True)
""",
    ],
    "07.weighted_gradient": [
        """
def my_weighted_gradient(z, y, pos_weight):
    z, y = torch.as_tensor(z), torch.as_tensor(y)
    weight = torch.where(y == 1, pos_weight, 1.0)
    return weight * (torch.sigmoid(z) - y) / z.numel()
""",
        """
def my_weighted_gradient(z, y, pos_weight):
    grad = []
    for a, b in zip(z.tolist(), y.tolist()):
        p = 1 / (1 + math.exp(-a))
        grad.append((pos_weight * (p - 1) if b else p) / len(z))
    return grad
""",
        """
def my_weighted_gradient(z, y, *, pos_weight):
    p = np.exp(z) / (1 + np.exp(z))
    return (p * (1 + (pos_weight - 1) * y) - pos_weight * y) / len(y)
""",
        """
def my_weighted_gradient(z, y, pos_weight):
    z = np.array(z)
    result = 1 / (1 + np.exp(-z)) - np.array(y)
    result[np.array(y) == 1] *= pos_weight
    return result / z.size
""",
        """
def my_weighted_gradient(z, y, pos_weight):
    z, y = torch.as_tensor(z), torch.as_tensor(y)
    return ((1 - y) * z.sigmoid() - pos_weight * y * (-z).sigmoid()).div(len(z))
""",
    ],
    "07.labelled": [
        "def my_labelled_loss(logits, labels):\n    return F.cross_entropy(logits, labels)",
        """
def my_labelled_loss(logits, labels):
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist()):
        if label != -100:
            top = max(row)
            losses.append(top + math.log(sum(math.exp(z - top) for z in row)) - row[label])
    return sum(losses) / len(losses)
""",
        """
def my_labelled_loss(logits, labels):
    known = labels >= 0
    log_p = torch.as_tensor(logits[known]).log_softmax(1)
    return -log_p.gather(1, torch.as_tensor(labels[known])[:, None]).mean()
""",
        """
def my_labelled_loss(logits, labels):
    logits, labels = np.asarray(logits), np.asarray(labels)
    known = labels != -100
    top = logits.max(1)
    log_sum = np.log(np.exp(logits - top[:, None]).sum(1)) + top
    losses = log_sum - logits[np.arange(len(labels)), np.where(known, labels, 0)]
    return (losses * known).sum() / known.sum()
""",
        """
def my_labelled_loss(logits, labels):
    keep = [i for i, label in enumerate(labels) if label > -1]
    logits, labels = logits[keep], labels[keep]
    one_hot = F.one_hot(labels, logits.shape[1])
    return ((logits.logsumexp(1, keepdim=True) - logits) * one_hot).sum() / len(keep)
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
_SHARES = "return (1 - smoothing) * one_hot + smoothing / num_classes"
_ORDER = "the order of a sum or product"
_HALF = "middle = (low + high) / 2"
_LOG = "log_y = np.log(np.where(y > 0, y, 1.0))"
_GRADIENT = "return ((1 - y) * p + pos_weight * y * (p - 1)) / len(z)"
EQUIVALENT = {
    "07.smooth_constant": {
        "for _ in range(50): >>> for _ in range(100):": "50 halvings are exact enough",
        "for _ in range(50): >>> for _ in range(51):": "50 halvings are exact enough",
        "if pull > 0: >>> if pull >= 0:": "where the pull is 0 the middle is the answer",
        f"{_HALF} >>> middle = (high + low) / 2": _ORDER,
    },
    "07.divergence": {
        f"{_LOG} >>> {_LOG.replace('1.0', '0.5')}": "where y is 0 any logarithm is multiplied by 0",
    },
    "07.weighted_gradient": {
        "p = 1 / (1 + np.exp(-z)) >>> p = 1 / (np.exp(-z) + 1)": _ORDER,
        f"{_GRADIENT} >>> return (p * (1 - y) + pos_weight * y * (p - 1)) / len(z)": _ORDER,
        f"{_GRADIENT} >>> return (pos_weight * y * (p - 1) + (1 - y) * p) / len(z)": _ORDER,
    },
    "07.best_constant": {
        f"{_BEST} >>> return np.mean(y) if not loss != 'MSE' else np.median(y)": "not of not",
    },
    "07.smooth_targets": {
        f"{_SHARES} >>> return one_hot * (1 - smoothing) + smoothing / num_classes": _ORDER,
        f"{_SHARES} >>> return smoothing / num_classes + (1 - smoothing) * one_hot": _ORDER,
    },
}
