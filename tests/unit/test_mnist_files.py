"""MNIST: found, checked, downloaded; never overwritten. No test needs the real files."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import struct
import threading
from functools import partial

import numpy as np
import pytest
import torch

from course_utils import data, mnist_files
from course_utils.data import DataError
from tests.unit.full_disk import full_disk

SPLITS = ("train", "val", "test")


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny(monkeypatch):
    """Four small files in MNIST's format, made known to the package as if they were MNIST."""
    from torchvision.datasets import MNIST

    rng = np.random.default_rng(0)
    y_train, y_test = np.repeat(np.arange(10), 20), np.repeat(np.arange(10), 3)
    contents = {
        "train-images-idx3-ubyte": _idx(rng.integers(0, 256, (200, 28, 28))),
        "train-labels-idx1-ubyte": _idx(y_train),
        "t10k-images-idx3-ubyte": _idx(rng.integers(0, 256, (30, 28, 28))),
        "t10k-labels-idx1-ubyte": _idx(y_test),
    }
    assert list(contents) == list(mnist_files.FILES)
    sums = {n: (len(b), hashlib.sha256(b).hexdigest()) for n, b in contents.items()}
    monkeypatch.setattr(mnist_files, "FILES", sums)
    archives = {f"{n}.gz": gzip.compress(b, mtime=0) for n, b in contents.items()}
    resources = [(n, hashlib.md5(b).hexdigest()) for n, b in archives.items()]
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody answers there
    return contents


@pytest.fixture
def served(tiny, tmp_path, monkeypatch):
    """The archives of the tiny files on a local web server. Gives their folder."""
    from torchvision.datasets import MNIST

    site = tmp_path / "site"
    site.mkdir()
    for name, content in tiny.items():
        (site / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(
        MNIST, "mirrors", ["http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/"]
    )
    yield site
    server.shutdown()
    server.server_close()


def _write(folder, contents):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (raw / name).write_bytes(content)
    return raw


def _snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_reads_mnist_files(tiny, tmp_path, monkeypatch):
    _write(tmp_path, tiny)
    monkeypatch.setenv("COURSE_DATASET", "mnist")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    found = data.digits(dtype=torch.float64)
    assert found.name == "mnist"
    assert [len(found.split(s)[1]) for s in SPLITS] == [180, 20, 30]
    assert found.y_val.bincount().tolist() == [2] * 10
    pixels = np.frombuffer(tiny["t10k-images-idx3-ubyte"], np.uint8, offset=16) / 255
    assert np.array_equal(found.X_test.numpy().ravel(), pixels)
    assert found.y_test.tolist() == np.repeat(np.arange(10), 3).tolist()
    train = (
        np.frombuffer(tiny["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(200, -1) / 255
    )
    label_of = {bytes(x): i // 20 for i, x in enumerate(train)}
    both = [(x, y) for s in ("train", "val") for x, y in zip(*found.split(s), strict=True)]
    assert all(label_of.pop(bytes(x.flatten().numpy())) == y for x, y in both)
    assert not label_of  # every image is in one of the two


def test_missing_files_without_download(tiny, tmp_path):
    with pytest.raises(DataError, match=r"not found in .*raw[\s\S]*COURSE_DATA_DIR[\s\S]*embedded"):
        data.digits("mnist", data_dir=tmp_path, download=False)
    assert _snapshot(tmp_path) == {} and not any(tmp_path.iterdir())


def test_no_network(tiny, tmp_path):
    with pytest.raises(DataError, match=r"could not be downloaded[\s\S]*Check the network"):
        data.digits("mnist", data_dir=tmp_path)
    assert _snapshot(tmp_path) == {}


def test_fallback_is_announced_in_one_line(tiny, tmp_path, capsys):
    assert data.digits("mnist", data_dir=tmp_path, download=False, fallback=True).name == "embedded"
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "not available" in out and "Using the embedded digits" in out


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[: len(b) // 2], r"truncated \(half downloaded\?\): [\d,]+ bytes, [\d,]+ are"),
        (lambda b: b"", "truncated"),
        (lambda b: b + b"x", "too long"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "corrupt: its checksum is wrong"),
    ],
)
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_damaged_files_are_named_and_kept(served, tiny, tmp_path, name, damage, message, download):
    _write(tmp_path / "d", {**tiny, name: damage(tiny[name])})
    before = _snapshot(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        data.digits("mnist", data_dir=tmp_path / "d", download=download)
    assert name in str(caught.value) and "Delete" in str(caught.value)
    assert not any(f" {other} " in str(caught.value) for other in set(tiny) - {name})
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
        ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
    ],
)
def test_files_that_changed_places_are_both_named_and_kept(tiny, tmp_path, one, other):
    """Images for labels, or the test set for the training set: it would train, on nonsense."""
    _write(tmp_path, {**tiny, one: tiny[other], other: tiny[one]})
    before = _snapshot(tmp_path)
    with pytest.raises(DataError, match="MNIST is damaged") as caught:
        data.digits("mnist", data_dir=tmp_path)
    assert one in str(caught.value) and other in str(caught.value)
    assert _snapshot(tmp_path) == before


def test_archives_that_changed_places_are_refused(tiny, tmp_path):
    one, other = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
    archives = {f"{name}.gz": gzip.compress(content) for name, content in tiny.items()}
    archives |= {f"{one}.gz": archives[f"{other}.gz"], f"{other}.gz": archives[f"{one}.gz"]}
    raw = _write(tmp_path, archives)
    with pytest.raises(DataError, match=rf"{one}.gz is incomplete or corrupt"):
        data.digits("mnist", data_dir=tmp_path, download=False)
    assert sorted(path.name for path in raw.iterdir()) == sorted(archives)


def test_a_folder_in_place_of_a_file(tiny, tmp_path):
    raw = _write(tmp_path, tiny)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    (raw / "t10k-labels-idx1-ubyte").mkdir()
    with pytest.raises(DataError, match="is not a file"):
        data.digits("mnist", data_dir=tmp_path)


# --- download -------------------------------------------------------------------------------------


def test_download(served, tiny, tmp_path, capsys):
    found = data.digits("mnist", data_dir=tmp_path / "new")  # the first mirror does not answer
    assert len(found.y_test) == 30
    assert "Downloading train-images-idx3-ubyte.gz" in capsys.readouterr().out
    stored = _snapshot(tmp_path / "new")
    assert {p.name: b for p, b in stored.items()} == tiny  # and nothing half-made is left
    for archive in served.iterdir():
        archive.unlink()
    data.digits("mnist", data_dir=tmp_path / "new")  # needs no network any more


def test_download_fetches_only_what_is_missing(served, tiny, tmp_path, capsys):
    kept = {n: b for n, b in tiny.items() if "t10k" not in n}
    raw = _write(tmp_path / "d", kept)
    stamps = {n: (raw / n).stat().st_mtime_ns for n in kept}
    data.digits("mnist", data_dir=tmp_path / "d")
    assert stamps == {n: (raw / n).stat().st_mtime_ns for n in kept}
    assert "train" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"<html>not here</html>"])
