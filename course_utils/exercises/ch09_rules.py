"""Chapter 09: RMSProp and Adam as classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.probes import walk_in_turn


def _said(settings: dict[str, Any], shapes: str) -> str:
    words = ", ".join(f"{key}={value}" for key, value in settings.items())
    return f"({words or 'default settings'}) with the {shapes}"


def _rmsprop_cases(r: np.random.Generator) -> Iterator[Case]:
    # A large eps shows where it is added; the default one shows beside small gradients.
    for settings, shape, size in (
        ({"lr": 0.1, "alpha": 0.6, "eps": 0.5}, (2,), 2.0),
        ({"lr": 0.03, "alpha": 0.95, "eps": 0.2}, (4,), 1.0),
        ({"lr": 0.2, "alpha": 0.8, "eps": 0.1}, (1,), 1.0),
        ({}, (3,), 1.0),
        ({}, (2,), 1e-8),
    ):
        grads = [r.normal(size=shape) * size for _ in range(6)]
        if size == 1e-8:
            grads[0] = np.zeros(shape)
        w = r.normal(size=shape) * min(size, 0.1)
        yield case(settings, w, grads, label=_said(settings, f"shape {shape}"))


def _adam_cases(r: np.random.Generator) -> Iterator[Case]:
    for settings, shapes, size in (
        ({"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.2}, ((2,), (2,)), 2.0),
        ({"lr": 0.05, "betas": (0.6, 0.9), "eps": 0.1}, ((3, 2), (4,), (1,)), 2.0),
        ({"lr": 0.2, "betas": (0.9, 0.5), "eps": 0.5}, ((2, 3),), 1.0),
        ({}, ((2, 3), (2,)), 1.0),
        ({}, ((3,),), 1e-7),
    ):
        grads = [[r.normal(size=shape) * size for shape in shapes] for _ in range(6)]
        if size == 1e-7:
            grads[0] = [np.zeros(shape) for shape in shapes]
        params = [r.normal(size=shape) * min(size, 0.05) for shape in shapes]
        yield case(
            settings,
            params,
            grads,
            label=_said(settings, f"shapes {' and '.join(map(str, shapes))}"),
        )


RMSPROP = Exercise(
    name="09.rmsprop",
    title="RMSProp",
    prompt=r"""
Write RMSProp: $s \leftarrow \alpha s + (1-\alpha)\,g^2$, then
$w \leftarrow w - \eta\,g / (\sqrt{s} + \varepsilon)$. `w` and `grad` are arrays of shape (n,), $s$
starts at 0, and `update` returns the new `w` without changing its arguments.
""",
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
    solution="""
class MyRMSProp:
    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.s = 0.0

    def update(self, w, grad):
        self.s = self.alpha * self.s + (1 - self.alpha) * grad**2
        return w - self.lr * grad / (self.s**0.5 + self.eps)
""",
    wrong=mistakes(r"""
