"""Chapter 10."""

RIGHT = {
    "10.factor": [
        """
def my_factor(epoch, lr, step_size, gamma, min_lr):
    rate = lr
    for e in range(1, epoch + 1):
        if e % step_size == 0:
            rate *= gamma
    return max(rate, min_lr) / lr
""",
        "my_factor = lambda e, lr, s, g, m: np.float32(np.maximum(g ** np.floor(e / s), m / lr))",
        "def my_factor(epoch, lr, *, step_size, gamma, min_lr):\n"
        "    return (torch.tensor(gamma) ** int(epoch / step_size)).clamp(min=min_lr / lr)",
        """
def my_factor(epoch, lr, step_size, gamma, min_lr):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size, gamma)
    for _ in range(epoch):
        optimizer.step()
        scheduler.step()
    rate = optimizer.param_groups[0]["lr"]
    return (rate if rate > min_lr else min_lr) / lr
""",
        "from course_utils import schedules\n"
        "my_factor = lambda epoch, lr, step_size, gamma, min_lr: max(\n"
        "    schedules.step(epoch, lr, step_size, gamma) / lr, min_lr / lr)",
        "def my_factor(epoch, lr, step_size, gamma, min_lr):\n"
        "    return [sorted([math.pow(gamma, divmod(epoch, step_size)[0]), min_lr / lr])[-1]]",
    ],
    "10.gamma": [
        """
def my_gamma(lr, final_lr, num_steps):
    rates = np.geomspace(lr, final_lr, num_steps + 1)
    return round(rates[-1] / rates[-2], 5)
""",
        "my_gamma = lambda lr, final, n: np.exp((np.log(final) - np.log(lr)) / n)",
        "def my_gamma(lr, final_lr, num_steps):\n"
        "    return 10 ** (math.log10(final_lr / lr) / num_steps)",
        "def my_gamma(lr, *, final_lr, num_steps):\n"
        "    return torch.tensor(final_lr / lr, requires_grad=True).pow(1 / num_steps)",
        "def my_gamma(lr, final_lr, num_steps):\n"
        "    rates = np.geomspace(lr, final_lr, num_steps + 1)\n    return rates[1] / rates[0]",
        """
def my_gamma(lr, final_lr, num_steps):
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if lr * middle**num_steps > final_lr:
            high = middle
        else:
            low = middle
    return low
""",
    ],
    "10.warmup_cosine": [
        """
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    if t < warmup_steps:
        return torch.tensor(lr * (t + 1) / (warmup_steps + 1), dtype=torch.float32)
    u = torch.tensor((t - warmup_steps) / (num_steps - warmup_steps))
    return lr * (1 + torch.cos(torch.pi * u)) / 2
""",
        """
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    up = lr * (t + 1) / (warmup_steps + 1)
    down = lr * math.cos(math.pi / 2 * (t - warmup_steps) / (num_steps - warmup_steps)) ** 2
    return np.where(t >= warmup_steps, down, up)
""",
        """
def my_warmup_cosine(t, *, lr, warmup_steps, num_steps):
    rates = np.linspace(0, lr, warmup_steps + 2)[1:-1]
    u = np.arange(num_steps - warmup_steps) / (num_steps - warmup_steps)
    return np.concatenate([rates, lr * 0.5 * (1 + np.cos(u * np.pi))])[t]
""",
        """
def my_warmup_cosine(t, lr, warmup_steps, num_steps):
    left = num_steps - warmup_steps
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=left)
    for _ in range(t - warmup_steps):
        optimizer.step()
        scheduler.step()
    rate = scheduler.get_last_lr()[0]
    return rate if t >= warmup_steps else lr * (t + 1) / (warmup_steps + 1)
""",
        "my_warmup_cosine = lambda t, lr, w, n: lr * ("
        "(t + 1) / (w + 1) if t <= w else (1 + math.cos(math.pi * (t - w) / (n - w))) / 2)",
    ],
    "10.plateau": [
        """
def MyPlateau(lr=0.1, factor=0.1, patience=2):
    class Rule:
        def step(self, val_loss):
            better = val_loss < self.best
            self.best = min(val_loss, self.best)
            self.left = patience if better else self.left - 1
            if self.left < 0:
                self.lr, self.left = self.lr * factor, patience
            return torch.tensor([self.lr])

    rule = Rule()
    rule.lr, rule.best, rule.left = lr, math.inf, patience
    return rule
""",
        """
class MyPlateau:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best, self.bad = np.inf, 0

    def step(self, val_loss):
        self.bad = 0 if val_loss < self.best else self.bad + 1
        self.best = min(self.best, val_loss)
        if self.bad == self.patience + 1:
            self.lr, self.bad = self.lr * self.factor, 0
        return np.float32(self.lr)
""",
        """
class MyPlateau:
    def __init__(self, lr, factor, patience):
        self.rate, self.factor, self.left, self.patience = lr, factor, patience, patience
        self.seen = []

    def step(self, val_loss):
        if not self.seen or val_loss < min(self.seen):
            self.left = self.patience
        elif self.left > 0:
            self.left -= 1
        else:
            self.rate *= self.factor
            self.left = self.patience
        self.seen.append(val_loss)
        return torch.tensor(self.rate)
""",
        """
from course_utils import schedules

class MyPlateau:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.settings = lr, factor, patience
        self.losses = []

    def step(self, val_loss):
        self.losses.append(val_loss)
        return schedules.plateau(self.losses, *self.settings, threshold=0)[-1]
""",
        """
def MyPlateau(lr=0.1, factor=0.1, patience=2):
    state = {"lr": lr, "best": None, "bad": 0}

    class Plateau:
        def step(self, val_loss):
            if state["best"] is None or val_loss < state["best"]:
                state.update(best=val_loss, bad=0)
                return state["lr"]
            state["bad"] += 1
            if state["bad"] > patience:
                state.update(lr=state["lr"] * factor, bad=0)
            return state["lr"]

    return Plateau()
""",
        """
from dataclasses import dataclass

@dataclass
class MyPlateau:
    lr: float = 0.1
    factor: float = 0.1
    patience: int = 2
    best: float = math.inf
    count: int = 0
    falls: int = 0

    def step(self, val_loss):
        if val_loss >= self.best:
            self.count += 1
            if self.count > self.patience:
                self.falls += 1
                self.count = 0
        else:
            self.best = val_loss
            self.count = 0
        return self.lr * self.factor**self.falls
""",
        """
class MyPlateau:
    def __init__(self, lr=0.1, factor=0.1, patience=2):
        self.optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
        self.inner = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=factor, patience=patience, threshold=0)

    def step(self, val_loss):
        self.inner.step(val_loss)
        return self.optimizer.param_groups[0]["lr"]
""",
    ],
    "10.suggested_lr": [
        """
def my_suggested_lr(lrs, losses):
    losses = torch.as_tensor(losses, dtype=torch.float32)
    average, smooth = torch.zeros(()), []
    for t in range(len(losses)):
        average = average + 0.1 * (losses[t] - average)
        smooth.append(average / (1 - 0.9 ** (t + 1)))
    return lrs[int(torch.stack(smooth).argmin())] / 10
""",
        """
def my_suggested_lr(lrs, losses):
    best, rate, average = float("inf"), None, 0
    for t, (lr, loss) in enumerate(zip(lrs, losses)):
        average = 0.9 * average + (1 - 0.9) * loss
        corrected = average / (1 - 0.9 ** (t + 1))
        if corrected < best:
            best, rate = corrected, lr
    return 0.1 * rate
""",
        """
def my_suggested_lr(lrs, losses):
    t = np.arange(len(losses))
    weights = np.tril(0.9 ** np.abs(np.subtract.outer(t, t)).astype(float))
    return np.asarray(lrs)[(weights @ np.asarray(losses) / weights.sum(1)).argmin()] / 10
""",
        """
def my_suggested_lr(lrs, losses):
    v, corrected = 0, {}
    for i in range(len(lrs)):
        v = 0.9 * v + 0.1 * float(losses[i])
        corrected[float(lrs[i])] = v / (1 - 0.9 ** (i + 1))
    return min(corrected, key=corrected.get) / 10
""",
        """
def my_suggested_lr(lrs, *, losses):
    average, smooth = torch.zeros((), requires_grad=True), []
    for t, loss in enumerate(losses, start=1):
        average = torch.lerp(loss, average, 0.9)
        smooth.append(average / (1 - 0.9**t))
    return lrs[torch.stack(smooth).argmin()] * 0.1
""",
    ],
    "10.own_schedule": [
        """
def my_schedule(t):
    return torch.tensor([0.3 if t < 120 else 0.12 if t < 240 else 0.048 if t < 360 else 0.0192])
""",
        """
def my_schedule(t, top=0.25, warm=20):
    return np.float32(top * min((t + 1) / warm, 1 - (t - warm) / 380))
""",
        "from course_utils import schedules\n"
        "my_schedule = lambda t: schedules.one_cycle(t, 0.25, 400)",
        "from functools import partial\n"
        "def cosine(top, t):\n    return top * (1 + math.cos(math.pi * t / 400)) / 2\n"
        "my_schedule = partial(cosine, 0.25)",
    ],
}
ORDER = "the order of a product or a sum does not matter"
SCALE = "a positive factor or a number added to all losses leaves the lowest place where it is"
GOOD = "another schedule that reaches the goal"
EQUIVALENT = {
    "10.factor": {
        "return max(gamma ** (epoch // step_size), min_lr / lr) >>> "
        "return max(min_lr / lr, gamma ** (epoch // step_size))": "the larger of two is the same",
    },
    "10.warmup_cosine": {
        "return lr * (1 + np.cos(np.pi * share)) / 2 >>> "
        "return (1 + np.cos(np.pi * share)) * lr / 2": ORDER,
        "return lr * (t + 1) / (warmup_steps + 1) >>> "
        "return lr * (1 + t) / (warmup_steps + 1)": ORDER,
        "share = (t - warmup_steps) / (num_steps - warmup_steps) >>> "
        "share = -((t - warmup_steps) / (num_steps - warmup_steps))": "the cosine is even",
    },
    "10.plateau": {
        "self.best, self.bad_epochs = (float('inf'), 0) >>> "
        "self.best, self.bad_epochs = (float('inf'), 1)": "the first loss sets the count to 0",
    },
    "10.suggested_lr": {
        "average = 0.9 * average + 0.1 * loss >>> average = 0.1 * loss + 0.9 * average": ORDER,
        "average = 0.9 * average + 0.1 * loss >>> average = 0.9 * average + loss * 0.1": ORDER,
        "average = 0.9 * average + 0.1 * loss >>> average = 0.9 * average + (0.1 + loss)": SCALE,
        "average = 0.9 * average + 0.1 * loss >>> average = 0.9 * average + 0.1 * loss + 1": SCALE,
        "average = 0.9 * average + 0.1 * loss >>> average = 0.9 * average + 0.2 * loss": SCALE,
        "average = 0.9 * average + 0.1 * loss >>> average = 0.9 * average + 1.1 * loss": SCALE,
    },
    "10.own_schedule": {
        "if t < 20: >>> if t < 19:": GOOD,
        "return 0.25 * (1 + np.cos(np.pi * (t - 20) / 380)) / 2 >>> "
        "return 0.25 * (1 + np.cos(np.pi * (t - 20) / 381)) / 2": GOOD,
        "return 0.25 * (1 + np.cos(np.pi * (t - 20) / 380)) / 2 >>> "
        "return 0.25 * (1 + np.cos(np.pi * (t - 21) / 380)) / 2": GOOD,
        "return 0.25 * (t + 1) / 20 >>> pass": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 * (t + 0) / 20": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 * (t + 1) / 10": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 * t / 20": GOOD,
        "if t < 20: >>> if t < 21:": GOOD,
        "if t < 20: >>> if t < 40:": GOOD,
        "if t < 20: >>> if t <= 20:": GOOD,
        "if t < 20: | return 0.25 * (t + 1) / 20 >>> pass": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 * (1 + t) / 20": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 * (t + 1) / 19": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 / (t + 1) / 20": GOOD,
        "return 0.25 * (t + 1) / 20 >>> return 0.25 / 20": GOOD,
    },
}
