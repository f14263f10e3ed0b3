"""The ways to train a network that bench_throughput.py compares, and the process that runs one.

A way is a function of (model, feed, seed) that makes everything ready and returns the training
call, one epoch over the images of the feed. All ways see the same batches in the same order, with
Adam at the same rate. ``python -m benchmarks.contestants WAY FILE`` is a process that reads one
request per line, ``{"model": ..., "images": ...}`` or ``{"seed": ...}``, and answers each with a
line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, TensorDataset

from benchmarks.bench_fit import by_hand
from benchmarks.bench_loading import BATCH_SIZE, PILDataset
from course_utils.data import Digits, ImageDataset
from course_utils.models import digit_cnn, digit_mlp
from course_utils.training import evaluate, fit

LR = 1e-3
CHECKED = 256  # images over which the loss is compared after the training
MODELS: dict[str, Callable[[], nn.Module]] = {"mlp": digit_mlp, "cnn": lambda: digit_cnn("B")}
Adam = partial(torch.optim.Adam, lr=LR)
Call = Callable[[], object]


class Feed:
    """Images X (N, 1, 28, 28) in [0, 1] and labels y (N,), handed out in three ways.

    With ``as_images`` it holds PIL images, and no tensor of them all.
    """

    def __init__(self, X: Tensor, y: Tensor, as_images: bool = False) -> None:
        self.X, self.y = X, y
        self.images = None
        if as_images:
            self.X, self.images = None, PILDataset(X, y)

    def index(self, seed: int) -> DataLoader:
        """The course's loader: one indexing operation per batch."""
        digits = Digits("piece", self.X, self.y, *(self.X[:1], self.y[:1]) * 2)
        return digits.loader("train", BATCH_SIZE, seed=seed)

    def samples(self, seed: int) -> DataLoader:
        """Tensors in memory, fetched one by one and collated."""
        return _shuffled(TensorDataset(self.X, self.y), seed)

    def pil(self, seed: int) -> DataLoader:
        """PIL images in memory, each made a tensor when it is asked for."""
        return _shuffled(self.images, seed)


def _shuffled(dataset: Dataset, seed: int) -> DataLoader:
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, BATCH_SIZE, shuffle=True, generator=generator)


# --- without a framework --------------------------------------------------------------------------


def course_fit(loader: str, model: nn.Module, feed: Feed, seed: int) -> Call:
    settings = {"optimizer": Adam(model.parameters()), "num_epochs": 1, "progress": False}
    return partial(fit, model, getattr(feed, loader)(seed), **settings)


def textbook(model: nn.Module, feed: Feed, seed: int) -> Call:
    """The loop of most tutorials: PIL image → ToTensor → DataLoader, and each loss kept."""
    return partial(by_hand, model, feed.pil(seed), Adam(model.parameters()))


