"""Two exercises of chapter 13 that are judged by what they leave behind: weights, and a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Exercise, case, mistakes

# ------------------------------------------------------------------------- accumulation


class _Counting(torch.optim.SGD):
    """SGD that counts its steps."""

    steps = 0

    def step(self, *args: Any, **kwargs: Any) -> Any:
        self.steps += 1
        return super().step(*args, **kwargs)


class _Kept:
    """A tensor that a graph holds, and the piece it belongs to."""

    def __init__(self, tensor: torch.Tensor, piece: int) -> None:
        self.tensor, self.piece = tensor, piece


def _keep(kept: weakref.WeakSet[_Kept], tensor: torch.Tensor, piece: int) -> _Kept:
    one = _Kept(tensor, piece)
    kept.add(one)
    return one


def _accumulate(answer: Any, n: int, micro_batch: int, graphs: bool = True) -> dict[str, Any]:
    """What the step leaves behind, and, if ``graphs``, how many graphs it keeps at a time."""
    torch.default_generator.manual_seed(13)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.5)
    optimizer = _Counting(model.parameters(), lr=0.7)
    X, y = torch.randn(n, 4), torch.randint(0, 3, (n,))
    sizes: list[int] = []
    kept: weakref.WeakSet[_Kept] = weakref.WeakSet()  # what the graphs hold for `backward`
    held: list[int] = []

    def watch(_: Any, given: tuple) -> None:
        sizes.append(len(given[0]))
        held.append(len({one.piece for one in kept}))

    model.register_forward_pre_hook(watch)
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: _keep(kept, tensor.detach(), len(sizes)), lambda one: one.tensor
    )
    try:
        with hooks if graphs else contextlib.nullcontext():
            answer(model, optimizer, X, y, micro_batch)
    except RuntimeError as error:
        if not graphs or "saved tensor hooks" not in str(error):
            raise
        return _accumulate(answer, n, micro_batch, graphs=False)  # `torch.func` works without
    return {
        "steps of the optimizer": optimizer.steps,
        "never more than `micro_batch` images at once": max(sizes, default=0) <= micro_batch,
        "the weights after the step": [p.detach().tolist() for p in model.parameters()],
        "the graph of a piece is gone before the next but one": max(held, default=0) <= 1,
    }


def _accumulate_cases(r: np.random.Generator) -> Iterator[Case]:
    for n, micro in ((10, 4), (12, 4), (7, 7), (5, 1), (3, 8), (11, 2)):
        yield case(n, micro, label=f"with {n} images and `micro_batch={micro}`")


# ------------------------------------------------------------------------------- saving


class _Crash(RuntimeError):
    """What happens in the middle of the file."""


class _Dies:
    """Something in the state that cannot be written: the program dies there."""

    def __reduce__(self) -> Any:
        raise _Crash("the power went off")


def _save(answer: Any) -> dict[str, Any]:
    old = {"epoch": 1, "weights": torch.arange(4.0)}
    new = {"epoch": 2, "weights": torch.arange(4.0) + 10}
    # From beside it: what an answer writes by a relative name stays here, but in another folder.
    with (
        tempfile.TemporaryDirectory() as around,
        contextlib.chdir(around),
        _file_calls(folder := os.path.join(around, "checkpoints")) as seen,
    ):
        os.mkdir(folder)
        path = Path(folder, "checkpoint.pt")
        answer(dict(old), str(path))
        first = _holds(path, old)
        if first != "the state":
            return {"the file after the first save": first}
        seen["gaps"] = 0
        before = path.stat()
        with open(path, "rb"):  # so that its number is not given to the next file
            answer(dict(new), str(path))
            second, after = _holds(path, new), path.stat() if path.exists() else None
        left = sorted(entry for entry in os.listdir(folder) if entry != path.name)
        gaps = seen["gaps"]
        with contextlib.suppress(Exception):
            answer({**old, "then": _Dies()}, str(path))
        return {
            "the file after the first save": first,
            "the file after a save over an older one": second,
            "the file after a crash in the middle": _holds(path, new),
            "what is left beside it": ", ".join(left) or "nothing",
            "the old file itself was written to": bool(after and after.st_ino == before.st_ino),
            "for a moment there was no file": gaps > 0,
            "the other file stood in another folder": seen["elsewhere"] > 0,
        }


def _holds(path: Path, wanted: dict) -> str:
    if not path.exists():
        return "no file"
    try:
        found = torch.load(path, weights_only=True)
    except Exception:  # whatever stands in it
        return "cannot be read"
    same = isinstance(found, dict) and found.get("epoch") == wanted["epoch"]
    same = same and torch.equal(torch.as_tensor(found.get("weights")), wanted["weights"])
    return "the state" if same else "something else"


@contextlib.contextmanager
def _file_calls(folder: str) -> Iterator[dict[str, int]]:
    """Counts moments without a checkpoint, and files that come from another folder."""
    seen = {"gaps": 0, "elsewhere": 0}
    kept = {name: getattr(os, name) for name in ("remove", "unlink", "rename", "replace")}

    def spied(name: str) -> Any:
        def call(source: Any, *args: Any, **kwargs: Any) -> Any:
            inside = Path(os.path.realpath(source)).is_relative_to(os.path.realpath(folder))
            seen["elsewhere"] += name in ("rename", "replace") and not inside
            result = kept[name](source, *args, **kwargs)
            seen["gaps"] += not os.path.exists(os.path.join(folder, "checkpoint.pt"))
            return result

        return call

    for name in kept:
        setattr(os, name, spied(name))
    try:
        yield seen
    finally:
        for name, function in kept.items():
            setattr(os, name, function)


ACCUMULATE = Exercise(
    name="13.accumulate",
    title="a large batch in small pieces",
    prompt="""
