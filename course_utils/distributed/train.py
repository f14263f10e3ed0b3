"""Train a network on the digits with one worker or with many: the script of chapter 13.

    python -m course_utils.distributed.train --epochs 3
    torchrun --standalone --nproc-per-node 2 -m course_utils.distributed.train --epochs 3

torchrun starts the workers and tells each its rank, 0 to world - 1. All of them run this file.
To let it restart dead workers (``--max-restarts``), read `course_utils.distributed.torchrun` first.
"""

from __future__ import annotations

import os
import signal
from argparse import Namespace
from pathlib import Path

import torch
import torch.distributed as dist

# DDP imports this, and default arguments in it then keep the process group that exists. With it
# gloo's threads outlive Python: now and then "terminate called without an active exception".
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler

from course_utils.data import Digits, ImageDataset, digits
from course_utils.distributed import checkpoint
from course_utils.distributed.options import DECIDING, read_options
from course_utils.models import digit_cnn, digit_mlp
from course_utils.printing import rounded


def main(arguments: list[str] | None = None) -> None:
    options = read_options(arguments)
    rank, world, device = join_the_others(options)
    torch.set_default_dtype(getattr(torch, options.dtype))
    share = options.global_batch // world
    if rank == 0:  # one voice is enough
        print(f"workers: {world}, each with {share} images per step on {device.type}", flush=True)

    data = digits(options.data)
    loader, sampler = make_loader(data, share, rank, world, options.seed)
    model, optimizer, scheduler = build(options, device)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    done, history = resume(parts, options, rank)
    parallel = DistributedDataParallel(model) if dist.is_initialized() else model
    X_val, y_val = (part[rank::world].to(device) for part in data.split("val"))

    for epoch in range(done + 1, options.epochs + 1):
        # Order and random numbers follow from seed, epoch and rank: nothing of them to save.
        sampler.set_epoch(epoch)
        torch.manual_seed(1_000_000 * (options.seed + 1) + 1000 * epoch + rank)
        losses = []
        model.train()
        for batch, (X, y) in enumerate(loader, start=1):
            if options.fail_at == (epoch, batch) and rank == world - 1:
                die_once(f"worker {rank} dies in epoch {epoch}, before batch {batch}")
            loss = F.cross_entropy(parallel(X.to(device)), y.to(device))
            optimizer.zero_grad()
            loss.backward()  # here the gradients are averaged over the workers
            optimizer.step()
            scheduler.step()
            losses.append(loss.detach())
        batch_loss = total(torch.stack(losses)) / world  # equal shares: the mean of the means

        model.eval()
        with torch.inference_mode():
            correct = total((model(X_val).argmax(1) == y_val).sum())
        history["batch_loss"] += batch_loss.tolist()
        history["loss"].append(batch_loss.mean().item())
        history["accuracy"].append(correct.item() / len(data.y_val))
        if rank == 0:
            save(parts, epoch, history, options)
            loss, accuracy = rounded([history["loss"][-1], history["accuracy"][-1]])
            print(f"epoch {epoch}: loss {loss:.4f}, validation accuracy {accuracy:.4f}", flush=True)
        if dist.is_initialized():
            dist.barrier()  # nobody runs ahead of the checkpoint
    if dist.is_initialized():
        del parallel  # it holds the process group as well, which must end now
        dist.destroy_process_group()


def join_the_others(options: Namespace) -> tuple[int, int, torch.device]:
    """(rank, number of workers, device). Without torchrun: a single worker, no connections."""
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    workers_here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    enough = torch.cuda.device_count() >= workers_here  # each worker needs a GPU of its own
    if options.device == "cuda" and not enough:
        raise SystemExit(f"--device cuda: this machine has no {workers_here} GPU(s) for PyTorch")
    cuda = options.device == "cuda" or (options.device == "auto" and enough)
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if not dist.is_torchelastic_launched():
        return 0, 1, device
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    world = dist.get_world_size()
    if options.global_batch % world:
        raise SystemExit(f"--global-batch {options.global_batch} is no multiple of {world} workers")
    return dist.get_rank(), world, device


def make_loader(
    data: Digits, share: int, rank: int, world: int, seed: int
) -> tuple[DataLoader, DistributedSampler]:
    """The batches of this worker, ``share`` images each.

    Every worker draws the same order and takes each world-th image of it, so the k-th batches of
    all workers together are the k-th batch of a single worker. Images that do not fill a last
    global batch sit the epoch out; the next epoch has another order.
    """
    dataset = ImageDataset(data.X_train, data.y_train)
    sampler = DistributedSampler(dataset, world, rank, seed=seed, drop_last=True)
    batches = BatchSampler(sampler, share, drop_last=True)
    return DataLoader(dataset, sampler=batches, batch_size=None), sampler


def build(
    options: Namespace, device: torch.device
) -> tuple[nn.Module, torch.optim.Optimizer, LambdaLR]:
    torch.manual_seed(options.seed)  # the same first weights everywhere
    if options.model == "mlp":
        model = digit_mlp(dropout=options.dropout)
    else:  # with batch norm: nn.SyncBatchNorm, or each worker normalises by its share alone
        model = digit_cnn("B", dropout=options.dropout)
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    warmup = options.warmup + 1
    return model, optimizer, LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup))


def resume(parts: dict, options: Namespace, rank: int) -> tuple[int, dict]:
    """(epochs done, history), after ``parts`` got their state from the checkpoint, if any."""
    if options.checkpoint is None or not (Path(options.checkpoint) / "checkpoint.pt").exists():
        return 0, {"batch_loss": [], "loss": [], "accuracy": []}
    state = checkpoint.load(Path(options.checkpoint) / "checkpoint.pt")
    checkpoint.check_settings(state, settings(options))
    for name, part in parts.items():
        part.load_state_dict(state[name])
    if rank == 0:
        print(f"resuming after epoch {state['epoch']}", flush=True)
    return state["epoch"], state["history"]


def save(parts: dict, epoch: int, history: dict, options: Namespace) -> None:
    if options.checkpoint is None:
        return
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"epoch": epoch, "history": history, "settings": settings(options)}
    checkpoint.save(state, Path(options.checkpoint) / "checkpoint.pt")
    checkpoint.save_json(history, Path(options.checkpoint) / "history.json")


def settings(options: Namespace) -> dict:
    return {name: getattr(options, name) for name in DECIDING}


def total(x: Tensor) -> Tensor:
    """The sum of ``x`` over the workers, on each of them."""
    if dist.is_initialized():
        dist.all_reduce(x)
    return x


def die_once(last_words: str) -> None:
    """Kill this process as a crash would. After torchrun's restart it lives on."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        print(last_words, flush=True)
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has no SIGKILL


if __name__ == "__main__":
    main()
