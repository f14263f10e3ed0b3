"""The connection between page and kernel sends small messages at once."""

from __future__ import annotations

from unittest.mock import Mock, call

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

from course_utils.commands import lab
from course_utils.commands.prompt_connection import PromptConnection


def test_switches_nagles_algorithm_off_before_it_connects(monkeypatch):
    seen = Mock()
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", seen.connect)
    handler = Mock(spec=KernelWebsocketHandler)
    seen.attach_mock(handler.set_nodelay, "set_nodelay")
    connection = PromptConnection(parent=None, websocket_handler=handler)
    assert connection.connect() is seen.connect.return_value
    assert seen.mock_calls == [call.set_nodelay(True), call.connect()]


def test_the_server_accepts_the_option_of_make_lab():
    assert lab.PROMPT in lab.command_line("python", [])
    app = ServerApp()
    app.parse_command_line([lab.PROMPT])
    assert app.kernel_websocket_connection_class is PromptConnection
