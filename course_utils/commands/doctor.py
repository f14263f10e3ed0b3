"""``python -m course_utils doctor``: can the chapters run here, and if not, what to do.

Each examination returns findings and raises nothing. "problem" means that a chapter could not
run and makes the exit status 1; a "note" is worth knowing and harmless.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils.commands import folders
from course_utils.commands.bootstrap import ROOT, VENV, spelled

OK, NOTE, PROBLEM = "ok", "note", "problem"
GIB = 1024**3
# Measured: a kernel with torch, the digits and a training takes 0.6 GB, JupyterLab 0.15 GB.
LEAST_MEMORY = 0.8 * GIB
GOOD_MEMORY = 2 * GIB
LEAST_DISK = 0.2 * GIB
LAB_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    status: str
    topic: str
    detail: str
    remedy: str = ""


def repair() -> str:
    """How to get the right packages, in the environment that is being examined."""
    if Path(sys.prefix) == VENV:
        return f"run `{spelled('clean')}`, then `{spelled('lab')}`"
    if (Path(sys.prefix) / "conda-meta").is_dir():
        return "run `conda env update -f environment.yml`"
    return f'run `"{sys.executable}" -m pip install -c requirements.lock -e .` in {ROOT}'


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.15.0+cpu" -> (2, 15, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[+a-zA-Z]", version)[0]))


def python() -> Iterator[Finding]:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding(OK, "Python", detail)


def dependencies() -> list[tuple[str, str]]:
    """(name, lower bound) of what pyproject.toml asks for."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        lines = tomllib.load(file)["project"]["dependencies"]
    return [(name, bound) for name, _, bound in (line.partition(">=") for line in lines)]


def packages() -> Iterator[Finding]:
    """Every dependency is there, new enough, and the two halves of torch fit together."""
    good = []
    for name, bound in dependencies():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(PROBLEM, "package", f"{name} is missing", repair())
            continue
        if numbers(version) < numbers(bound):
            detail = f"{name} {version} is too old, {bound} or newer is needed"
            yield Finding(PROBLEM, "package", detail, repair())
        else:
            good.append(f"{name} {version}")
    if good:
        yield Finding(OK, "packages", ", ".join(good))
    for name in ("torchvision", "sklearn", "matplotlib", "ipywidgets", "anywidget"):
        try:
            importlib.import_module(name)
        except Exception as error:
            reason = f"{name} does not import: {type(error).__name__}: {error}"
            yield Finding(PROBLEM, "package", first_line(reason), repair())


def device() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        detail = first_line(f"torch does not import: {type(error).__name__}: {error}")
        remedy = repair()
        if platform.system() == "Windows":
            remedy += "; torch also needs Microsoft's Visual C++ redistributable"
        yield Finding(PROBLEM, "device", detail, remedy)
        return
    names = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        names.append(f"cuda ({torch.cuda.get_device_name()})")
    if torch.backends.mps.is_available():
        names.append("mps (Apple GPU)")
    yield Finding(OK, "device", ", ".join(names))


def jupyter_paths() -> list[Path]:
    from jupyter_core.paths import jupyter_path

    return [Path(path) for path in jupyter_path()]


def front_end() -> Iterator[Finding]:
    """JupyterLab's halves of the widgets: without them a playground shows as a line of text."""
    try:
        paths = jupyter_paths()
    except ImportError:
        yield Finding(PROBLEM, "widgets", "jupyter_core is missing", repair())
        return
    found = []
    for extension, package in LAB_EXTENSIONS.items():
        for path in paths:
            folder = path / "labextensions" / extension
            try:
                about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
                entry = folder / about["jupyterlab"]["_build"]["load"]
            except (OSError, ValueError, KeyError):
                continue
            if entry.is_file():
                found.append(f"{extension} {about['version']}")
                break
        else:
            detail = f"JupyterLab lacks {extension}, which package {package} brings"
            yield Finding(PROBLEM, "widgets", detail, repair())
    if found:
        yield Finding(OK, "widgets", ", ".join(found))


def kernel() -> Iterator[Finding]:
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        yield Finding(PROBLEM, "kernel", "jupyter_client is missing", repair())
        return
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        yield Finding(PROBLEM, "kernel", "JupyterLab finds no kernel named python3", repair())
        return
    program = spec.argv[0]
    bare = Path(program).name in {"python", "python3", "python.exe"} and not Path(program).parts[1:]
    if bare or Path(program).resolve() == Path(sys.executable).resolve():
        yield Finding(OK, "kernel", "python3 starts this Python")
    else:
        detail = f"kernel python3 starts {program}, not {sys.executable}"
        remedy = "remove that kernel: `jupyter kernelspec remove python3`"
        yield Finding(PROBLEM, "kernel", detail, remedy)


def course_package() -> Iterator[Finding]:
    """The notebooks run in notebooks/, so the package must be installed, not just lie there."""
    import subprocess

    code = "import course_utils; print(course_utils.__file__)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    tried = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(sys.prefix),
        env=environment,
        capture_output=True,
        text=True,
    )
    if tried.returncode:
        yield Finding(PROBLEM, "course", "course_utils is not installed here", repair())
    elif ROOT not in Path(tried.stdout.strip()).parents:
        detail = f"course_utils comes from {Path(tried.stdout.strip()).parent}, not from here"
        yield Finding(PROBLEM, "course", detail, repair())
    else:
        yield Finding(OK, "course", f"course_utils from {ROOT}")


