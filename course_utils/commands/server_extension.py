"""What the course adds to Jupyter's server: prompt messages, notebooks that reopen well, pages with
alternative texts.

A file in the environment's ``etc/jupyter/jupyter_server_config.d`` names this module. Where it
cannot be imported, the server says so in its log and starts all the same.
"""

from __future__ import annotations

import copy
import functools
import inspect
import json
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from course_utils.commands.prompt_connection import PromptConnection
from course_utils.commands.saved_notebook import keep_metadata, settle
from course_utils.live import noted

DESCRIBED = "course_utils.commands.described.Described"  # imported when a page is made


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.contents_manager.register_pre_save_hook(before_saving)
    bring_alive(app.contents_manager, app.session_manager)
    app.config.HTMLExporter.setdefault("preprocessors", [DESCRIBED])
    # Seconds between two looks whether a kernel has broken down: a page hears of it in time.
    app.kernel_manager.config.KernelRestarter.setdefault("time_to_dead", 1.0)
    # A gateway has a class of its own, which stays.
    if app.kernel_websocket_connection_class is ZMQChannelsWebsocketConnection:
        app.kernel_websocket_connection_class = PromptConnection
        app.web_app.settings["kernel_websocket_connection_class"] = PromptConnection


def before_saving(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Put the notebook that is about to be saved into the form that needs no kernel.

    The server logs whatever is raised here, and saves the notebook all the same.
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    notebook = copy.deepcopy(model["content"])
    settle(notebook, noted.read)
    if hasattr(contents_manager, "_get_os_path"):  # it keeps notebooks in files
        file = Path(contents_manager._get_os_path(path))
        if file.exists():
            stored = json.loads(file.read_text(encoding="utf-8"))
            keep_metadata(notebook, stored.get("metadata", {}))
    model["content"] = notebook


def bring_alive(contents: Any, sessions: Any) -> None:
    """Let a page that opens a notebook find the widgets that still live in the notebook's kernel.

    Only for a page, which asks for the type; exporting and copying get what the file holds.
    """
    get = contents.get
    if not inspect.iscoroutinefunction(get):
        return

    @functools.wraps(get)
    async def get_with_widgets(path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        model = await get(path, *args, **kwargs)
        if kwargs.get("type") == "notebook" and model.get("content"):
            try:
                kernel = await kernel_of(path, sessions)
                notebook = copy.deepcopy(model["content"])
                settle(notebook, noted.read, lambda about: noted.lives(about, kernel))
                model["content"] = notebook
            except Exception:
                contents.log.warning("The pictures of %s stay pictures", path, exc_info=True)
        return model

    contents.get = get_with_widgets


async def kernel_of(path: str, sessions: Any) -> str | None:
    """The id of the kernel that the notebook at `path` has, if any."""
    for session in await ensure_async(sessions.list_sessions()):
        if session["path"].strip("/") == path.strip("/"):
            return session["kernel"]["id"]
    return None
