"""The house: imports only go down the floors of docs/design.md, and never in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "course_utils"
LONGEST = 400  # lines of a file
MOST_FLAT = 25  # modules beside the folders
INK = "#a84900"

Graph = dict[str, set[str]]


# -- what is drawn from the code -------------------------------------------------------------------


def modules(package: Path) -> dict[str, Path]:
    """Dotted name -> file, of every module in `package`; a folder goes by its own name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(package: Path) -> Graph:
    """Module -> the modules of `package` that it imports, wherever in its file and for whatever."""
    files = modules(package)
    return {
        name: {known for wanted in named_in(path, name) if (known := nearest(wanted, files))}
        - {name}
        for name, path in files.items()
    }


def named_in(path: Path, name: str) -> Iterator[str]:
    """The dotted names that the file of module `name` imports."""
    home = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = home[: len(home) - level + 1] if level else []
                base = ".".join([*above, *([module] if module else [])])
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module")):
                match node.args[:1]:
                    case [ast.Constant(value=str(text))]:
                        yield text
                    case [ast.JoinedStr(values=[ast.Constant(value=str(text)), *_])]:
                        yield text


def nearest(wanted: str, files: dict[str, Path]) -> str | None:
    """The module that holds `wanted`; None for what is not ours, and for the whole package."""
    parts = wanted.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 1, -1))
    return next((name for name in names if name in files), None)


def circle(graph: Graph) -> list[str]:
    """The modules of a circle, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


# -- what the document says ------------------------------------------------------------------------


def unit(name: str) -> str:
    """What of a module stands in the table: its folder, "live/", or itself, "surfaces"."""
    parts = name.split(".")
    return f"{parts[1]}/" if (PACKAGE / parts[1]).is_dir() else parts[1]


def table(text: str) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """(floor of every unit, (who, whom) among the folders of a floor) from the table of floors."""
    floors: dict[str, int] = {}
    beside: set[tuple[str, str]] = set()
    for number, units, also in re.findall(r"^\| (\d) \| (.*?) \| (.*?) \|$", text, re.MULTILINE):
        for name in re.findall(r"`(\w+/?)`", units):
            assert name not in floors, f"{name} stands on two floors"
            floors[name] = int(number)
        beside |= set(re.findall(r"`(\w+/)` from `(\w+/)`", also))
    return floors, beside


def climbs(graph: Graph, floors: dict[str, int], beside: set[tuple[str, str]]) -> list[str]:
    """Every import that goes up, or sideways between folders where the table does not say so."""
    wrong = []
    for name, wanted in graph.items():
        here = unit(name)
        for other in sorted(wanted):
            there = unit(other)
            if there == here or floors[there] < floors[here]:
                continue
            folders = here.endswith("/") and there.endswith("/")
            if floors[there] > floors[here] or (folders and (here, there) not in beside):
                wrong.append(f"{name} imports {other}")
    return wrong


GRAPH = {name: wanted for name, wanted in imports(PACKAGE).items() if "." in name}
FLOORS, BESIDE = table((ROOT / "docs" / "design.md").read_text(encoding="utf-8"))


def test_every_module_and_folder_has_its_floor():
    assert sorted(FLOORS) == sorted({unit(name) for name in GRAPH})
    assert set(FLOORS.values()) == {1, 2, 3, 4}


def test_imports_only_go_down():
    assert climbs(GRAPH, FLOORS, BESIDE) == []


def test_no_two_modules_need_each_other():
    assert circle(GRAPH) == []


def test_the_package_itself_loads_nothing():
    assert imports(PACKAGE)["course_utils"] == set()


def test_flat_modules_are_few():
    flat = [path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    assert len(flat) <= MOST_FLAT, flat


def test_no_file_is_too_long():
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.*")
        if path.suffix in (".py", ".js", ".css")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_the_ink_of_words_stands_once():
    with_ink = [p.name for p in PACKAGE.rglob("*.py") if INK in p.read_text(encoding="utf-8")]
    assert with_ink == ["plotting.py"]


def test_exercises_are_judged_by_the_engine_alone():
    assert [path.name for path in PACKAGE.rglob("judges*")] == []


# -- that all this can fail ------------------------------------------------------------------------


@pytest.fixture
def small_house(tmp_path):
    files = {
        "__init__.py": "",
        "plotting.py": "import math\n",
        "names.py": "def f():\n    from small import plotting\n",
        "live/__init__.py": "",
        "live/picture.py": "from ..plotting import DPI\n",
        "live/engine.py": "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from small.live.picture import Picture\n",
        "checks.py": "import importlib\nimportlib.import_module(f'small.live.{1}')\n",
    }
    for name, text in files.items():
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "small"


def test_every_way_to_import_is_seen(small_house):
    assert imports(small_house) == {
        "small": set(),
        "small.plotting": set(),
        "small.names": {"small.plotting"},  # inside a function
        "small.live": set(),
        "small.live.picture": {"small.plotting"},  # relative
        "small.live.engine": {"small.live.picture"},  # for types alone
        "small.checks": {"small.live"},  # by name
    }


def test_a_circle_is_found(small_house):
    assert circle(imports(small_house)) == []
    (small_house / "plotting.py").write_text("from . import names\n")
    assert set(circle(imports(small_house))) == {"small.plotting", "small.names"}


@pytest.mark.parametrize(
    ("name", "other", "wrong"),
    [
        ("course_utils.live.picture", "course_utils.plotting", False),
        ("course_utils.live.picture", "course_utils.live.canvas", False),
        ("course_utils.names", "course_utils.reals", False),
        ("course_utils.plotting", "course_utils.live.picture", True),
        ("course_utils.live.picture", "course_utils.checks", True),
        ("course_utils.live.picture", "course_utils.distributed.train", True),
        ("course_utils.playgrounds.ema", "course_utils.commands.cli", True),
    ],
)
def test_a_climb_is_found(name, other, wrong):
    assert climbs({name: {other}}, FLOORS, BESIDE) == ([f"{name} imports {other}"] if wrong else [])


def test_the_table_can_let_a_folder_use_its_neighbour():
    floors, beside = table("| 2 | `live/`, `exercises/` | floor 1; `exercises/` from `live/` |\n")
    assert (floors, beside) == ({"live/": 2, "exercises/": 2}, {("exercises/", "live/")})
    graph = {"course_utils.exercises.ch01": {"course_utils.live.controls"}}
    assert climbs(graph, floors, beside) == []
    assert climbs(graph, floors, set()) != []
