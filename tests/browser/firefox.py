"""A page in a real Firefox, as far as the tests need one: JupyterLab opens in it as in Chromium's.

Firefox itself speaks WebDriver BiDi; playwright's own client asks for more of it than the Firefox
of Debian knows. Specification: https://w3c.github.io/webdriver-bidi
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("firefox-esr", "firefox")
REMEDY = "no Firefox found (Debian: apt install firefox-esr)"
ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
QUIET = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
KEYS = {"Home": "\ue011", "End": "\ue010", "ArrowLeft": "\ue012", "ArrowRight": "\ue014"}


def find_firefox() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class FirefoxPage:
    """What `LabPage` asks of a page, and keys and screenshots."""

    def __init__(self, socket: ClientConnection):
        self._socket, self._sent = socket, 0
        self.send("session.new", capabilities={})
        # The tab that is there at the start never gets the focus.
        self._context = self.send("browsingContext.create", type="tab")["context"]
        self.send("browsingContext.activate", context=self._context)
        view = {"width": 1366, "height": 900}
        self.send("browsingContext.setViewport", context=self._context, viewport=view)
        self._heard: dict[str, list[Any]] = {"console": [], "pageerror": []}
        self.send("session.subscribe", events=["log.entryAdded"])

    def send(self, method: str, **params: Any) -> dict:
        """A command, and its result."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("type") == "event":
                self._note(answer["params"])
            elif answer["id"] == self._sent:
                if answer["type"] == "error":
                    raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
                return answer["result"]

    def _note(self, entry: dict) -> None:
        if entry["type"] == "javascript" and entry["level"] == "error":
            for hear in self._heard["pageerror"]:
                hear(entry["text"])

    def on(self, event: str, hear: Any) -> None:
        self._heard[event].append(hear)

    def goto(self, url: str, wait_until: str) -> None:
        wait = {"domcontentloaded": "interactive"}[wait_until]
        self.send("browsingContext.navigate", context=self._context, url=url, wait=wait)

    def evaluate(self, function: str, arg: Any = None) -> Any:
        """What the JavaScript `function` gives for `arg`, both through JSON."""
        code = f"(async () => JSON.stringify(await ({function})({json.dumps(arg)})))()"
        target = {"context": self._context}
        got = self.send("script.evaluate", expression=code, target=target, awaitPromise=True)
        if got["type"] == "exception":
            raise RuntimeError(got["exceptionDetails"]["text"])
        return json.loads(got["result"].get("value", "null"))

    def wait_for_function(self, function: str, arg: Any = None, timeout: float = 60_000) -> None:
        deadline = time.monotonic() + timeout / 1000
        while not self.evaluate(function, arg):
            if time.monotonic() > deadline:
                raise TimeoutError(function)
            time.sleep(0.1)

    def wait_for_selector(self, selector: str, timeout: float = 60_000) -> None:
        there = "(selector) => Boolean(document.querySelector(selector))"
        self.wait_for_function(there, selector, timeout)

    def press(self, selector: str, key: str) -> None:
        """`key` on the first element that `selector` finds."""
        self.evaluate("(selector) => document.querySelector(selector).focus()", selector)
        strokes = [{"type": f"key{way}", "value": KEYS[key]} for way in ("Down", "Up")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self.send("input.performActions", context=self._context, actions=[keyboard])

    def screenshot(self, x: float, y: float, width: float, height: float) -> bytes:
        """PNG of a part of what is seen, in CSS pixels."""
        clip = {"type": "box", "x": x, "y": y, "width": width, "height": height}
        got = self.send("browsingContext.captureScreenshot", context=self._context, clip=clip)
        return base64.b64decode(got["data"])

    def close(self) -> None:
        """Nothing to do: the browser ends with its block."""


@contextlib.contextmanager
def firefox(**settings: Any) -> Iterator[FirefoxPage]:
    """A page of a Firefox with these `settings` (as in about:config, "." written as "__")."""
    path = find_firefox()
    if path is None:
        raise RuntimeError(REMEDY)
    with tempfile.TemporaryDirectory(prefix="course-firefox-") as folder:
        chosen = QUIET | {name.replace("__", "."): value for name, value in settings.items()}
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in chosen.items()]
        Path(folder, "user.js").write_text("\n".join(lines))
        command = [path, "--headless", "--remote-debugging-port=0", "--profile", folder]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            found = next(filter(None, map(ADDRESS.search, process.stderr)))
            with connect(f"{found[1]}/session", max_size=None) as socket:
                yield FirefoxPage(socket)
        finally:
            process.terminate()
            process.communicate(timeout=15)
