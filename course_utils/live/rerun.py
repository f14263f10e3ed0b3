"""Which live output (a playground, a question) belongs to which cell, so that running the cell
again closes the old one."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar


class Closable(Protocol):
    """What is asked of a live output."""

    @property
    def closed(self) -> bool: ...

    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)

_by_cell: dict[Any, tuple[Any, list[Closable]]] = {}


def current_cell() -> tuple[Any, Any] | None:
    """(identity of the running cell, identity of this run), or None outside a notebook.

    The identity is the cell's id where the client sends it (JupyterLab, Notebook 7, VS Code) and
    the cell's text elsewhere.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    parent = kernel.get_parent("shell") or {}
    run = parent.get("header", {}).get("msg_id")
    cell = parent.get("metadata", {}).get("cellId")
    if cell is None:
        cell = parent.get("content", {}).get("code")
    return (cell, run) if run is not None else None


def adopt(output: Closable) -> None:
    """Tie `output` to the running cell, and close what an earlier run of the cell has left."""
    key = current_cell()
    if key is None:
        return
    cell, run = key
    known_run, outputs = _by_cell.get(cell, (run, []))
    if known_run != run:
        for old in outputs:
            if old is not output:
                old.close()
        outputs = []
    if output not in outputs:
        outputs.append(output)
    _by_cell[cell] = (run, outputs)


def shown(kind: type[T]) -> list[T]:
    """The live outputs of this class now shown by cells, in the order in which the cells first
    showed them."""
    return [
        output
        for _, outputs in _by_cell.values()
        for output in outputs
        if isinstance(output, kind) and not output.closed
    ]