def data() -> Iterator[Finding]:
    try:
        from sklearn.datasets import load_digits

        count = len(load_digits().images)
        yield Finding(OK, "data", f"embedded digits: {count:,} images")
    except Exception as error:
        detail = first_line(f"the embedded digits cannot be read: {error}")
        yield Finding(PROBLEM, "data", detail, repair())
    try:
        from course_utils.data import data_home
    except Exception:  # what is missing has been said above
        return
    yield mnist(data_home(), os.environ.get("COURSE_DATASET", ""))


def mnist(folder: Path, wanted: str) -> Finding:
    """Full MNIST is optional: its absence is a problem only where it was asked for."""
    from course_utils import mnist_files

    status = PROBLEM if wanted.lower() == "mnist" else NOTE
    try:
        missing = mnist_files.check(folder)
    except mnist_files.DataError as error:
        which = [line.strip() for line in str(error).splitlines() if line.startswith("  ")]
        detail = "; ".join(which) or first_line(str(error))
        return Finding(status, "data", detail, "delete what is named; it is downloaded again")
    if not missing:
        return Finding(OK, "data", f"MNIST: 70,000 images in {folder}")
    if len(missing) == len(mnist_files.FILES):
        detail = f"full MNIST is not in {folder} (optional)"
    else:
        detail = f"MNIST in {folder} lacks {', '.join(missing)}"
    reason = folders.unwritable(folder)
    if reason:
        remedy = "set COURSE_DATA_DIR to a folder that you may write to"
        return Finding(status, "data", f"{detail}, and cannot be stored: {reason}", remedy)
    return Finding(status, "data", detail, 'data.digits("mnist") downloads it, 11 MB')


def home() -> Iterator[Finding]:
    """Where JupyterLab, IPython and matplotlib keep their files, and where notebooks are saved."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:  # which is said elsewhere
        return
    folder = jupyter_runtime_dir()
    reason = folders.unwritable(folder)
    if reason:
        detail = f"JupyterLab cannot start: it cannot write to {folder} ({reason})"
        yield Finding(PROBLEM, "home", detail, folders.REMEDY)
    else:
        yield Finding(OK, "home", f"JupyterLab keeps its files in {Path(folder).parent}")
    user = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config")
    fonts = config if platform.system() == "Linux" else user
    own = {
        "IPython keeps no history": os.environ.get("IPYTHONDIR") or user / ".ipython",
        "matplotlib lists its fonts at each start": os.environ.get("MPLCONFIGDIR") or fonts,
    }
    for loss, place in own.items():
        if reason := folders.unwritable(place):
            detail = f"{loss}: it cannot write to {place} ({reason})"
            yield Finding(NOTE, "home", detail, folders.REMEDY)
    notebooks = ROOT / "notebooks"
    if reason := folders.unwritable(notebooks):
        detail = f"what you change in a notebook cannot be saved: {reason}"
        yield Finding(NOTE, "home", detail, f"copy {ROOT} to a folder that you may write to")


def memory() -> Iterator[Finding]:
    try:
        import psutil
    except ImportError:
        yield Finding(NOTE, "memory", "not known without package psutil", repair())
        return
    known = psutil.virtual_memory()
    detail = f"{known.available / GIB:.1f} of {known.total / GIB:.1f} GB free"
    remedy = "close other programs and kernels"
    if known.available < LEAST_MEMORY:
        yield Finding(PROBLEM, "memory", f"{detail}: a chapter needs about 0.8 GB", remedy)
    elif known.available < GOOD_MEMORY:
        yield Finding(NOTE, "memory", f"{detail}: enough for one chapter at a time", remedy)
    else:
        yield Finding(OK, "memory", detail)


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage(ROOT).free
    detail = f"{free / GIB:.1f} GB free at {ROOT}"
    if free < LEAST_DISK:
        yield Finding(PROBLEM, "disk", detail, "free at least 0.2 GB there")
    else:
        yield Finding(OK, "disk", detail)


def browser() -> Iterator[Finding]:
    from course_utils.commands.chromium import REMEDY, find_chromium

    try:
        found = find_chromium()
    except ValueError as error:
        yield Finding(NOTE, "browser", str(error), "correct or unset CHROMIUM")
        return
    if found:
        yield Finding(OK, "browser", f"{found} (for the browser tests)")
    else:
        yield Finding(NOTE, "browser", "no Chromium, so no browser tests", REMEDY)


EXAMINATIONS: tuple[Callable[[], Iterable[Finding]], ...] = (
    *(python, home, packages, device, front_end, kernel, course_package),
    *(data, memory, disk, browser),
)


def first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else ""


def report(findings: list[Finding]) -> str:
    """The findings as aligned text, a remedy under each that has one, and a verdict."""
    lines = []
    for finding in findings:
        lead = f"{finding.status:<8} {finding.topic:<9} "
        lines += textwrap.wrap(finding.detail, 100, initial_indent=lead, subsequent_indent=" " * 19)
        if finding.remedy:
            lines.append(f"{'':<19}remedy: {finding.remedy}")
    problems = sum(finding.status == PROBLEM for finding in findings)
    if problems:
        lines.append(f"\n{problems} problem{'s' * (problems > 1)}: some chapters cannot run here.")
    else:
        lines.append("\nEvery chapter can run here.")
    return "\n".join(lines)


def main() -> int:
    """Print the report; 1 when a chapter could not run."""
    findings = [finding for examine in EXAMINATIONS for finding in examine()]
    print(report(findings))
    return int(any(finding.status == PROBLEM for finding in findings))
