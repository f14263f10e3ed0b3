"""A race's setting as a short text that restores it, and as a PyTorch program that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from course_utils.names import look_up, unknown_name
from course_utils.playgrounds.race_compute import SAMPLE_NOISE, SEED, build_rule
from course_utils.surfaces import get_surface

ENTRIES = ("lr", "momentum", "beta2", "batch", "start", "steps")
EXAMPLE = "ravine; SGD+Adam; lr=0.1; momentum=0.9; beta2=0.99; batch=full; start=-8,2.5; steps=150"


def plain(value: float) -> str:
    """A number as short as it can be written without changing it: 0.1, 2, -8."""
    text = repr(float(value))
    return text.removesuffix(".0")


def write_setting(values: Mapping[str, Any]) -> str:
    """The control values as one line; `read_setting` is the way back."""
    parts = [
        values["surface"],
        "+".join(values["optimizers"]) or "none",
        f"lr={plain(values['lr'])}",
        f"momentum={plain(values['momentum'])}",
        f"beta2={plain(values['beta2'])}",
        f"batch={values['batch_size']}",
        f"start={plain(values['start_x'])},{plain(values['start_y'])}",
        f"steps={values['steps']}",
    ]
    return "; ".join(parts)


def read_setting(text: str, known_optimizers: Sequence[str]) -> dict[str, Any]:
    """The control values that `text` names; what it leaves out is left out here too.

    Raises:
        ValueError: saying which part cannot be read, and what it should look like.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the setting is empty; one looks like this: {EXAMPLE}")
    if len(text) > 2000:
        raise ValueError(f"this is too long for a setting; one looks like this: {EXAMPLE}")
    parts = [part.strip() for part in text.strip().strip("'\"").split(";") if part.strip()]
    values: dict[str, Any] = {}
    if parts and "=" not in parts[0]:
        values["surface"] = get_surface(parts.pop(0)).name
    if parts and "=" not in parts[0]:
        values["optimizers"] = _read_optimizers(parts.pop(0), known_optimizers)
    for part in parts:
        key, sign, content = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise ValueError(f"cannot read {part!r} in the setting; one looks like this: {EXAMPLE}")
        if key not in ENTRIES:
            raise unknown_name("entry in the setting", key, ENTRIES)
        read = _read_entry(key, content)
        if values.keys() & read.keys():
            raise ValueError(f"the setting names {key!r} twice")
        values |= read
    return values


def _read_optimizers(text: str, known: Sequence[str]) -> tuple[str, ...]:
    if text.casefold() == "none":
        return ()
    table = {name: name for name in known}
    return tuple(look_up("optimizer", name.strip(), table) for name in text.split("+"))


def _read_entry(key: str, content: str) -> dict[str, Any]:
    try:
        if key == "start":
            x, y = content.split(",")
            return {"start_x": float(x), "start_y": float(y)}
        if key == "batch":
            return {"batch_size": "full" if content.casefold() == "full" else int(content)}
        if key == "steps":
            return {"steps": int(content)}
        return {key: float(content)}
    except ValueError:
        wanted = {
            "start": "two numbers, start=-8,2.5",
            "batch": "a whole number or full, batch=16",
            "steps": "a whole number, steps=100",
        }.get(key, f"a number, {key}=0.1")
        raise ValueError(f"cannot read {key}={content!r} in the setting: give {wanted}") from None


PROGRAM = '''\
{imports}

def loss_fn(x, y):  # {surface}
    return {expression}


def descend(make_optimizer, num_steps={steps}):
    """Every point on the way, as a tensor of shape (num_steps + 1, 2)."""
    w = torch.tensor([{x!r}, {y!r}], dtype=torch.float64, requires_grad=True)
    optimizer = make_optimizer(w)
    points = [w.detach().clone()]
    for step in range(num_steps):
        optimizer.zero_grad()
        loss_fn(w[0], w[1]).backward()
{add_noise}\
        optimizer.step()
        points.append(w.detach().clone())
    return torch.stack(points)


{noise}\
paths = {{
{runs}\
}}
for name, points in paths.items():
    print(f"{{name:9}} loss {{loss_fn(*points[-1]).item():.4f}}")
'''

NOISE = """\
# The mean slope of {batch} sample{s}: one alone is off by {sigma} (its standard deviation).
rng = np.random.default_rng({seed})
noise = torch.from_numpy(rng.standard_normal(({steps}, 2)) * ({sigma} / {batch}**0.5))

"""


def write_pytorch(values: Mapping[str, Any], own: Sequence[str] = ()) -> str:
    """A runnable PyTorch program that walks the same paths; `paths[name]` holds the points.

    Gradient noise is drawn by the same seeded NumPy generator. The learner's `own` rules are no
    class of torch.optim: a comment says that they are left out.
    """
    surface = get_surface(values["surface"])
    batch = values["batch_size"]
    noisy = batch != "full"
    runs = ""
    for name in values["optimizers"]:
        if name in own:
            runs += f"    # {name!r} is your own rule, not a class of torch.optim: left out\n"
            continue
        rule = build_rule(name, values["lr"], values["momentum"], values["beta2"])
        runs += f"    {name!r}: descend(lambda w: {rule.torch_source()}),\n".replace("'", '"')
    noise = NOISE.format(
        batch=batch,
        s="" if batch == 1 else "s",
        sigma=SAMPLE_NOISE[surface.name],
        seed=SEED,
        steps=values["steps"],
    )
    return PROGRAM.format(
        imports="import numpy as np\nimport torch\n" if noisy else "import torch\n",
        surface=surface.name,
        expression=surface.torch_source(),
        steps=values["steps"],
        x=float(values["start_x"]),
        y=float(values["start_y"]),
        add_noise="        w.grad += noise[step]\n" if noisy else "",
        noise=noise if noisy else "",
        runs=runs,
    )
