"""A real Firefox, without a window, driven through Marionette: also its own parts, such as shown notifications."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING, Any, Self

import pytest

from embedded.firefox import firefox_profile
from embedded.mozilla_push import MozillaPush
from tests.support.polling import PATIENCE, until
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAMES = ("firefox-esr", "firefox")
MISSING = "there is no Firefox: install it (Debian: firefox-esr), or set FIREFOX to its path"
OPTIONS = ["--headless", "--marionette", "--remote-allow-system-access", "about:blank"]
PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,  # a free one, which it writes into its profile
    "dom.push.retryBaseInterval": 100,  # milliseconds
    "alerts.useSystemBackend": False,  # its own windows: there is no desktop
    "browser.startup.page": 0,
    "network.proxy.type": 1,  # nothing leaves this machine: all but localhost goes to a proxy that is not there
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver names an element
ALERTS = """return [...Services.wm.getEnumerator("alert:alert")].map(({document}) => [
    document.getElementById("alertTitleLabel")?.value, document.getElementById("alertTextLabel")?.textContent])
    .filter(([title]) => title)"""
CLICK_ALERT = """const [alert] = Services.wm.getEnumerator("alert:alert");
    alert.document.getElementById("alertBox").click()"""
PROMPT = """const question = document.querySelector("#notification-popup popupnotification");
    const button = arguments[0] ? question?.button : question?.secondaryButton;
    if (!button || !document.getElementById("notification-popup").state.startsWith("open")) return false;
    button.click(); return true"""


class FirefoxSettings(CiSettings):
    """`firefox` is its path, if it is not found by name."""

    firefox: Path | None = None


class MarionetteError(Exception):
    """Firefox refused a command."""


class Firefox:
    """A run of Firefox with the profile in `folder`, which keeps what an earlier run left there."""

    def __init__(self, program: str, folder: Path, push_url: str) -> None:
        """Nothing runs before it is entered."""
        self._command = firefox_profile(folder, push_url, PREFERENCES, program) + OPTIONS
        self._folder = folder
        self._lock = asyncio.Lock()
        self._number = 0

    async def __aenter__(self) -> Self:
        """Start it, and take control."""
        port = self._folder / "MarionetteActivePort"
        port.unlink(missing_ok=True)
        env = {"HOME": str(self._folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1", "PATH": "/usr/bin:/bin"}
        with (self._folder / "firefox.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(*self._command, env=env, stdout=log, stderr=log)
        try:
            number: str = await until(lambda: port.read_text() if port.exists() else "", why=self._said)
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", int(number), limit=2**24)
            await self._receive()  # it says hello
            await self.command("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})
            # Marionette sets this to false at each start.
            await self.inside('Services.prefs.setBoolPref("dom.push.connection.enabled", true)')
            await self.command("WebDriver:SetTimeouts", script=int(PATIENCE * 1000), pageLoad=int(PATIENCE * 1000))
        except BaseException:
            self._process.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let it end as a user does, with its profile written."""
        try:
            with contextlib.suppress(MarionetteError, ConnectionError, asyncio.IncompleteReadError):
                await self.command("Marionette:Quit", flags=["eForceQuit"])
            self._writer.transport.abort()
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
        print(f"--- firefox\n{self._said()}")  # noqa: T201 -- pytest keeps it for failures

    def _said(self) -> str:
        return (self._folder / "firefox.log").read_text(errors="replace")

    async def command(self, name: str, **parameters: Any) -> Any:
        """Perform a command of Marionette. Raises MarionetteError."""
        async with self._lock:
            return await self._perform(name, parameters)

    async def _perform(self, name: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        request = json.dumps([0, self._number, name, parameters]).encode()
        self._writer.write(b"%d:%b" % (len(request), request))
        async with asyncio.timeout(2 * PATIENCE):
            _, number, error, result = await self._receive()
        assert number == self._number
        if error:
            raise MarionetteError(error["error"], error["message"], error.get("stacktrace", ""))
        return result["value"] if isinstance(result, dict) and result.keys() == {"value"} else result

    async def _receive(self) -> Any:
        length = await self._reader.readuntil(b":")
        return json.loads(await self._reader.readexactly(int(length[:-1])))

    async def open(self, url: str) -> None:
        """Load a page."""
        await self.command("WebDriver:Navigate", url=url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """The result of a function body in the page; it may await."""
        body = f"return (async (...arguments) => {{ {script} }})(...arguments)"
        return await self.command("WebDriver:ExecuteScript", script=body, args=list(arguments))

    async def inside(self, script: str, *arguments: Any) -> Any:
        """The result of a function body in the browser itself, with its rights; it may await."""
        body = f"return (async (...arguments) => {{ {script} }})(...arguments)"
        async with self._lock:
            await self._perform("Marionette:SetContext", {"value": "chrome"})
            try:
                return await self._perform("WebDriver:ExecuteScript", {"script": body, "args": list(arguments)})
            finally:
                await self._perform("Marionette:SetContext", {"value": "content"})

    async def click(self, css: str) -> None:
        """Click as a user does, once there is such an element."""
        await self.seen(css)
        element = await self.command("WebDriver:FindElement", using="css selector", value=css)
        await self.command("WebDriver:ElementClick", id=element[ELEMENT])

    async def write(self, css: str, text: str) -> None:
        """Type into a field."""
        await self.seen(css)
        element = await self.command("WebDriver:FindElement", using="css selector", value=css)
        await self.command("WebDriver:ElementSendKeys", id=element[ELEMENT], text=text)

    async def seen(self, css: str, text: str = "") -> None:
        """Wait for an element that has this text."""
        script = "return document.querySelector(arguments[0])?.textContent.includes(arguments[1])"
        try:
            await until(lambda: self.run(script, css, text), why=f"no {css} with {text!r}")
        except AssertionError:
            print(await self.run("return [location.href, document.body.outerHTML]"))  # noqa: T201 -- pytest keeps it
            raise

    async def alerts(self, count: int = 1) -> list[list[str]]:
        """Title and text of the notifications that are on the screen, once there are so many."""

        async def look() -> list[list[str]]:
            shown: list[list[str]] = await self.inside(ALERTS)
            return shown if len(shown) >= count else []

        return await until(look, why="no notification")

    async def click_alert(self) -> None:
        """Click on the notification that is on the screen."""
        await self.inside(CLICK_ALERT)

    async def opened(self, url: str) -> None:
        """Wait for a tab that shows this page, and go on there."""
        await until(lambda: self._switch(url), why=f"no tab shows {url}")

    async def _switch(self, url: str) -> Any:
        for tab in await self.command("WebDriver:GetWindowHandles"):
            await self.command("WebDriver:SwitchToWindow", handle=tab)
            if await self.run("return location.href") == url:
                return True
        return False

    async def answer_prompt(self, *, allow: bool = True) -> None:
        """Answer the browser's question whether the page may do something."""
        await until(lambda: self.inside(PROMPT, allow), why="no question")


@pytest.fixture
async def mozilla_push() -> AsyncIterator[MozillaPush]:
    """A running push service for Firefox."""
    service = MozillaPush()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def firefox_program() -> str:
    """The path of Firefox. Without it a test is skipped, and fails in CI."""
    settings = FirefoxSettings()
    return find_program(settings, MISSING, *NAMES, given=settings.firefox)


@pytest.fixture
async def firefox(firefox_program: str, mozilla_push: MozillaPush, tmp_path: Path) -> AsyncIterator[Firefox]:
    """A running Firefox with an empty profile, whose push service is `mozilla_push`."""
    async with Firefox(firefox_program, tmp_path / "profile", mozilla_push.url) as browser:
        yield browser
