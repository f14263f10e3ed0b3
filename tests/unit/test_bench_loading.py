"""What the loading benchmark compares is equal: the same batches, handed out in three ways."""

from __future__ import annotations

import pytest
import torch

from benchmarks import bench_loading


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_three_ways_give_the_same_batches(dtype):
    data = bench_loading.images(150, dtype)
    make = bench_loading.ways(data)
    for seed in (0, 1):
        loaders = [make[way](seed) for way in ("index", "sample", "pil")]
        assert [len(loader) for loader in loaders] == [3, 3, 3]
        assert bench_loading.same_batches(loaders)
    assert not bench_loading.same_batches([make["index"](0), make["pil"](1)])
