"""torchrun for one machine, with every socket bound to 127.0.0.1.

    python -m course_utils.distributed.torchrun --nproc-per-node 2 -m course_utils.distributed.train

takes the options of ``torchrun`` and is ``torchrun``. Only the meeting point differs (in PyTorch's
words the rendezvous, a key-value store that all processes reach):

- that of ``torchrun --standalone`` listens on all network interfaces; this one on the loopback
  interface alone, on a port that the system picks;
- that one waits for ever where the computer's own name does not resolve (``--local-addr 127.0.0.1``
  helps); this one asks for no name;
- that one still holds the addresses of the dead workers after a restart, and the new ones wait for
  them (seen with PyTorch 2.15 and gloo; the environment variable
  ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` helps); this one starts each attempt with an empty store.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

import psutil
from torch.distributed import PrefixStore, Store, TCPStore, run
from torch.distributed.elastic.rendezvous import (
    RendezvousClosedError,
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    rendezvous_handler_registry,
)

HOST = "127.0.0.1"
NAME = "loopback"
STOP_VARIABLE = "COURSE_STOP_AT_END_OF_INPUT"


class LoopbackRendezvous(RendezvousHandler):
    """A meeting point for the workers of this machine alone, behind a socket on 127.0.0.1."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._closed = False
        self._store: TCPStore | None = None

    def get_backend(self) -> str:
        return NAME

    @property
    def use_agent_store(self) -> bool:
        return True  # the workers use this store too, and open none of their own

    def next_rendezvous(self) -> RendezvousInfo:
        """Called at the start and after each restart, which gets a new, empty store."""
        if self._closed:
            raise RendezvousClosedError("the rendezvous is closed")
        self._store = loopback_store()
        store: Store = PrefixStore(f"{NAME}/{self._run_id}", self._store)
        meeting_point = RendezvousStoreInfo(HOST, self._store.port)
        return RendezvousInfo(store, rank=0, world_size=1, bootstrap_store_info=meeting_point)

    def is_closed(self) -> bool:
        return self._closed

    def set_closed(self) -> None:
        self._closed = True

    def num_nodes_waiting(self) -> int:
        return 0  # no other machine can ask to join

    def get_run_id(self) -> str:
        return self._run_id

    def shutdown(self) -> bool:
        self._closed, self._store = True, None
        return True


def loopback_store() -> TCPStore:
    """The server of a new key-value store, listening on 127.0.0.1 on a free port.

    Given an address, `TCPStore` listens on all interfaces. Here it gets a socket that listens.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((HOST, 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        return TCPStore(HOST, port, is_master=True, master_listen_fd=listener.detach())


def loopback_interface() -> str | None:
    """The name of the interface with the address 127.0.0.1: "lo" on Linux, "lo0" on macOS."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address == HOST for entry in addresses):
            return name
    return None


def main(arguments: list[str] | None = None) -> None:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = loopback_interface()
    if name and os.name == "posix":  # the workers' own connections
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = name
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if os.environ.pop(STOP_VARIABLE, "0") == "1":
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    # Names are looked up for reports and log lines, again and again, and each look-up may wait for
    # a name server that does not answer. Nothing here needs one.
    socket.getfqdn = lambda name="": "localhost"
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")  # of the C library on Linux
    rendezvous_handler_registry.register(NAME, _create)
    place = [f"--rdzv-backend={NAME}", f"--rdzv-endpoint={HOST}:0", f"--local-addr={HOST}"]
    run.main([*place, f"--rdzv-id={os.getpid()}", *arguments])


def _create(parameters: RendezvousParameters) -> LoopbackRendezvous:
    if parameters.max_nodes != 1:
        raise ValueError("only one machine can take part: use torchrun itself for several")
    return LoopbackRendezvous(parameters.run_id)


def _stop_at_end_of_input() -> None:
    """The launcher holds the other end of the standard input: when it is gone, stop as well."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
