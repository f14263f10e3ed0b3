"""Chapter 09, optimizers: averages, conventions, three rules from scratch, and one of your own.

What the learner reads stands here; how the answers are judged, in ``judges09.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges09 as judges

SETUP = "import numpy as np"

_EMA = """
def my_ema(values, beta):
    average, averages = 0.0, []
    for t, value in enumerate(values, start=1):
        average = beta * average + (1 - beta) * value
        averages.append(average / (1 - beta**t))
    return averages
""".strip()

_PYTORCH_LR = """
def my_pytorch_lr(lr_ema, momentum):
    return lr_ema * (1 - momentum)
""".strip()

_RMSPROP = """
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.s = 0.0

    def update(self, w, grad):
        self.s = self.alpha * self.s + (1 - self.alpha) * grad**2
        return w - self.lr * grad / (self.s**0.5 + self.eps)
""".strip()

_ADAM = """
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.t = 0
        self.m, self.s = {}, {}

    def step(self, params, grads):
        beta1, beta2 = self.betas
        self.t += 1
        new_params = []
        for i, (w, g) in enumerate(zip(params, grads)):
            self.m[i] = beta1 * self.m.get(i, 0.0) + (1 - beta1) * g
            self.s[i] = beta2 * self.s.get(i, 0.0) + (1 - beta2) * g**2
            m_hat = self.m[i] / (1 - beta1**self.t)
            s_hat = self.s[i] / (1 - beta2**self.t)
            new_params.append(w - self.lr * m_hat / (s_hat**0.5 + self.eps))
        return new_params
""".strip()

_ADAMW = """
def my_adamw_update(w, grad, adam, lr, weight_decay):
    return adam.update(w * (1 - lr * weight_decay), grad)
""".strip()

_MY_RULE = """
class MyRule:
    def __init__(self, lr=0.4, momentum=0.6):
        self.lr, self.momentum = lr, momentum
        self.v = 0.0

    def update(self, w, grad):
        self.v = self.momentum * self.v + grad
        return w - self.lr * self.v
""".strip()

EXERCISES = (
    Exercise(
        name="09.ema",
        title="an average with bias correction",
        prompt=r"""
Write the exponentially weighted average $S_t = \beta S_{t-1} + (1-\beta)\,Y_t$ with $S_0 = 0$, and
return the *corrected* averages $S_t / (1-\beta^t)$ for $t = 1 \dots T$. `values` holds
$Y_1 \dots Y_T$.
""",
        answer="my_ema",
        stub='''
def my_ema(values, beta):
    """Bias-corrected averages, one for each value."""
    raise NotImplementedError
''',
        hints=(
            "Keep one number S through a loop over the values; append S / (1 − beta**t) each time.",
            "t counts from 1: `for t, value in enumerate(values, start=1)`.",
        ),
        solution=_EMA,
        wrong=(
            (variant(_EMA, (" / (1 - beta**t)", "")), "correction is missing"),
            (
                variant(
                    _EMA,
                    ("beta * average + (1 - beta) * value", "(1 - beta) * average + beta * value"),
                ),
                "weights are swapped",
            ),
            (variant(_EMA, ("start=1", "start=0")), "divided by 0"),
            (variant(_EMA, ("(1 - beta) * value", "value")), "weight of the new value"),
        ),
        checker=judges.check_ema,
        examples=(("my_ema([1.0, 2.0, 3.0], 0.5)", "[1.0, 1.6667, 2.4286]"),),
    ),
    Exercise(
        name="09.pytorch_lr",
        title="translate a learning rate",
        prompt=r"""
A book writes momentum as an average, $S \leftarrow \mu S + (1-\mu)\,g$ and
$w \leftarrow w - \eta_\text{EMA}\,S$. PyTorch adds the full gradient, $v \leftarrow \mu v + g$ and
$w \leftarrow w - \eta\,v$. Which learning rate must PyTorch get to walk the book's path?
""",
        answer="my_pytorch_lr",
        stub='''
def my_pytorch_lr(lr_ema, momentum):
    """The learning rate for torch.optim.SGD(momentum=momentum) that gives the same path."""
    raise NotImplementedError
''',
        hints=(
            "Feed both rules the constant gradient 1. Where do S and v settle?",
            "v = S / (1 − momentum) at all times, and lr · v must equal lr_ema · S.",
        ),
        solution=_PYTORCH_LR,
        wrong=(
            (variant(_PYTORCH_LR, ("*", "/")), "other way round"),
            (variant(_PYTORCH_LR, (" * (1 - momentum)", "")), "differ by a factor"),
            (variant(_PYTORCH_LR, ("(1 - momentum)", "momentum")), "1 − momentum"),
        ),
        checker=judges.check_pytorch_lr,
        examples=(("my_pytorch_lr(0.5, 0.9)", "0.05"),),
    ),
    Exercise(
        name="09.rmsprop",
        title="RMSProp",
        prompt=r"""
