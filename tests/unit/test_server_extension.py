"""Jupyter's server with the course's extension: found by its file, and harmless where it fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from pathlib import Path
from unittest.mock import AsyncMock, Mock, call

import nbformat
import pytest
from jupyter_client.ioloop import AsyncIOLoopKernelRestarter
from jupyter_server.extension.manager import ExtensionManager
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from nbconvert import HTMLExporter
from traitlets.config import Config

from course_utils.commands import server_extension
from course_utils.commands.bootstrap import JUPYTER, child_environment
from course_utils.commands.notebook_format import WIDGET_VIEW
from course_utils.commands.prompt_connection import PromptConnection
from course_utils.live import noted
from tests.unit.test_saved_notebook import FULL, WIDGET, notebook, playground

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


# -- the connection --------------------------------------------------------------------------------


def test_switches_nagles_algorithm_off_before_it_connects(monkeypatch):
    seen = Mock()
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", seen.connect)
    handler = Mock(spec=KernelWebsocketHandler)
    seen.attach_mock(handler.set_nodelay, "set_nodelay")
    connection = PromptConnection(parent=None, websocket_handler=handler)
    assert connection.connect() is seen.connect.return_value
    assert seen.mock_calls == [call.set_nodelay(True), call.connect()]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """`server(folder)` is a server, not yet listening, with the configuration in that folder."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    # Notebook 7 puts its own in the class, which then wants Notebook 7 in every server.
    monkeypatch.setattr(ExtensionManager, "sorted_extensions", ExtensionManager.sorted_extensions)
    made = []

    def start(folder: Path) -> ServerApp:
        monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
        app = ServerApp(root_dir=str(tmp_path), allow_root=True, open_browser=False)
        app.initialize(argv=[], new_httpserver=False)
        made.append(app)
        return app

    yield start
    for app in made:
        app.session_manager.close()
        app.clear_instance()


def test_the_file_of_the_set_up_loads_the_extension(server):
    app = server(JUPYTER)
    # What the handler of a kernel's connection asks when a page connects:
    handler = Mock(settings=app.web_app.settings)
    used = KernelWebsocketHandler.kernel_websocket_connection_class.fget(handler)
    assert used is app.kernel_websocket_connection_class is PromptConnection
    assert server_extension.before_saving in app.contents_manager._pre_save_hooks
    assert HTMLExporter(config=app.config).preprocessors == [server_extension.DESCRIBED]
    assert AsyncIOLoopKernelRestarter(parent=app.kernel_manager).time_to_dead == 1.0


def test_an_extension_that_cannot_be_imported_stops_no_server(server, tmp_path, capfd):
    name = Path("jupyter_server_config.d", "course.json")
    folder = tmp_path / "config"
    shutil.copytree(JUPYTER, folder)
    (folder / name).write_text(
        (JUPYTER / name).read_text().replace("course_utils.commands", "course_utils_is_not_here")
    )
    app = server(folder)
    assert (
        "could not be found (No module named 'course_utils_is_not_here')" in capfd.readouterr().err
    )
    assert app.web_app is not None


def test_a_gateways_connection_stays():
    app = Mock(kernel_websocket_connection_class=object, web_app=Mock(settings={}), config=Config())
    server_extension._load_jupyter_server_extension(app)
    assert app.kernel_websocket_connection_class is object and app.web_app.settings == {}


# -- saving and opening ----------------------------------------------------------------------------


@pytest.fixture
def contents(tmp_path, monkeypatch):
    """The server's manager of files, whose notebook "a.ipynb" has the kernel "k"."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(noted, "_kernel", lambda: "k")
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    sessions = Mock(
        list_sessions=AsyncMock(return_value=[{"path": "a.ipynb", "kernel": {"id": "k"}}])
    )
    manager.register_pre_save_hook(server_extension.before_saving)
    server_extension.bring_alive(manager, sessions)
    return manager


def save(contents, made, path="a.ipynb"):
    model = {"type": "notebook", "format": "json", "content": made}
    return asyncio.run(contents.save(model, path))


def opened(contents, path="a.ipynb", **asked):
    return asyncio.run(contents.get(path, **asked))["content"]["cells"][0]["outputs"]


def stored(contents, path="a.ipynb"):
    return nbformat.read(Path(contents.root_dir, path), as_version=4)


def test_the_file_has_the_newest_picture_and_no_widget(contents):
    noted.note(WIDGET, {"image/png": "bmV3"}, {"image/png": {"alt": "At 2."}})
    save(contents, notebook(playground()))
    picture, line = stored(contents).cells[0].outputs
    assert picture.data == {"text/plain": "At 1.", "image/png": "bmV3"}
    assert line.data["text/markdown"].startswith("At 2.")


def test_a_page_gets_its_widgets_back_while_their_kernel_lives(contents):
    noted.note(WIDGET)
    save(contents, notebook(playground()))
    (cell,) = asyncio.run(contents.get("a.ipynb", type="notebook"))["content"]["cells"]
    (alive,) = cell["outputs"]
    assert WIDGET_VIEW in alive["data"] and cell["metadata"]["trusted"]
    # For exporting and copying, for a copy, and when the kernel has ended, it is a picture.
    save(contents, notebook(playground()), "copy.ipynb")
    exported, copied = opened(contents), opened(contents, "copy.ipynb", type="notebook")
    noted.forget(WIDGET)
    ended = opened(contents, type="notebook")
    for outputs in (exported, copied, ended):
        assert len(outputs) == 2 and not any(WIDGET_VIEW in out["data"] for out in outputs)


def test_a_notebook_saved_elsewhere_with_its_widgets_opens_as_pictures(contents):
    nbformat.write(notebook(playground()), Path(contents.root_dir, "a.ipynb"))
    picture, _ = opened(contents, type="notebook")
    assert WIDGET_VIEW not in picture["data"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_that_is_opened_and_saved_stays_as_it_is(contents, path):
    file = Path(shutil.copy(path, contents.root_dir))
    made = asyncio.run(contents.get(file.name, type="notebook"))["content"]
    made["metadata"]["language_info"] = FULL  # as JupyterLab does
    save(contents, json.loads(json.dumps(made)), file.name)
    assert file.read_bytes() == path.read_bytes()


def test_what_goes_wrong_is_logged_and_the_notebook_saved_as_it_is(contents, monkeypatch, caplog):
    def fail(notebook, *_):
        notebook["cells"].clear()
        raise OSError("no")

    monkeypatch.setattr(server_extension, "settle", fail)
    contents.log = logging.getLogger("contents")
    save(contents, notebook(playground()))
    assert "no" in caplog.text
    assert WIDGET_VIEW in stored(contents).cells[0].outputs[0].data
    assert WIDGET_VIEW in opened(contents, type="notebook")[0]["data"]


def test_files_and_folders_are_none_of_its_business(contents):
    model = {"type": "file", "format": "text", "content": "x = 1"}
    asyncio.run(contents.save(model, "a.py"))
    asyncio.run(contents.save({"type": "directory"}, "folder"))
    assert asyncio.run(contents.get("a.py"))["content"] == "x = 1"


def test_lab_has_the_settings_in_an_environment_that_was_not_set_up(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/theirs")
    found = child_environment("/conda/bin/python")["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert found == [str(JUPYTER), "/theirs"]
    monkeypatch.delenv("JUPYTER_CONFIG_PATH")
    assert child_environment("/conda/bin/python")["JUPYTER_CONFIG_PATH"] == str(JUPYTER)