The batch `X`, `y` does not fit into memory. Make **one** optimizer step with it in pieces of
`micro_batch` images (the last piece may be smaller), so that the weights move exactly as they would
with the whole batch at once. The loss is `F.cross_entropy`, the mean over the images; there may be
old gradients in the parameters.
""",
    stub='''
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    """One step of the optimizer; returns nothing."""
    raise NotImplementedError
''',
    hints=(
        "`backward` adds to `.grad`: clear once before the loop, step once after it.",
        "A piece of n images counts n / len(y) of the whole: multiply its loss by that share.",
    ),
    solution="""
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = F.cross_entropy(model(X_part), y_part)
        (loss * len(y_part) / len(y)).backward()
    optimizer.step()
""",
    wrong=mistakes(r"""
? The loss of each piece is a mean, and you add the means up: the gradient is not divided by the
  number of pieces, so the step is too long.
-  * len(y_part) / len(y) >>> 
? This counts every piece alike, but the last piece is smaller: weigh each by its share of the
  images.
-  * len(y_part) / len(y) >>>  / len(X.split(micro_batch))
-  * len(y_part) / len(y) >>>  / -(-len(y) // micro_batch)
? Every piece is weighed as if it were full: the last one may be smaller.
-  * len(y_part) / len(y) >>>  * micro_batch / len(y)
? The number of pieces is rounded down: the smaller last piece counts too.
-  * len(y_part) / len(y) >>>  / max(len(y) // micro_batch, 1)
? The optimizer makes a step with every piece; wanted is one step, after the last piece.
-     optimizer.step() >>>         optimizer.step()
-     optimizer.step() >>>         optimizer.step()\n        optimizer.zero_grad()
- (loss * len(y_part) / len(y)).backward()\n    optimizer.step() >>> loss.backward()\n        optimizer.step()\n        optimizer.zero_grad()
- (loss * len(y_part) / len(y)).backward()\n    optimizer.step() >>> loss.backward()\n        optimizer.step()
? The old gradients are still in it: clear them before the first piece.
-     optimizer.zero_grad()\n >>> 
? Only the gradients of the last piece count: clear them once before the loop, and call `backward`
  for each piece.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = F.cross_entropy(model(X_part), y_part) * len(y_part) / len(y)
    loss.backward()
    optimizer.step()
-     for X_part >>>     for X_part
&         loss = >>>         optimizer.zero_grad()\n        loss =
- (loss * len(y_part) / len(y)) >>> optimizer.zero_grad()\n        loss
? The optimizer makes no step: the weights have not moved.
-     optimizer.step() >>>     pass
? The weights have not moved: no piece calls `backward` on its own loss.
- .backward() >>>
? The model gets all the images at once, but only `micro_batch` of them fit into memory.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    F.cross_entropy(model(X), y).backward()
    optimizer.step()
? The graphs of all pieces are kept until the end, and need as much memory as the whole batch: call
  `backward` in the loop.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    loss = 0
    for X_part, y_part in zip(X.split(micro_batch), y.split(micro_batch)):
        loss = loss + F.cross_entropy(model(X_part), y_part) * len(y_part) / len(y)
    loss.backward()
    optimizer.step()
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    logits = torch.cat([model(X_part) for X_part in X.split(micro_batch)])
    F.cross_entropy(logits, y).backward()
    optimizer.step()
? The last images are left out: the last piece may be smaller.
def my_accumulated_step(model, optimizer, X, y, micro_batch):
    optimizer.zero_grad()
    for i in range(len(y) // micro_batch):
        part = slice(i * micro_batch, (i + 1) * micro_batch)
        (F.cross_entropy(model(X[part]), y[part]) * micro_batch / len(y)).backward()
    optimizer.step()
? The loss is the sum over the images; it is the mean that is wanted.
- F.cross_entropy(model(X_part), y_part) >>> F.cross_entropy(model(X_part), y_part, reduction="sum") * len(y) / len(y_part)
"""),
    cases=_accumulate_cases,
    probe=_accumulate,
    closing="The same weights as with the whole batch, with the memory of a small one.",
)

SAVE = Exercise(
    name="13.save",
    title="a checkpoint that a crash cannot spoil",
    prompt="""
Write `state` to the file `path` with `torch.save`, atomically: whenever the program dies, `path`
must hold either the old checkpoint or the new one, whole. The check lets your function die in the
middle of writing. Write to another file in the same folder first; after a save it must be gone.
""",
    stub='''
def my_save(state, path):
    """Save state to path; a crash on the way leaves the old file as it was."""
    raise NotImplementedError
''',
    hints=(
        'Save to `f"{path}.tmp"`. What makes it the checkpoint is its name.',
        "`os.replace(temporary, path)` gives it the name in one step, over the old file.",
    ),
    solution="""
def my_save(state, path):
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
""",
    wrong=mistakes(r"""
? The program died while writing, and now half a file stands at `path`: write to another file, and
  give it the name at the end.
def my_save(state, path):
    if os.path.exists(path):
        os.replace(path, path + ".old")
    torch.save(state, path)
    if os.path.exists(path + ".old"):
        os.remove(path + ".old")
def my_save(state, path):
    if os.path.exists(path):
        os.replace(path, path + ".old")
    torch.save(state, path)
def my_save(state, path):
    torch.save(state, path)
def my_save(state, path):
    with open(path, "wb") as file:
        torch.save(state, file)
def my_save(state, path):
    if os.path.exists(path):
        os.remove(path)
    torch.save(state, path)
? The program died while writing, and now the old checkpoint is gone: do not remove it, replace it
  at the end.
-     temporary = >>>     if os.path.exists(path):\n        os.remove(path)\n    temporary =
? Between the removal of the old file and the new name there is a moment without any checkpoint.
-     os.replace >>>     if os.path.exists(path):\n        os.remove(path)\n    os.replace
-     os.replace >>>     if os.path.exists(path):\n        os.rename(path, path + ".old")\n        os.remove(path + ".old")\n    os.replace
? There is no file at `path` after the save.
-     os.replace(temporary, path) >>>     pass
def my_save(state, path):
    state = dict(state)
- os.replace(temporary, path) >>> os.remove(temporary)
? Another file is left over after the save: the temporary file must be gone.
-     os.replace >>>     if os.path.exists(path):\n        os.replace(path, path + ".backup")\n    os.replace
? The old file itself is written over: a crash in the middle of that leaves half of it. Give the whole
  new file its name with `os.replace`.
- os.replace(temporary, path) >>> data = open(temporary, "rb").read()\n    with open(path, "wb") as file:\n        file.write(data)\n    os.remove(temporary)
def my_save(state, path):
    import shutil
    torch.save(state, path + ".tmp")
    shutil.copyfile(path + ".tmp", path)
    os.remove(path + ".tmp")
? A copy is written over the old file, and the temporary file is left over.
def my_save(state, path):
    import shutil
    torch.save(state, path + ".tmp")
    shutil.copy(path + ".tmp", path)
? The old checkpoint is kept: the new state must take its place.
- os.replace(temporary, path) >>> os.rename(temporary, path) if not os.path.exists(path) else os.remove(temporary)
? The file gets its name even if the writing has failed: then half a checkpoint stands at `path`.
def my_save(state, path):
    try:
        torch.save(state, path + ".tmp")
    finally:
        os.replace(path + ".tmp", path)
? The file holds something else than the state that was given.
- torch.save(state, file) >>> torch.save(str(state), file)
- torch.save(state, file) >>> torch.save(list(state), file)
? The other file stands in another folder: from there it may have to be copied, which is not one
  step.
def my_save(state, path):
    import tempfile
    file, name = tempfile.mkstemp()
    os.close(file)
    torch.save(state, name)
    os.replace(name, path)
def my_save(state, path):
    torch.save(state, "checkpoint.tmp")
    os.replace("checkpoint.tmp", path)
"""),
    cases=lambda r: [case(label="")],
    probe=_save,
    closing="Old or new, but always whole: `os.replace` changes the name in one step.",
)