? You averaged the gradient; RMSProp averages the squared gradient.
- grad**2 >>> grad
? You averaged the size of the gradient; RMSProp averages its square.
- grad**2 >>> abs(grad)
? The epsilon is inside the root: add it after the root.
- (self.s**0.5 + self.eps) >>> (self.s + self.eps) ** 0.5
? The epsilon is missing below the line: divide by √s + eps.
- (self.s**0.5 + self.eps) >>> self.s**0.5
? The root is missing: divide by √s + eps.
- self.s**0.5 >>> self.s
? The two weights are swapped: alpha belongs to the old average.
- self.alpha * self.s + (1 - self.alpha) >>> (1 - self.alpha) * self.s + self.alpha
? The new squared gradient counts 1 − alpha, not 1.
- (1 - self.alpha) * grad >>> grad
? The old average must fade by alpha; here all squares add up, as in AdaGrad.
- self.alpha * self.s + (1 - self.alpha) * grad >>> self.s + grad
- self.alpha * self.s + >>> self.s +
? The step uses the average from before this gradient: update s first.
-         self.s = self >>>         before = self.s\n        self.s = self
& (self.s**0.5 >>> (before**0.5
? The step goes uphill: subtract it from w.
- w - self >>> w + self
? The learning rate is missing from the step.
- self.lr * grad / >>> grad /
? That is the step alone: return the new w, that is w minus the step.
- w - self.lr * grad >>> self.lr * grad
- w - self.lr * grad >>> -self.lr * grad
? s is forgotten from one update to the next: keep it on `self`.
- self.alpha * self.s + (1 >>> (1
-         self.s = self >>>         s = self && (self.s**0.5 >>> (s**0.5
? Each entry of w has its own s, so nothing is summed or averaged over the entries.
- grad**2 >>> (grad**2).sum()
- grad**2 >>> (grad**2).mean()
? RMSProp has no bias correction: Adam adds that.
- (self.s**0.5 >>> ((self.s / (1 - self.alpha**self.t)) ** 0.5
& self.s = 0.0 >>> self.s, self.t = 0.0, 0
&         self.s = self >>>         self.t += 1\n        self.s = self
? The state is shared between two MyRMSProp objects: a second one walks another path. Keep the
  state on `self`, set in `__init__`.
class MyRMSProp:
    s = 0.0

    def __init__(self, lr=0.01, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps = lr, alpha, eps

    def update(self, w, grad):
        MyRMSProp.s = self.alpha * MyRMSProp.s + (1 - self.alpha) * grad**2
        return w - self.lr * grad / (MyRMSProp.s**0.5 + self.eps)
? `update` changes its arguments in place: return new values instead.
- return w - self >>> w -= self
& self.eps) >>> self.eps)\n        return w
? `alpha` is not used: that is the path for alpha = 0.9.
- lr, alpha, eps\n >>> lr, 0.9, eps\n
? `lr` is not used: that is the path for lr = 0.01.
- = lr, alpha >>> = 0.01, alpha
? `eps` is not used: that is the path for eps = 1e-8.
- alpha, eps\n >>> alpha, 1e-8\n
? The default settings are not those of the stub.
- alpha=0.9 >>> alpha=0.99
- lr=0.01 >>> lr=0.001
- eps=1e-8 >>> eps=1e-6
? `update` gives back nothing: it must return the new w.
- return w - >>> w = w -
"""),
    cases=_rmsprop_cases,
    probe=walk_in_turn("update", lr=0.01, alpha=0.9, eps=1e-8),
    pure=True,
    closing="It takes the same steps as `torch.optim.RMSprop`.",
)

ADAM = Exercise(
    name="09.adam",
    title="Adam for a whole network",
    prompt=r"""
A network has many parameters of different shapes. Write Adam for a *list* of them:
`step(params, grads)` takes two lists of arrays and returns the list of new arrays; the old ones
stay as they are. Each parameter needs its own averages $m$ and $s$; one step count $t$, starting at
1, serves all: $w \leftarrow w - \eta\,\hat m / (\sqrt{\hat s} + \varepsilon)$ with
$\hat m = m/(1-\beta_1^t)$ and $\hat s = s/(1-\beta_2^t)$.
""",
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
    solution="""
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
""",
    wrong=mistakes(r"""
? The bias correction is missing: divide m by 1 − beta1**t, s by 1 − beta2**t.
- self.m[i] / (1 - beta1**self.t) >>> self.m[i] && self.s[i] / (1 - beta2**self.t) >>> self.s[i]
? The bias correction of s is missing.
-  / (1 - beta2**self.t) >>> 
? The bias correction of m is missing.
-  / (1 - beta1**self.t) >>> 
? The epsilon is inside the root: add it after the root.
- (s_hat**0.5 + self.eps) >>> (s_hat + self.eps) ** 0.5
? Correct s first, take the root, then add epsilon.
- (s_hat**0.5 + self.eps) >>> ((self.s[i]**0.5 + self.eps) / (1 - beta2**self.t)**0.5)
? The epsilon is missing: divide by the root of the corrected s, plus eps.
- (s_hat**0.5 + self.eps) >>> s_hat**0.5
? The root is missing: divide by the root of the corrected s, plus eps.
- s_hat**0.5 >>> s_hat
? You averaged the gradient twice; s averages the squared gradient.
- g**2 >>> g
? The state is shared between parameters: each needs its own m and s.
- enumerate(zip(params, grads)) >>> ((0, pair) for pair in zip(params, grads))
- self.m[i] = beta1 >>> i = np.shape(w)\n            self.m[i] = beta1
? Count t once per step, not once per parameter.
-         self.t += 1\n >>> 
&             self.m[i] = >>>             self.t += 1\n            self.m[i] =
? t is still 0 in the first step, and 1 − beta**0 is 0: count first.
-         self.t += 1\n >>> 
&         return new_params >>>         self.t += 1\n        return new_params
? t must be 1 in the first step; here it is 2 already.
- self.t = 0 >>> self.t = 1
? t stays the same in every step: count the steps on `self`.
-         self.t += 1\n >>>         self.t = 1\n
? beta1 belongs to m and beta2 to s; you have them the other way round.
- beta1, beta2 = self >>> beta2, beta1 = self
? The two weights of an average are swapped: beta belongs to the old average.
- beta1 * self.m.get(i, 0.0) + (1 - beta1) >>> (1 - beta1) * self.m.get(i, 0.0) + beta1
& beta2 * self.s.get(i, 0.0) + (1 - beta2) >>> (1 - beta2) * self.s.get(i, 0.0) + beta2
? The new gradient counts 1 − beta1 in m, and its square 1 − beta2 in s.
- (1 - beta1) * g >>> g && (1 - beta2) * g**2 >>> g**2
- (1 - beta1) * g >>> g
- (1 - beta2) * g**2 >>> g**2
? The step uses the gradient itself: its average m belongs there.
- self.lr * m_hat >>> self.lr * g
? The step goes uphill: subtract it from w.
- w - self >>> w + self
? The learning rate is missing from the step.
- self.lr * m_hat >>> m_hat
? The averages are forgotten from one step to the next: keep them on `self`, each at the place that
  its parameter has in the list.
-         new_params = [] >>>         self.m, self.s = {}, {}\n        new_params = []
? The state is shared between two MyAdam objects: a second one walks another path. Keep the state
  on `self`, set in `__init__`.
-         self.t = 0\n        self.m, self.s = {}, {} >>> 
&     def __init__ >>>     t, m, s = 0, {}, {}\n\n    def __init__
-         self.m, self.s = {}, {} >>>  &&     def __init__ >>>     m, s = {}, {}\n\n    def __init__
? `step` changes its arguments in place: return new values instead.
- new_params.append(w - self.lr >>> w -= (self.lr
& self.eps)) >>> self.eps))\n            new_params.append(w)
- new_params = [] >>> new_params = params
& new_params.append(w - self.lr >>> params[i] = (w - self.lr
? Return the list of all new parameters.
- return new_params >>> return new_params[-1]
-         return new_params >>>             return new_params
? Correct only what you use in the step: m and s themselves stay uncorrected.
- m_hat = self.m[i] >>> m_hat = self.m[i] = self.m[i]
& s_hat = self.s[i] >>> s_hat = self.s[i] = self.s[i]
- m_hat = self.m[i] >>> m_hat = self.m[i] = self.m[i]
? The correction is a power of beta, 1 − beta**t, not 1 − beta·t.
- beta1**self.t >>> beta1*self.t && beta2**self.t >>> beta2*self.t
? `betas` is not used: that is the path for the betas 0.9 and 0.999.
- beta1, beta2 = self.betas >>> beta1, beta2 = 0.9, 0.999
? The default settings are not those of the stub.
- lr=0.001 >>> lr=0.01
- eps=1e-8 >>> eps=1e-6
- 0.999) >>> 0.99)
"""),
    cases=_adam_cases,
    probe=walk_in_turn("step", lr=0.001, betas=(0.9, 0.999), eps=1e-8),
    pure=True,
    closing="It takes the same steps as `torch.optim.Adam`, for parameters of any shape.",
)
