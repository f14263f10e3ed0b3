"""A start-up file for test kernels: a cell that opens a network socket fails.

`conftest.py` puts it into the IPython profile of every kernel that nbval starts. Allowed is what
chapter 13 does through `course_utils.distributed`: this machine talking to itself. What the kernel
itself needs does not pass here: ZeroMQ opens its sockets in C.
"""

import sys
from pathlib import Path

LOOPBACK = ("127.", "::1", "localhost")
MAY_TALK_TO_ITSELF = str(Path("course_utils") / "distributed")


def _called_from_distributed() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if MAY_TALK_TO_ITSELF in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _no_sockets(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = arguments[1]
        if not isinstance(address, tuple):  # a Unix socket or the like: a file, no network
            return
        host = str(address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = str(arguments[0])
    else:
        return
    if host.startswith(LOOPBACK) and _called_from_distributed():
        return
    raise PermissionError(f"{event} to {host}: no cell of the course opens a network socket")


sys.addaudithook(_no_sockets)