Write RMSProp: $s \leftarrow \alpha s + (1-\alpha)\,g^2$, then
$w \leftarrow w - \eta\,g / (\sqrt{s} + \varepsilon)$. `w` and `grad` are arrays of one shape, $s$
starts at 0, and `update` returns the new `w` without changing its arguments.
""",
        answer="MyRMSProp",
        stub='''
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.s = 0.0

    def update(self, w, grad):
        """Remember grad**2 in self.s and return the new w."""
        raise NotImplementedError
''',
        hints=(
            "Two lines: first the average of the squared gradient, then the step with it.",
            "`self.s**0.5 + self.eps` is the divisor: epsilon is added after the root.",
        ),
        solution=_RMSPROP,
        wrong=(
            (variant(_RMSPROP, ("grad**2", "grad")), "averages the squared gradient"),
            (
                variant(_RMSPROP, ("(self.s**0.5 + self.eps)", "((self.s + self.eps) ** 0.5)")),
                "epsilon is inside the root",
            ),
            (
                variant(
                    _RMSPROP,
                    ("        self.s = 0.0\n", ""),
                    ("    def __init__", "    s = 0.0\n\n    def __init__"),
                ).replace("self.s", "MyRMSProp.s"),
                "shared between two MyRMSProp objects",
            ),
            (variant(_RMSPROP, ("self.s**0.5", "self.s")), "root is missing"),
        ),
        checker=judges.check_rmsprop,
    ),
    Exercise(
        name="09.adam",
        title="Adam for a whole network",
        prompt=r"""
A network has many parameters of different shapes. Write Adam for a *list* of them:
`step(params, grads)` takes two lists of arrays and returns the list of new arrays. Each parameter
needs its own averages $m$ and $s$; one step count $t$, starting at 1, serves all:
$w \leftarrow w - \eta\,\hat m / (\sqrt{\hat s} + \varepsilon)$ with $\hat m = m/(1-\beta_1^t)$ and
$\hat s = s/(1-\beta_2^t)$.
""",
        answer="MyAdam",
        stub='''
class MyAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.t = 0

    def step(self, params, grads):
        """One step for all parameters; returns a list of new arrays."""
        raise NotImplementedError
''',
        hints=(
            "Count t once per step, then loop over the pairs (w, g). Where are their m and s kept?",
            "A dictionary per average, with the parameter's position as its key, does it: "
            "`self.m.get(i, 0.0)` is 0 at first.",
        ),
        solution=_ADAM,
        wrong=(
            (
                variant(
                    _ADAM,
                    ("self.m[i] / (1 - beta1**self.t)", "self.m[i]"),
                    ("self.s[i] / (1 - beta2**self.t)", "self.s[i]"),
                ),
                "bias correction is missing",
            ),
            (
                variant(_ADAM, ("(s_hat**0.5 + self.eps)", "(s_hat + self.eps) ** 0.5")),
                "epsilon is inside the root",
            ),
            (_ADAM.replace("[i]", "[0]").replace("get(i", "get(0"), "shared between parameters"),
            (
                variant(
                    _ADAM,
                    ("        self.t += 1\n", ""),
                    ("            self.m[i] =", "            self.t += 1\n            self.m[i] ="),
                ),
                "once per step, not once per parameter",
            ),
        ),
        checker=judges.check_adam,
    ),
    Exercise(
        name="09.adamw",
        title="weight decay that bypasses Adam",
        prompt=r"""
L2 regularisation adds $\lambda w$ to the gradient, and Adam's root then rescales it. AdamW shrinks
the weights directly, $w \leftarrow (1 - \eta\lambda)\,w$, and then takes Adam's step with the plain
gradient. Write one such update; `adam` is an object whose `adam.update(w, grad)` returns Adam's
next `w`.
""",
        answer="my_adamw_update",
        stub='''
def my_adamw_update(w, grad, adam, lr, weight_decay):
    """Decay w, then take Adam's step; returns the new w."""
    raise NotImplementedError
''',
        hints=(
            "`grad` goes into Adam unchanged. Only `w` is decayed.",
            "The factor is `1 - lr * weight_decay`, and it comes before Adam's step.",
        ),
        solution=_ADAMW,
        wrong=(
            (
                variant(
                    _ADAMW, ("w * (1 - lr * weight_decay), grad", "w, grad + weight_decay * w")
                ),
                "That is L2",
            ),
            (variant(_ADAMW, ("lr * weight_decay", "weight_decay")), "learning rate is missing"),
            (
                variant(
                    _ADAMW,
                    (
                        "adam.update(w * (1 - lr * weight_decay), grad)",
                        "adam.update(w, grad) * (1 - lr * weight_decay)",
                    ),
                ),
                "after Adam's step",
            ),
        ),
        checker=judges.check_adamw,
    ),
    Exercise(
        name="09.own_rule",
        title="your own rule for the race",
        prompt="""
The ravine is 40 times steeper across than along. With plain gradient descent the loss is still
above 0.009 after 60 steps, whatever the learning rate. Write a rule that brings it below 0.001 in
60 steps, from the start point of the race. It may use `w`, `grad` and what it remembers, but must
not know where the minimum is. The check uses your own default settings. Then let it join the race:
`race(own={"mine": MyRule})`.
""",
        answer="MyRule",
        stub='''
class MyRule:
    def __init__(self, lr=0.1):
        self.lr = lr

    def update(self, w, grad):
        """w and grad are arrays of shape (2,); returns the new w."""
        raise NotImplementedError
''',
        hints=(
            "The short steps that y needs must add up along x: remember earlier gradients.",
            "Momentum can do it. Try a learning rate just below the limit of plain descent, 0.5, "
            "and a momentum between 0.5 and 0.8.",
        ),
        solution=_MY_RULE,
        wrong=(
            (variant(_MY_RULE, ("momentum=0.6", "momentum=0.0")), "Along the valley"),
            (variant(_MY_RULE, ("momentum=0.6", "momentum=0.97")), "shot past the minimum"),
            (
                variant(_MY_RULE, ("lr=0.4, momentum=0.6", "lr=0.7, momentum=0.0")),
                "diverges in step",
            ),
            (variant(_MY_RULE, ("w - self.lr * self.v", "0.0 * w")), "know where the minimum is"),
        ),
        checker=judges.check_own_rule,
    ),
)
