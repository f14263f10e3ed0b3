"""The embedded digits, the same on every machine, and their batches."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from course_utils import data

SPLITS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("COURSE_DATASET", raising=False)
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)


@pytest.fixture(scope="module")
def embedded():
    return data.digits("embedded", dtype=torch.float64)


# --- the embedded digits --------------------------------------------------------------------------


def test_shapes_types_and_range(embedded):
    for split, n in zip(SPLITS, (1257, 180, 360), strict=True):
        X, y = embedded.split(split)
        assert X.shape == (n, 1, 28, 28) and y.shape == (n,)
        assert X.dtype == torch.float64 and y.dtype == torch.int64
        assert X.min() == 0 and 0.95 < X.max() <= 1
        assert set(y.tolist()) == set(range(10))
    assert embedded.num_classes == 10 and embedded.name == "embedded"


def test_splits_share_no_image_and_hold_all_of_them(embedded):
    images = torch.cat([embedded.split(s)[0] for s in SPLITS]).flatten(1)
    original = Counter(map(bytes, images.numpy()))
    assert sum(original.values()) == 1797
    assert len(original) == 1797  # the set has no duplicates, so no image is in two splits


def test_splits_are_stratified(embedded):
    everything = torch.cat([embedded.split(s)[1] for s in SPLITS]).bincount()
    for split, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        counts = embedded.split(split)[1].bincount()
        assert (counts - share * everything).abs().max() <= 1


def test_the_split_is_the_same_on_every_machine(embedded):
    """Bit for bit: stored outputs depend on it."""
    digest = hashlib.sha256()
    for split in SPLITS:
        X, y = embedded.split(split)
        digest.update(X.numpy().astype("<f8").tobytes())
        digest.update(y.numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == "348eb70788180b61add14946beef9682ddd35be19f3bef2bbe464502d081e6e1"


def test_enlarging_is_bilinear_interpolation():
    images = np.random.RandomState(3).randint(0, 17, (5, 8, 8)).astype(float)
    expected = F.interpolate(torch.from_numpy(images / 16)[:, None], size=28, mode="bilinear")
    ours = torch.from_numpy(data._enlarge(images))[:, None]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-14)


def test_default_dtype_and_given_dtype():
    assert data.digits().X_test.dtype == torch.get_default_dtype()
    assert data.digits(dtype=torch.float16).X_test.dtype == torch.float16


def test_names(monkeypatch):
    assert data.digits("digits").name == "embedded"
    assert data.digits("Embedded").name == "embedded"
    with pytest.raises(ValueError, match=r"unknown dataset 'mnits'.*embedded.*mean 'mnist'"):
        data.digits("mnits", fallback=True)
    monkeypatch.setenv("COURSE_DATASET", "embeded")
    with pytest.raises(ValueError, match=r"'embeded'.*mean 'embedded'"):
        data.digits()


def test_describe_and_subset(embedded):
    text = embedded.describe()
    for part in ("embedded", "(1257, 1, 28, 28)", "(180,)", "(360,)", "float64"):
        assert part in text
    small = embedded.subset(100)
    assert len(small.X_train) == len(small.y_train) == 100
    assert torch.equal(small.X_train, embedded.X_train[:100])
    assert len(small.y_test) == 360
    assert (small.y_train.bincount(minlength=10) > 0).all()
    for n in (0, 1258, 1.5, True):
        with pytest.raises(ValueError, match=r"1 to 1257, got"):
            embedded.subset(n)


# --- loaders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "drop_last", "count"), [(64, False, 20), (64, True, 19), (2000, False, 1)]
)
def test_loader_gives_every_sample_once(embedded, size, drop_last, count):
    loader = embedded.loader("train", size, drop_last=drop_last)
    assert isinstance(loader, DataLoader) and len(loader) == count
    batches = list(loader)
    assert len(batches) == count
    if drop_last:
        assert all(len(y) == size for _, y in batches)
    else:
        seen = Counter(map(bytes, torch.cat([X for X, _ in batches]).flatten(1).numpy()))
        assert seen == Counter(map(bytes, embedded.X_train.flatten(1).numpy()))


def test_loader_keeps_images_and_labels_together(embedded):
    label_of = {
        bytes(x.numpy()): y.item() for x, y in zip(embedded.X_train, embedded.y_train, strict=True)
    }
    for X, y in embedded.loader("train", 100):
        assert [label_of[bytes(x.numpy())] for x in X] == y.tolist()


def test_only_training_is_shuffled_by_default(embedded):
    def labels(split, **settings):
        return torch.cat([y for _, y in embedded.loader(split, 64, **settings)])

    assert not torch.equal(labels("train"), embedded.y_train)
    assert torch.equal(labels("train", shuffle=False), embedded.y_train)
    assert torch.equal(labels("validation"), embedded.y_val)
    assert torch.equal(labels("test"), embedded.y_test)
    assert not torch.equal(labels("test", shuffle=True), embedded.y_test)


def test_shuffling_depends_on_the_seed_alone(embedded):
    def labels(seed):
        loader = embedded.loader("train", 64, seed=seed)
        return [torch.cat([y for _, y in loader]) for _ in range(2)]

    torch.manual_seed(1)
    first = labels(5)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = labels(5)
    assert torch.equal(torch.get_rng_state(), state)  # dropout and the like see no difference
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])  # each epoch has its own order
    assert not torch.equal(first[0], labels(6)[0])


def test_loader_refuses_bad_values(embedded):
    for size in (0, -1, 2.5, None, True):
        with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
            embedded.loader("train", size)
    with pytest.raises(ValueError, match=r"unknown split 'trian'.*mean 'train'"):
        embedded.loader("trian")
    with pytest.raises(ValueError, match="same length, got 2 and 3"):
        data.ImageDataset(torch.zeros(2, 1), torch.zeros(3))


# --- where data lies ------------------------------------------------------------------------------


def test_data_home(monkeypatch, tmp_path):
    course = data.Path(data.__file__).resolve().parents[1]
    monkeypatch.chdir(tmp_path)
    assert data.data_home("x") == tmp_path / "x"
    base = course if (course / "notebooks").is_dir() else tmp_path
    assert data.data_home() == base / "data"
    monkeypatch.setenv("COURSE_DATA_DIR", "elsewhere")
    assert data.data_home() == base / "elsewhere"
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "y"))
    assert data.data_home() == tmp_path / "y"


@pytest.mark.parametrize("found", [True, False], ids=["its file", "scikit-learn itself"])
def test_the_small_digits_are_those_of_scikit_learn_in_either_way(found, monkeypatch):
    from sklearn.datasets import load_digits

    from course_utils import data

    if not found:
        monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    images, labels = data._small_digits()
    bunch = load_digits()
    assert np.array_equal(images, bunch.images) and images.dtype == bunch.images.dtype
    assert np.array_equal(labels, bunch.target) and labels.dtype == np.int64


def test_the_embedded_digits_need_no_import_of_scikit_learn():
    code = "import sys, course_utils.data as d; d.digits(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "False\n", done.stderr
