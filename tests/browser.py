"""A real browser, driven over its own protocol: what it shows, and what it complains of. Chromium, where it is installed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--remote-debugging-port=0")  # fmt: skip


def browser_here() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Tab:
    """One tab. `complaints` are errors of its scripts and breaches of the page's policy, `asked` all addresses it loaded."""

    line: ClientConnection
    session: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)

    async def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and its answer; what the browser reports meanwhile is noted."""
        number = next(self.numbers)
        await self.line.send(
            orjson.dumps({"id": number, "sessionId": self.session, "method": method, "params": params}).decode()
        )
        while True:
            said = orjson.loads(await asyncio.wait_for(self.line.recv(), 20))
            if said.get("id") == number:
                assert "error" not in said, said
                answer: dict[str, Any] = said["result"]
                return answer
            self.note(said.get("method", ""), said.get("params", {}))

    def note(self, method: str, params: dict[str, Any]) -> None:
        """Keep what a test may ask about."""
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
        elif (
            method == "Log.entryAdded"
            and params["entry"]["level"] == "error"
            and params["entry"]["source"] != "network"
        ):
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])

    async def speak(self, language: str) -> None:
        """Ask for pages in a language."""
        await self.tell("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})

    async def open(self, address: str) -> None:
        """Load a page, with its scripts. A tab that is there already would stay, where only what is behind # differs."""
        await self.tell("Page.navigate", url="about:blank")
        await self.tell("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def value(self, expression: str) -> Any:
        """What an expression is on the page."""
        found = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression holds on the page."""
        for _ in range(200):
            found = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
            if found["result"].get("value") is True:
                return
            await asyncio.sleep(0.05)
        shown = await self.value("document.body.innerText")
        raise AssertionError(f"{expression} never held on the page that shows {shown!r}")

    async def type(self, field: str, text: str) -> None:
        """Type into a field, as a keyboard does."""
        await self.value(f"document.querySelector('{field}').focus()")
        await self.tell("Input.insertText", text=text)

    async def click(self, element: str) -> None:
        """Click on the middle of an element."""
        box = await self.value(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector('{element}').getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.tell("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    async def shown(self) -> str:
        """All that is to be read on the page."""
        return str(await self.value("document.body.innerText"))

    async def is_shown(self, element: str) -> bool:
        """Whether an element is there and can be seen."""
        return bool(await self.value(f"document.querySelector('{element}')?.checkVisibility() ?? false"))


@asynccontextmanager
async def tab(program: str) -> AsyncIterator[Tab]:
    """A tab of a browser of its own, which knows nothing of any other."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, *FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            async with connect(await address_in(Path(profile)), max_size=None) as line:
                tab = Tab(line, "")
                made = await bare(line, "Target.createTarget", url="about:blank")
                attached = await bare(line, "Target.attachToTarget", targetId=made["targetId"], flatten=True)
                tab.session = attached["sessionId"]
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await tab.tell(f"{domain}.enable")
                yield tab
        finally:
            process.kill()
            await process.wait()


async def address_in(profile: Path) -> str:
    """Where the browser listens, as it writes down."""
    place = profile / "DevToolsActivePort"
    for _ in range(600):
        if place.exists() and len(lines := place.read_text().splitlines()) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise AssertionError("the browser did not start")


async def bare(line: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    """A command to the browser itself."""
    await line.send(orjson.dumps({"id": 1_000_000, "method": method, "params": params}).decode())
    while (said := orjson.loads(await asyncio.wait_for(line.recv(), 20))).get("id") != 1_000_000:
        pass
    found: dict[str, Any] = said["result"]
    return found
