"""JupyterLab's connection to a kernel, without the pauses that TCP makes to save packets.

The server leaves Nagle's algorithm on: while a message waits for the browser's receipt, which comes
up to 40 ms later, the next small one is held back. Nobody notices that with printed text; a slider
that is moved beside a running training does. Put in by ``server_extension``.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The server's own connection with ``TCP_NODELAY`` set."""

    def connect(self) -> Any:
        self.websocket_handler.set_nodelay(True)
        return super().connect()
