"""Headless Chromium, by its DevTools protocol over two pipes: no driver, no network."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "headless Chromium is not installed (apt-get install chromium)"
_SECONDS = 120

# Texts whose contrast with what is behind them is below 4.5, and pieces that did not load.
_CHECKS = """(async () => {
  const numbers = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith('color(') ? 255 : 1;
    return [parts[0] * scale, parts[1] * scale, parts[2] * scale, parts[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const colour = numbers(getComputedStyle(element).backgroundColor);
    return colour[3] == 1 ? colour.slice(0, 3) : over(colour, behind(element.parentElement));
  };
  const luminance = (colour) => {
    const linear = colour.map((c) => c / 255).map(
      (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || parent.closest('title, style, script')) continue;
    const style = getComputedStyle(parent), paper = behind(parent);
    const ink = over(numbers(parent.closest('svg') ? style.fill : style.color), paper);
    const [high, low] = [luminance(ink), luminance(paper)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faint.push(contrast.toFixed(2) + ' ' + walker.currentNode.data.trim());
  }
  const pictures = [...document.images], sounds = [...document.querySelectorAll('audio')];
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
  await Promise.all(sounds.map((sound) => sound.readyState > 0 || sound.error ? 0 : new Promise(
    (done) => { sound.onloadedmetadata = sound.onerror = done; sound.load(); })));
  return {
    width: document.documentElement.scrollWidth,
    height: document.documentElement.scrollHeight,
    paper: getComputedStyle(document.body).backgroundColor,
    pictures: pictures.length,
    broken: pictures.filter((picture) => !picture.naturalWidth).map((picture) => picture.alt),
    sounds: sounds.length,
    silent: sounds.filter((sound) => !(sound.duration > 0)).length,
    faint: [...new Set(faint)],
  };
})()"""


class Browser:
    """A running Chromium with one page."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, os.fdopen(from_browser, "rb", buffering=0)
        self._buffer, self._number, self._events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = self._from.read(1 << 20)
            assert piece, "the browser ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        values = json.loads(message)
        if "method" in values:
            self._events.append(values)
        return values

    def open(self, page: Path, width: int, dark: bool, media: str = "screen") -> dict[str, Any]:
        """Open a page, for a `screen` or for `print`, and look it over; see `_CHECKS`, and
        `errors`: lines of its console and addresses that it asked for.
        """
        self._events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=page.resolve().as_uri())
        end = time.monotonic() + _SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            assert time.monotonic() < end, f"{page} did not load"
            self._next()
        result = self.call(
            "Runtime.evaluate", expression=_CHECKS, awaitPromise=True, returnByValue=True
        )
        assert "value" in result["result"], result
        return result["result"]["value"] | {"errors": self._errors(page)}

    def _errors(self, page: Path) -> list[str]:
        errors = []
        for event in self._events:
            values = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                address = values["request"]["url"]
                if not address.startswith("data:") and address != page.resolve().as_uri():
                    errors.append(f"asked for {address}")
            elif event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                errors.append(str(values))
            elif event["method"] == "Log.entryAdded":
                errors.append(values["entry"]["text"])
        return errors

    def value(self, expression: str) -> Any:
        """What an expression gives on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"][
            "value"
        ]

    def print_a4(self) -> bytes:
        """The page as PDF on A4, as the browser's own print dialog makes it."""
        printed = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(printed["data"])

    def picture(self, path: Path, height: int, top: int = 0) -> None:
        """Write a part of the page as PNG, over its whole width."""
        width = self.value("innerWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """Start Chromium with its profile in a folder, and end it."""
    assert PROGRAM is not None
    read_by_browser, to_browser = os.pipe()
    from_browser, written_by_browser = os.pipe()

    def as_3_and_4() -> None:
        a, b = os.dup(read_by_browser), os.dup(written_by_browser)  # neither is 3 or 4 from here
        os.dup2(a, 3)
        os.dup2(b, 4)

    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    flags += ["--remote-debugging-pipe", f"--user-data-dir={folder}", "--mute-audio"]
    process = subprocess.Popen(
        [PROGRAM, *flags, "about:blank"],
        close_fds=False,
        preexec_fn=as_3_and_4,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_by_browser)
    os.close(written_by_browser)
    try:
        yield Browser(to_browser, from_browser)
    finally:
        os.close(to_browser)
        process.terminate()
        process.wait(60)