def test_a_bad_download_is_refused(served, tmp_path, damage):
    archive = served / "t10k-images-idx3-ubyte.gz"
    whole = archive.read_bytes()
    archive.write_bytes(damage(whole))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz came from none of its sources"):
        data.digits("mnist", data_dir=tmp_path / "d")
    stored = {p.name for p in _snapshot(tmp_path / "d")}
    assert stored == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    archive.write_bytes(whole)
    assert len(data.digits("mnist", data_dir=tmp_path / "d").y_test) == 30  # a later run recovers


def test_right_archive_with_wrong_content_is_refused(served, tmp_path, monkeypatch):
    """torchvision checks the archive; the file inside has a checksum of its own."""
    name = "train-labels-idx1-ubyte"
    changed = {**mnist_files.FILES, name: (mnist_files.FILES[name][0], "0" * 64)}
    monkeypatch.setattr(mnist_files, "FILES", changed)
    with pytest.raises(DataError, match="its content has a wrong checksum"):
        data.digits("mnist", data_dir=tmp_path / "d")
    assert name not in {p.name for p in _snapshot(tmp_path / "d")}


def test_archives_beside_are_unpacked_without_network(tiny, tmp_path):
    raw = _write(tmp_path, {f"{n}.gz": gzip.compress(b) for n, b in tiny.items()})
    found = data.digits("mnist", data_dir=tmp_path, download=False)
    assert len(found.y_test) == 30
    assert all((raw / f"{n}.gz").exists() for n in tiny)


def test_half_downloaded_archive(served, tiny, tmp_path):
    half = {f"{n}.gz": gzip.compress(b)[:-20] for n, b in tiny.items()}
    raw = _write(tmp_path / "d", half)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is incomplete or corrupt"):
        data.digits("mnist", data_dir=tmp_path / "d", download=False)
    assert _snapshot(raw) == {p.relative_to(raw): p.read_bytes() for p in raw.glob("*.gz")}
    data.digits("mnist", data_dir=tmp_path / "d")  # with a network: fetched; the halves stay
    assert all((raw / n).read_bytes() == b for n, b in half.items())
    assert all((raw / n).read_bytes() == b for n, b in tiny.items())


def test_a_place_that_cannot_be_written(tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be stored in[\s\S]*COURSE_DATA_DIR"):
        data.digits("mnist", data_dir=tmp_path / "file")


@pytest.mark.parametrize("archives", [True, False], ids=["unpacking", "downloading"])
def test_a_full_disk_says_so_and_leaves_what_was_there(served, tiny, tmp_path, archives, capsys):
    kept = {n: b for n, b in tiny.items() if "labels" in n}
    if archives:
        kept |= {f"{n}.gz": gzip.compress(b) for n, b in tiny.items() if "images" in n}
    _write(tmp_path / "d", kept)
    before = _snapshot(tmp_path / "d")
    message = r"cannot be stored in[\s\S]*COURSE_DATA_DIR[\s\S]*60 MB free"
    with pytest.raises(DataError, match=message), full_disk():
        data.digits("mnist", data_dir=tmp_path / "d")
    assert _snapshot(tmp_path / "d") == before


def test_an_interrupted_download_leaves_nothing_behind(served, tmp_path, monkeypatch):
    import torchvision.datasets.utils as utils

    def interrupt(url, root, filename, md5):
        with open(f"{root}/{filename}", "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(utils, "download_url", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.digits("mnist", data_dir=tmp_path / "d")
    assert _snapshot(tmp_path / "d") == {}
