"""The four files of MNIST: find, check, fetch and read them.

Nothing that is on disk is ever overwritten: a file that is wrong is named, and stays.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import http.client
import os
import shutil
import socket
import tempfile
import zlib
from pathlib import Path

from torch import Tensor

# name → (bytes, SHA-256) of the uncompressed file. torchvision's own sums cover the archives only.
FILES = {
    "train-images-idx3-ubyte": (
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
TIMEOUT = 30  # seconds without an answer before a mirror counts as out of reach
# What the system says when there is no room: not the network's fault, and no mirror would help.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
OTHERWISE = (
    "Or work with the embedded digits: leave out the name, unset COURSE_DATASET, "
    "or pass fallback=True."
)


class DataError(RuntimeError):
    """Data that cannot be had or cannot be used. The message says what to do."""


def load(folder: Path, download: bool = True) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """X_train (60000, 28, 28) uint8, y_train (60000,) int64, X_test, y_test from folder/MNIST/raw.

    Every file is compared with its checksum first. Missing ones are unpacked from an archive
    beside them or, with ``download``, fetched by torchvision. Raises `DataError`.
    """
    raw = folder / "MNIST" / "raw"
    missing = check(folder)
    if missing:
        _complete(raw, missing, download)
    from torchvision.datasets.mnist import read_image_file, read_label_file

    images, labels, test_images, test_labels = (str(raw / name) for name in FILES)
    return (
        read_image_file(images),
        read_label_file(labels),
        read_image_file(test_images),
        read_label_file(test_labels),
    )


def check(folder: Path) -> list[str]:
    """Names of the files that are missing. `DataError` when one is there but wrong."""
    raw = folder / "MNIST" / "raw"
    wrong = []
    missing = []
    for name, (size, sha256) in FILES.items():
        path = raw / name
        if not os.path.lexists(path):
            missing.append(name)
            continue
        problem = _problem(path, size, sha256)
        if problem:
            wrong.append(f"  {path} {problem}")
    if wrong:
        raise DataError(
            "MNIST is damaged on this machine.\n"
            + "\n".join(wrong)
            + "\nNothing was changed. Delete the files named above and run this again: "
            + f"with a network they are downloaded anew. {OTHERWISE}"
        )
    return missing


def _problem(path: Path, size: int, sha256: str) -> str | None:
    try:
        found = path.stat().st_size
        if not path.is_file():
            return "is not a file"
        if found != size:
            kind = "truncated (half downloaded?)" if found < size else "too long"
            return f"is {kind}: {found:,} bytes, {size:,} are expected"
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return "is corrupt: its checksum is wrong"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _complete(raw: Path, missing: list[str], download: bool) -> None:
    """Put the missing files in place, each only after its checksum was found right."""
    from torchvision.datasets import MNIST

    archives = [f"{name}.gz" for name in missing if (raw / f"{name}.gz").is_file()]
    if not download and len(archives) < len(missing):
        raise DataError(_not_found(raw, missing))
    md5 = dict(MNIST.resources)
    work = None
    try:
        raw.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".incoming-", dir=raw))
        for name in missing:
            archive = f"{name}.gz"
            if not _unpacked(raw / archive, work / name, name):
                if not download:
                    raise DataError(_broken_archive(raw / archive))
                _download(archive, md5[archive], work, MNIST.mirrors, raw)
                if not _unpacked(work / archive, work / name, name):
                    raise DataError(_refused(raw, archive, ["its content has a wrong checksum"]))
            if not (raw / name).exists():  # another notebook may have been faster
                os.replace(work / name, raw / name)
    except OSError as error:
        raise DataError(
            f"MNIST cannot be stored in {raw}: {error.strerror or error}.\n"
            f"Set COURSE_DATA_DIR to a folder that you may write to and that has 60 MB free. "
            f"{OTHERWISE}"
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _unpacked(archive: Path, target: Path, name: str) -> bool:
    """Unpack ``archive`` into ``target`` when it is whole; False when it is missing or broken."""
    if not archive.is_file():
        return False
    try:
        with gzip.open(archive, "rb") as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return _problem(target, *FILES[name]) is None


def _download(archive: str, md5: str, work: Path, mirrors: list[str], raw: Path) -> None:
    from torchvision.datasets.utils import download_url

    print(f"Downloading {archive} of MNIST …", flush=True)
    reasons = []
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none and would wait for ever
    try:
        for mirror in mirrors:
            try:
                download_url(mirror + archive, str(work), archive, md5)  # shows its progress
                return
            # URLError, timeouts and broken connections are OSErrors
            except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in NO_ROOM:
                    raise
                reasons.append(f"{mirror}: {error or type(error).__name__}")
                (work / archive).unlink(missing_ok=True)
    finally:
        socket.setdefaulttimeout(before)
    raise DataError(_refused(raw, archive, reasons))


def _refused(raw: Path, archive: str, reasons: list[str]) -> str:
    return (
        f"MNIST could not be downloaded: {archive} came from none of its sources.\n"
        + "".join(f"  {reason}\n" for reason in reasons)
        + "Check the network and run this again; what has arrived is kept. "
        + f"Or copy the four files {', '.join(FILES)} (or their .gz archives) into {raw}. "
        + OTHERWISE
    )


def _broken_archive(archive: Path) -> str:
    return (
        f"{archive} is incomplete or corrupt (half downloaded?).\n"
        f"Nothing was changed. Delete it and allow the download (download=True), or put a whole "
        f"copy in its place. {OTHERWISE}"
    )


def _not_found(raw: Path, missing: list[str]) -> str:
    return (
        f"MNIST was not found in {raw}.\n"
        f"Missing: {', '.join(missing)}. Allow the download (download=True), or set "
        f"COURSE_DATA_DIR to the folder that contains MNIST/raw. {OTHERWISE}"
    )