def raw(model: nn.Module, feed: Feed, seed: int, optimizer: Callable = Adam) -> Call:
    """As fast as plain PyTorch goes by hand: no loader, no loss read, nothing checked."""
    optimizer = optimizer(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    torch.empty((), dtype=torch.int64).random_(generator=generator)  # a DataLoader draws one first

    def train() -> None:
        X, y = feed.X, feed.y
        model.train()
        order = torch.randperm(len(y), generator=generator)
        for rows in order.split(BATCH_SIZE):
            loss = F.cross_entropy(model(X.index_select(0, rows)), y.index_select(0, rows))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return train


def raw_fused(model: nn.Module, feed: Feed, seed: int) -> Call:
    """`raw` with the fused Adam and channels-last convolutions: other rounding, same training."""
    model.to(memory_format=torch.channels_last)
    return raw(model, feed, seed, partial(Adam, fused=True))


# --- frameworks, each as its documentation asks where speed counts --------------------------------


def lightning(loader: str, model: nn.Module, feed: Feed, seed: int) -> Call:
    """The barebones Trainer: no bar, log, checkpoint, summary nor check."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch, batch_idx):
            X, y = batch
            return F.cross_entropy(self.model(X), y)

        def configure_optimizers(self):
            return Adam(self.parameters())

    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", devices=1, barebones=True)
    return partial(trainer.fit, Module(), train_dataloaders=getattr(feed, loader)(seed))


class IndexLoader(DataLoader):
    """The course's way to batch for skorch, which makes the loader itself from a data set."""

    def __init__(self, dataset: Dataset, batch_size: int, generator: torch.Generator) -> None:
        batches = BatchSampler(RandomSampler(dataset, generator=generator), batch_size, False)
        super().__init__(dataset, sampler=batches, batch_size=None, generator=generator)


def skorch(loader: str, model: nn.Module, feed: Feed, seed: int) -> Call:
    """Without a validation split and without the printed log; its history stays on."""
    from skorch import NeuralNetClassifier

    settings: dict = {"iterator_train__generator": torch.Generator().manual_seed(seed)}
    dataset: Dataset = TensorDataset(feed.X, feed.y)
    if loader == "index":
        settings["iterator_train"], dataset = IndexLoader, ImageDataset(feed.X, feed.y)
    else:
        settings["iterator_train__shuffle"] = True
    net = NeuralNetClassifier(
        model,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=BATCH_SIZE,
        max_epochs=1,
        train_split=None,
        verbose=0,
        callbacks__print_log=None,
        **settings,
    )
    return partial(net.fit, dataset, None)


def fastai(loader: str, model: nn.Module, feed: Feed, seed: int) -> Call:
    """A Learner with PyTorch's loader and Adam, default callbacks, no bar and no log."""
    from fastai.basics import DataLoaders, Learner, OptimWrapper

    learner = Learner(
        DataLoaders(getattr(feed, loader)(seed), []),  # nothing to validate
        model,
        loss_func=F.cross_entropy,
        opt_func=partial(OptimWrapper, opt=torch.optim.Adam),
        lr=LR,
    )
    learner.logger = lambda *_: None
    return partial(learner.fit, 1)


@dataclass(frozen=True)
class Contestant:
    """``peer`` is the package it needs; ``exact``: equal to the others up to the last rounding."""

    text: str
    make: Callable[[nn.Module, Feed, int], Call]
    peer: str | None = None
    exact: bool = True
    as_images: bool = False


WAYS = {
    "fit": Contestant("fit, index batches", partial(course_fit, "index")),
    "fit_samples": Contestant("fit, TensorDataset", partial(course_fit, "samples")),
    "textbook": Contestant("textbook, PIL + ToTensor", textbook, as_images=True),
    "raw": Contestant("raw loop", raw),
    "raw_fused": Contestant("raw, fused, chan.-last", raw_fused, exact=False),
}
for _peer in (lightning, skorch, fastai):
    _name = _peer.__name__
    WAYS[_name] = Contestant(f"{_name}, TensorDataset", partial(_peer, "samples"), _name)
    WAYS[f"{_name}_index"] = Contestant(f"{_name}, index batches", partial(_peer, "index"), _name)


# --- memory ---------------------------------------------------------------------------------------


def reset_peak() -> bool:
    """Make the peak of memory start anew from now; False where the system cannot (not Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def held() -> int:
    """Bytes of memory (resident set) in use, after what is free has gone back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


def peak() -> int:
    """The most memory (resident set) this process has held since `reset_peak`, bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    if os.name == "nt":
        return psutil.Process().memory_info().peak_wset
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# --- the process ----------------------------------------------------------------------------------


def seconds(call: Call) -> tuple[float, float]:
    """Processor and clock seconds of a call."""
    begin = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - begin[0], time.perf_counter() - begin[1]


class Worker:
    """One way with one model; images (N, 28, 28) as bytes, labels (N,)."""

    def __init__(self, way: str, model: str, pixels: Tensor, y: Tensor) -> None:
        one = WAYS[way]
        self.make = one.make
        if one.peer:
            importlib.import_module("fastai.basics" if one.peer == "fastai" else one.peer)
        X = pixels[:, None].to(torch.float32).div_(255)
        self.feed = Feed(X, y, one.as_images)
        self.first = Feed(X[:BATCH_SIZE].clone(), y[:BATCH_SIZE], one.as_images)
        self.checked = TensorDataset(X[:CHECKED].clone(), y[:CHECKED])
        torch.manual_seed(0)
        self.model = MODELS[model]()
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.ready: int | None = None  # bytes held after the first update

    def hello(self) -> dict:
        """What the one who compares must know of this process."""
        torch_is = f"{torch.__version__} in {Path(torch.__file__).parent}"
        return {"torch": torch_is, "start_loss": self.loss(), "resets_peak": reset_peak()}

    def loss(self) -> float:
        return evaluate(self.model, DataLoader(self.checked, BATCH_SIZE)).loss

    def turn(self, seed: int, watched: bool = False) -> dict:
        """One update and then one epoch, each from the same weights and each timed as a whole call.

        Times are (processor, clock) in seconds. ``watched`` counts what the model is given. "ready"
        are the bytes held after the first update of all, which loads what is loaded late.
        """
        sizes: list[int] = []

        def watch(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            if module.training and torch.is_grad_enabled():
                sizes.append(len(inputs[0]))

        gc.collect()  # what the last turn has left is not this one's
        self.model.load_state_dict(self.start)
        one = seconds(self.make(self.model, self.first, seed))
        self.ready = self.ready or held()
        self.model.load_state_dict(self.start)
        call = self.make(self.model, self.feed, seed)
        hook = self.model.register_forward_hook(watch) if watched else None
        reset_peak()
        epoch = seconds(call)
        reply = {"one": one, "epoch": epoch, "peak": peak(), "ready": self.ready}
        if hook:
            hook.remove()
            reply |= {"samples": sum(sizes), "updates": len(sizes)}
        if torch.get_num_threads() != 1:
            raise RuntimeError(f"{torch.get_num_threads()} threads at work, wanted one")
        return reply | {"loss": self.loss()}


def main(way: str, file: str) -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a framework prints must not come between the replies
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    worker = None
    for line in sys.stdin:
        request = json.loads(line)
        if "model" in request:
            worker = None  # its data go before the next come
            data, n = torch.load(file, weights_only=True), request["images"]
            worker = Worker(way, request["model"], data["pixels"][:n], data["y"][:n])
            del data
            reply = worker.hello()
        else:
            reply = worker.turn(**request)
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
