"""Small mistakes made by machine in a program: operators, constants, axes, names, dropped lines.

python -m tests.unit.mutants 09.ema        # those that the exercise accepts
python -m tests.unit.mutants 09            # of a chapter
"""

from __future__ import annotations

import ast
import copy
import random
import sys
from collections.abc import Iterator

FEWEST, MOST = 24, 36  # mutants of one exercise; drawn with a fixed seed
SEPARATOR = " >>> "

_OPERATORS = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
_COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
}
_NAMES = {
    "mean": ("sum",),
    "sum": ("mean",),
    "max": ("min",),
    "min": ("max",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "argmax": ("argmin",),
    "argmin": ("argmax",),
    "zeros": ("ones",),
    "zeros_like": ("ones_like",),
    "ones": ("zeros",),
    "ones_like": ("zeros_like",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "exp": ("log",),
    "sin": ("cos",),
    "cos": ("sin",),
    "abs": ("float",),
    "std": ("var",),
    "eval": ("train",),
    "relu": ("tanh",),
    "append": ("count",),
    "modules": ("children",),
}


def mutants(source: str) -> list[tuple[str, str]]:
    """``(name, code)`` of changed programs, each with one change; the name shows the change."""
    before = ast.unparse(ast.parse(source.strip()))
    found = _once(before, before)
    if len(found) < FEWEST:  # a short solution: two changes at once
        for code in list(found.values()):
            found = _once(code, before) | found
    pairs = sorted(found.items())
    if len(pairs) > MOST:
        pairs = sorted(random.Random(len(pairs)).sample(pairs, MOST))
    return pairs


def _once(source: str, original: str) -> dict[str, str]:
    """``source`` with each possible change, by name."""
    found: dict[str, str] = {}
    for changed in _changed_trees(ast.parse(source)):
        try:
            code = ast.unparse(ast.fix_missing_locations(changed))
            compile(code, "<mutant>", "exec")
        except (SyntaxError, ValueError):
            continue
        if code not in (source, original):
            found.setdefault(_name(original, code), code)
    return found


def _name(before: str, after: str) -> str:
    """The lines that differ, as ``old >>> new``."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return SEPARATOR.join(" | ".join(line.strip() for line in lines) for lines in (old, new))


def _changed_trees(tree: ast.Module) -> Iterator[ast.Module]:
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)]
    local = {
        id(node): [a.arg for a in f.args.args if a.arg != "self"]
        for f in functions
        for node in ast.walk(f)
    }
    for index, node in enumerate(ast.walk(tree)):
        for change in _changes(node, local.get(id(node), [])):
            fresh = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(fresh)) if i == index)
            change(target)
            yield fresh


def _changes(node: ast.AST, names: list[str]) -> Iterator:
    """Functions that change the node at the same place of a copied tree."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in _OPERATORS.get(type(node.op), ()):
            yield lambda n, other=other: setattr(n, "op", other())
    if isinstance(node, ast.BinOp):
        yield lambda n: _become(n, n.left)
        yield lambda n: _become(n, n.right)
        yield lambda n: (lambda a, b: (setattr(n, "left", b), setattr(n, "right", a)))(
            n.left, n.right
        )
    if isinstance(node, ast.Compare):
        for other in _COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda n, other=other: n.ops.__setitem__(0, other())
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield lambda n, other=other: setattr(n, "op", other())
    if isinstance(node, ast.UnaryOp):
        yield lambda n: _become(n, n.operand)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        if not isinstance(node, ast.While):
            yield lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
            yield lambda n: setattr(n, "test", ast.Constant(True))
        yield lambda n: setattr(n, "test", ast.Constant(False))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in {node.value + 1, node.value - 1, node.value * 2, node.value / 2}:
            if type(node.value) is int and value != int(value):
                continue
            yield lambda n, value=value: setattr(n, "value", type(n.value)(value))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.Call):
        if len(node.args) > 1:
            yield lambda n: n.args.__setitem__(slice(0, 2), [n.args[1], n.args[0]])
        if node.args and not isinstance(node.args[0], ast.Starred):
            yield lambda n: _become(n, n.args[0])
        for i in range(len(node.keywords)):
            yield lambda n, i=i: n.keywords.pop(i)
        if isinstance(node.func, ast.Attribute):
            yield lambda n: _become(n, n.func.value)
    if isinstance(node, ast.Attribute):
        for other in _NAMES.get(node.attr, ()):
            yield lambda n, other=other: setattr(n, "attr", other)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for other in (*_NAMES.get(node.id, ()), *(name for name in names if node.id in names)):
            if other != node.id:
                yield lambda n, other=other: setattr(n, "id", other)
    if isinstance(node, ast.Return | ast.Assign) and node.value is not None:
        yield lambda n: setattr(n, "value", ast.UnaryOp(ast.USub(), n.value))
        yield lambda n: setattr(n, "value", ast.BinOp(n.value, ast.Add(), ast.Constant(1)))
    if isinstance(node, ast.Return) and node.value is not None:
        if isinstance(node.value, ast.Tuple):
            yield lambda n: n.value.elts.reverse()
    if isinstance(node, ast.Slice):
        for part in ("lower", "upper", "step"):
            if getattr(node, part) is not None:
                yield lambda n, part=part: setattr(n, part, None)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield lambda n: _become(n, n.value)
    for block in ("body", "orelse"):
        statements = getattr(node, block, None)
        if isinstance(statements, list) and not isinstance(node, ast.Module | ast.ClassDef):
            for i, statement in enumerate(statements):
                if not isinstance(statement, ast.Pass | ast.FunctionDef):
                    yield lambda n, b=block, i=i: getattr(n, b).__setitem__(i, ast.Pass())


def _become(node: ast.AST, other: ast.AST) -> None:
    """Put ``other`` in the place of ``node``."""
    node.__class__ = type(other)
    node.__dict__.clear()
    node.__dict__.update(vars(other))


def survivors(exercise, equivalent: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Mutants of the solution that are judged correct and have no reason."""
    from course_utils.exercises.exercise import load
    from course_utils.exercises.judging import judge

    for name, code in mutants(exercise.solution):
        if name in equivalent:
            continue
        try:
            answer = load(code, exercise)
        except Exception:  # such a cell ends in an error before anything is checked
            continue
        if judge(exercise, answer).state == "correct":
            yield name, code


if __name__ == "__main__":
    from course_utils.exercises import exercises_of, running
    from tests.unit.answers import collected

    running.SECONDS = 2.0
    known = collected("EQUIVALENT")
    for exercise in exercises_of(sys.argv[1][:2]):
        if exercise.name.startswith(sys.argv[1]):
            print(exercise.name, len(mutants(exercise.solution)), "mutants")
            for name, _ in survivors(exercise, known.get(exercise.name, {})):
                print("   ", name)
