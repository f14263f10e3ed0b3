"""Chapter 09."""

RIGHT = {
    "09.ema": [
        """
def my_ema(values, beta):
    S = torch.zeros_like(values)
    for t in range(values.shape[0]):
        S[t] = beta * (S[t - 1] if t else 0) + (1 - beta) * values[t]
    return S / (1 - beta ** torch.arange(1, values.shape[0] + 1))
""",
        """
def my_ema(values, beta):
    average, averages = torch.zeros((), dtype=torch.float32), []
    for t, value in enumerate(values, start=1):
        average = torch.lerp(torch.as_tensor(value, dtype=torch.float32), average, beta)
        averages.append(average / (1 - beta**t))
    return torch.stack(averages)
""",
        """
def my_ema(values, beta):
    t = np.arange(len(values))
    weights = np.tril(beta ** np.abs(np.subtract.outer(t, t), dtype=float))
    return weights @ np.asarray(values) / weights.sum(1)
""",
        """
def my_ema(values, *, beta):
    values = torch.as_tensor(values).clone().requires_grad_()
    total, weight, result = 0, 0, []
    for value in values:
        total, weight = beta * total + value, beta * weight + 1
        result.append(total / weight)
    return tuple(result)
""",
        """
def my_ema(values, beta):
    averages = np.zeros(len(values))
    averages[0] = (1 - beta) * values[0]
    for i in range(1, len(values)):
        averages[i] = averages[i - 1] + (1 - beta) * (values[i] - averages[i - 1])
    return averages / (1 - beta ** np.arange(1, len(values) + 1))
""",
        """
class Averager:
    def __call__(self, values, beta):
        s = 0.0
        for t, y in enumerate(values):
            s = s * beta + y * (1 - beta)
            yield_ = s / (1 - pow(beta, t + 1))
            self.kept = [*getattr(self, "kept", []), yield_] if t else [yield_]
        return self.kept
my_ema = Averager()
""",
        """
from itertools import accumulate
def my_ema(values, beta):
    sums = accumulate(values, lambda s, y: beta * s + (1 - beta) * y, initial=0.0)
    return [s / (1 - beta**t) for t, s in enumerate(sums) if t]
""",
    ],
    "09.pytorch_lr": [
        "my_pytorch_lr = lambda lr_ema, momentum: lr_ema - lr_ema * momentum",
        "def my_pytorch_lr(lr_ema, *, momentum):\n    return np.multiply(lr_ema, 1 - momentum)",
        "def my_pytorch_lr(a, b):\n    return torch.tensor([a * (1 - b)], requires_grad=True)",
        """
def my_pytorch_lr(lr_ema, momentum):
    s = v = 0.0
    for _ in range(50):
        s, v = momentum * s + (1 - momentum), momentum * v + 1
    return lr_ema * s / v
""",
    ],
    "09.rmsprop": [
        """
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.s = None
    def update(self, w, grad):
        g = [float(x) for x in grad]
        old = self.s or [0.0] * len(g)
        self.s = [self.alpha * a + (1 - self.alpha) * b * b for a, b in zip(old, g)]
        return [x - self.lr * b / (a**0.5 + self.eps) for x, a, b in zip(w, self.s, g)]
""",
        """
class MyRMSProp:
    def __init__(self, lr, alpha, eps):
        self.lr, self.alpha, self.eps, self.s = lr, alpha, eps, None
    def update(self, w, grad):
        self.s = np.zeros_like(w) if self.s is None else self.s
        self.s = self.alpha * self.s + (1 - self.alpha) * np.square(grad)
        return w - self.lr * grad / (np.sqrt(self.s) + self.eps)
""",
        """
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps, self.average = lr, alpha, eps, None
    def update(self, w, grad):
        if self.average is None:
            self.average = torch.zeros_like(w)
        self.average = self.average.mul(self.alpha).addcmul(grad, grad, value=1 - self.alpha)
        return w - self.lr * grad / (self.average.sqrt() + self.eps)
""",
        """
class MyRMSProp:
    def __init__(self, *, lr=0.01, alpha=0.9, eps=1e-8):
        self.settings = dict(lr=lr, alpha=alpha, eps=eps)
    def update(self, w, grad):
        if not hasattr(self, "optimizer"):
            self.w = torch.as_tensor(w).clone().requires_grad_()
            self.optimizer = torch.optim.RMSprop([self.w], **self.settings)
        self.w.grad = torch.as_tensor(grad).clone()
        self.optimizer.step()
        return self.w.clone()
""",
        """
def MyRMSProp(lr=0.01, alpha=0.9, eps=1e-8):
    s = 0
    class Rule:
        def update(self, w, grad):
            nonlocal s
            s = alpha * s + (1 - alpha) * np.square(grad)
            return w - lr / (np.sqrt(s) + eps) * grad
    return Rule()
""",
        """
from dataclasses import dataclass
@dataclass
class MyRMSProp:
    lr: float = 0.01
    alpha: float = 0.9
    eps: float = 1e-8
    s: object = 0.0
    def update(self, w, grad):
        self.s += (1 - self.alpha) * (grad * grad - self.s)
        step = self.lr * grad
        step /= self.s**0.5 + self.eps
        return w - step
""",
        """
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.s = None
    def update(self, w, grad):
        w, grad = np.asarray(w).copy(), np.asarray(grad)
        if self.s is None:
            self.s = np.zeros(w.shape)
        for i in np.ndindex(w.shape):
            self.s[i] = self.alpha * self.s[i] + (1 - self.alpha) * grad[i] ** 2
            w[i] -= self.lr * grad[i] / (math.sqrt(self.s[i]) + self.eps)
        return w
""",
    ],
    "09.adam": [
        """
from course_utils.optimizers import Adam
class MyAdam:
    def __init__(self, **settings):
        self.settings, self.each = settings, []
    def step(self, params, grads):
        self.each = self.each or [Adam(**self.settings) for _ in params]
        return [a.update(w, g) for a, w, g in zip(self.each, params, grads, strict=True)]
""",
        """
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.settings, self.params = {"lr": lr, "betas": betas, "eps": eps}, None
    def step(self, params, grads):
        if self.params is None:
            self.params = [torch.as_tensor(w).clone() for w in params]
            self.optimizer = torch.optim.Adam(self.params, **self.settings)
        for w, grad in zip(self.params, grads, strict=True):
            w.grad = torch.as_tensor(grad).clone()
        self.optimizer.step()
        return tuple(w.clone() for w in self.params)
""",
        """
class One:
    def __init__(self, lr, betas, eps):
        self.lr, (self.b1, self.b2), self.eps = lr, betas, eps
        self.t, self.m, self.s = 0, 0.0, 0.0
    def update(self, w, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.s = self.b2 * self.s + (1 - self.b2) * g * g
        root = (self.s / (1 - self.b2**self.t)) ** 0.5
        return w - self.lr * self.m / (1 - self.b1**self.t) / (root + self.eps)
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.settings, self.each = (lr, betas, eps), []
    def step(self, params, grads):
        self.each = self.each or [One(*self.settings) for _ in params]
        return [a.update(w, g) for a, w, g in zip(self.each, params, grads, strict=True)]
""",
        """
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.t = 0
        self.m = None
    def step(self, params, grads):
        if self.m is None:
            self.m = [np.zeros_like(w) for w in params]
            self.s = [np.zeros_like(w) for w in params]
        self.t += 1
        for i in range(len(params)):
            self.m[i] += (1 - self.betas[0]) * (grads[i] - self.m[i])
            self.s[i] += (1 - self.betas[1]) * (grads[i] ** 2 - self.s[i])
        rate = self.lr * math.sqrt(1 - self.betas[1] ** self.t) / (1 - self.betas[0] ** self.t)
        eps = self.eps * math.sqrt(1 - self.betas[1] ** self.t)
        return [w - rate * m / (np.sqrt(s) + eps) for w, m, s in zip(params, self.m, self.s)]
""",
        """
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps, self.t, self.m, self.v = lr, betas, eps, 0, {}, {}
    def step(self, params, grads):
        self.t = self.t + 1
        b1, b2 = self.betas
        out = []
        for i, w in enumerate(params):
            g = grads[i]
            if i not in self.m:
                self.m[i], self.v[i] = torch.zeros_like(w), torch.zeros_like(w)
            self.m[i].mul_(b1).add_(g, alpha=1 - b1)
            self.v[i].mul_(b2).addcmul_(g, g, value=1 - b2)
            m, v = self.m[i] / (1 - b1**self.t), self.v[i] / (1 - b2**self.t)
            out.append((w.requires_grad_(False) - self.lr * m / (v.sqrt() + self.eps)))
        return out
""",
        """
def MyAdam(lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    class Adam:
        grads = ()
        def step(self, params, grads):
            self.grads = (*self.grads, grads)
            t, new = len(self.grads), []
            for i, w in enumerate(params):
                history = [g[i] for g in self.grads]
                m = sum(betas[0] ** (t - 1 - k) * g for k, g in enumerate(history))
                s = sum(betas[1] ** (t - 1 - k) * g**2 for k, g in enumerate(history))
                m = m * (1 - betas[0]) / (1 - betas[0] ** t)
                s = s * (1 - betas[1]) / (1 - betas[1] ** t)
                new.append(w - lr * m / (s**0.5 + eps))
            return new
    return Adam()
""",
    ],
    "09.adamw": [
        """
def my_adamw_update(w, grad, adam, lr, weight_decay):
    return adam.update(w, grad) - lr * weight_decay * w
""",
        """
def my_adamw_update(w, grad, adam, lr, weight_decay):
    w = torch.as_tensor(w) - lr * weight_decay * torch.as_tensor(w)
    return adam.update(w.clone().requires_grad_(), torch.as_tensor(grad))
""",
        """
def my_adamw_update(w, grad, adam, *, lr, weight_decay):
    w = np.array(w)
    w *= 1 - lr * weight_decay
    return adam.update(w, np.asarray(grad))
""",
        """
def my_adamw_update(w, grad, adam, lr, weight_decay):
    new = adam.update(w=w, grad=grad)
    decay = weight_decay * lr * w
    return list(new - decay) if new.ndim == 1 else new - decay
""",
    ],
    "09.own_rule": [
        """
class MyRule:
    def __init__(self, lr=0.4):
        self.lr, self.v = lr, torch.zeros(2, requires_grad=True)
    def update(self, w, grad):
        self.v = 0.6 * self.v + torch.tensor(grad)
        return [x for x in torch.tensor(w) - self.lr * self.v]
""",
        """
class MyRule:
    def update(self, w, grad):
        return w - grad / np.array([0.1, 4.0])
""",
        """
class Rule:
    def update(self, w, grad):
        return [w[0] - 10 * grad[0], w[1] - grad[1] / 4]
MyRule = Rule()
""",
        """
def MyRule(w, grad, state):
    state["v"] = 0.6 * state.get("v", 0.0) + grad
    return w - 0.4 * state["v"]
""",
        """
from course_utils.optimizers import Momentum
MyRule = lambda: Momentum(lr=0.4, momentum=0.6)
""",
        """
from functools import partial
class Adam:
    def __init__(self, lr, b=0.7, c=0.99):
        self.lr, self.b, self.c, self.m, self.s, self.t = lr, b, c, 0, 0, 0
    def update(self, w, grad):
        self.t += 1
        self.m = self.b * self.m + (1 - self.b) * grad
        self.s = self.c * self.s + (1 - self.c) * grad**2
        root = np.sqrt(self.s / (1 - self.c**self.t)) + 1e-8
        return w - self.lr * self.m / (1 - self.b**self.t) / root
MyRule = partial(Adam, lr=1.0)
""",
        """
class MyRule:
    def __init__(self, lr=0.1):
        self.before = None
    def update(self, w, grad):
        rate = 0.1
        if self.before is not None:
            dw, dg = w - self.before[0], grad - self.before[1]
            rate = dw @ dw / max(dw @ dg, 1e-12)
        self.before = w, grad
        return w - rate * grad
""",
        """
class MyRule:
    def __init__(self, lr=0.3):
        self.lr, self.sum = lr, 0
    def update(self, w, grad):
        self.sum = 0.9 * self.sum + 0.1 * torch.tensor(grad) ** 2
        return torch.tensor(w) - self.lr * torch.tensor(grad) / (self.sum.sqrt() + 1e-8)
""",
    ],
}
_EMA = "average = beta * average + (1 - beta) * value"
_V = "self.v = self.momentum * self.v + grad"
_M = "self.m[i] = beta1 * self.m.get(i, 0.0) + (1 - beta1) * g"
_LR = "return lr_ema * (1 - momentum)"
_ORDER = "the order of a sum or product"
_ARRIVES = "another rule that reaches the goal without knowing the way"
EQUIVALENT = {
    "09.ema": {
        f"{_EMA} >>> average = average * beta + (1 - beta) * value": _ORDER,
        f"{_EMA} >>> average = beta * average + value * (1 - beta)": _ORDER,
    },
    "09.pytorch_lr": {
        f"{_LR} >>> return (1 - momentum) * lr_ema": _ORDER,
        f"{_LR} >>> return --(lr_ema * (1 - momentum))": "two minus signs cancel",
        f"{_LR} >>> return lr_ema * (1 - momentum) * 1": "a factor of one",
    },
    "09.adam": {f"{_M} >>> self.m[i] = (1 - beta1) * g + beta1 * self.m.get(i, 0.0)": _ORDER},
    "09.own_rule": {
        "return w - self.lr * self.v >>> return w - self.v * self.lr": _ORDER,
        "self.lr, self.momentum = (lr, momentum) >>> self.lr, self.momentum = (lr, lr)": _ARRIVES,
        "self.v = 0.0 >>> self.v = -0.0": "minus zero is zero",
        "self.v = 0.0 >>> self.v = -1.0": _ARRIVES,
        "self.v = 0.0 >>> self.v = 1.0": _ARRIVES,
        f"{_V} >>> self.v = grad + self.momentum * self.v": _ORDER,
        f"{_V} >>> self.v = self.v * self.momentum + grad": _ORDER,
    },
}
