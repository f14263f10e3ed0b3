"""Which code cells only draw, told from their code alone."""

from __future__ import annotations

import ast

SHOWS = {"show"}  # plotting.show(fig, …) and plt.show()
DRAWS = SHOWS | {
    *("figure", "subplots", "subplot_mosaic", "add_axes", "add_subplot"),
    *("plot", "semilogx", "semilogy", "loglog", "scatter", "bar", "barh", "hist", "step", "stem"),
    *("imshow", "matshow", "pcolormesh", "contour", "contourf", "plot_surface", "violinplot"),
    *("fill", "fill_between", "axhline", "axvline", "hlines", "vlines", "axline", "errorbar"),
    *("text", "annotate", "arrow", "quiver", "add_patch", "add_artist", "legend", "boxplot"),
}
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def parsed(source: str) -> ast.Module:
    """The code of a cell; IPython's own lines count as nothing."""
    lines = source.splitlines()
    return ast.parse("\n".join("" if line.startswith(("%", "!")) else line for line in lines))


def called(tree: ast.AST) -> set[str]:
    """Names of the functions and methods that are called."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(func, "id", getattr(func, "attr", "")) for func in calls}


def draws(tree: ast.AST) -> bool:
    """Whether the code puts something into a picture, itself or with a function named draw…"""
    return any(name in DRAWS or name.startswith("draw") for name in called(tree))


def stored(tree: ast.AST) -> set[str]:
    """Names that the code itself binds, not those inside of functions and comprehensions."""
    if isinstance(tree, (*SCOPES, *COMPREHENSIONS, ast.ClassDef)):
        return {tree.name} if isinstance(tree, DEFINITIONS) else set()
    found = set()
    if isinstance(tree, ast.Name) and not isinstance(tree.ctx, ast.Load):
        found.add(tree.id)
    if isinstance(tree, ast.alias):
        found.add((tree.asname or tree.name).partition(".")[0])
    return found.union(*map(stored, ast.iter_child_nodes(tree)))


def free(tree: ast.AST) -> set[str]:
    """Names that the code reads from outside, whatever the order of its statements."""
    read = {tree.id} if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Load) else set()
    read = read.union(*map(free, ast.iter_child_nodes(tree)))
    if isinstance(tree, (*SCOPES, *COMPREHENSIONS)):
        inner = list(ast.walk(tree))
        read -= {n.arg for n in inner if isinstance(n, ast.arg)}
        read -= {n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return read


def reads(statements: list[ast.stmt], bound: set[str] | None = None) -> set[str]:
    """Names that the statements read before they bind them themselves."""
    bound = set() if bound is None else bound
    found: set[str] = set()
    for statement in statements:
        blocks = [b for n in ("body", "orelse", "finalbody") if (b := getattr(statement, n, None))]
        blocks += [handler.body for handler in getattr(statement, "handlers", [])]
        if isinstance(statement, DEFINITIONS):
            found |= free(statement) - bound - {statement.name}
            bound.add(statement.name)
        elif blocks:
            bound |= {handler.name for handler in getattr(statement, "handlers", [])}
            for name in ("iter", "test", "subject", "items"):
                part = getattr(statement, name, None)
                for each in part if isinstance(part, list) else [part] if part else []:
                    found |= free(each) - bound
                    bound |= stored(each)
            if isinstance(statement, ast.For):
                bound |= stored(statement.target)
            for block in blocks:
                found |= reads(block, bound)
        else:
            found |= free(statement) - bound
            if isinstance(statement, ast.AugAssign):
                found |= stored(statement.target) - bound
            bound |= stored(statement)
    return found


def only_draws(source: str, later: set[str]) -> bool:
    """Whether a cell shows a picture and does nothing else: it prints nothing, ends with no value,
    defines nothing, and binds no name that a cell below reads (``later``)."""
    tree = parsed(source)
    calls = called(tree)
    if not tree.body or not calls & SHOWS or "print" in calls:
        return False
    last = tree.body[-1]
    if isinstance(last, ast.Expr) and not called(last) & SHOWS:
        return False
    return not any(isinstance(s, DEFINITIONS) for s in tree.body) and not stored(tree) & later


def hidden(source: str, read_open: set[str]) -> list[str]:
    """What a cell holds beside drawing that a learner should see: empty where it may be folded.

    ``read_open`` are the names that open cells below read. Functions that draw may be among them.
    """
    tree = parsed(source)
    if not draws(tree):
        return ["it draws nothing"]
    helpers = {s.name for s in tree.body if isinstance(s, DEFINITIONS) and draws(s)}
    imported = set().union(
        *(stored(s) for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom))
    )
    used = (stored(tree) & read_open) - helpers - imported
    teaching = {s.name for s in tree.body if isinstance(s, DEFINITIONS)} - helpers
    return [f"it makes {name}, which open cells use" for name in sorted(used)] + [
        f"{name} does not draw" for name in sorted(teaching - used)
    ]
