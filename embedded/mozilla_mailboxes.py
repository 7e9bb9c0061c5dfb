"""What a push service like Mozilla's keeps: its browsers, their channels, and messages that are not acknowledged.

A channel is a subscription: the browser chooses its id, the service its endpoint. A browser is known by its `uaid`.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded.push_checks import WrongPushError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BROWSERS = 100
MAX_CHANNELS = 100  # of a browser
MAX_MESSAGES = 100  # of a browser: the oldest go
MAX_GONE = 1_000  # endpoints that have ended and are answered with 410; older ones with 404
MAX_TTL = 4 * 7 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Channel:
    """A subscription with its VAPID `key` (base64url without padding). `token` is the secret part of its endpoint."""

    id: str
    uaid: str
    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Message:
    """An encrypted message. `expires` is in seconds of the clock of its mailboxes."""

    version: str
    channel_id: str
    body: bytes
    topic: str | None
    expires: float


@dataclass(slots=True)
class Browser:
    """A browser: its channels by id, and its messages by version, oldest first."""

    uaid: str
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)


class Mailboxes:
    """Browsers, channels and messages, in memory and bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._browsers: dict[str, Browser] = {}  # the one that said hello last is the last
        self._channels: dict[str, Channel] = {}  # by token
        self._gone: deque[str] = deque(maxlen=MAX_GONE)

    def hello(self, uaid: str | None) -> Browser:
        """The browser of this uaid, if it is known; else a new one, which tells a browser to subscribe anew."""
        browser = self._browsers.pop(uaid or "", None) or Browser(secrets.token_hex(16))
        self._browsers[browser.uaid] = browser
        while len(self._browsers) > MAX_BROWSERS:
            self.forget(next(iter(self._browsers.values())))
        return browser

    def register(self, browser: Browser, channel_id: str, key: str) -> Channel:
        """Add a channel. One with the same id ends. Raises WrongPushError if it is one too many."""
        self.unregister(browser, channel_id)
        if self._browsers.get(browser.uaid) is not browser:
            raise WrongPushError(410, "the browser is forgotten")
        if len(browser.channels) >= MAX_CHANNELS:
            raise WrongPushError(500, "too many channels")
        channel = Channel(channel_id, browser.uaid, key, secrets.token_urlsafe(48))
        browser.channels[channel_id] = self._channels[channel.token] = channel
        return channel

    def unregister(self, browser: Browser, channel_id: str) -> None:
        """End a channel, with its messages. An unknown one is none."""
        if channel := browser.channels.pop(channel_id, None):
            del self._channels[channel.token]
            self._gone.append(channel.token)
            browser.messages = {
                version: message for version, message in browser.messages.items() if message.channel_id != channel_id
            }

    def forget(self, browser: Browser) -> None:
        """End all channels of a browser, and forget it."""
        for channel_id in list(browser.channels):
            self.unregister(browser, channel_id)
        self._browsers.pop(browser.uaid, None)

    def forget_all(self) -> None:
        """Forget all browsers."""
        for browser in list(self._browsers.values()):
            self.forget(browser)

    def find(self, token: str) -> Channel:
        """The channel of an endpoint. Raises WrongPushError: 410 if it has ended, 404 if it never was."""
        if channel := self._channels.get(token):
            return channel
        if token in self._gone:
            raise WrongPushError(410, "the subscription has ended")
        raise WrongPushError(404, "no such subscription")

    def keep(self, channel: Channel, body: bytes, ttl: int, topic: str | None = None) -> Message:
        """Keep a message for `ttl` seconds. It replaces one with the same topic that is not acknowledged."""
        browser = self._browsers[channel.uaid]
        replaced = [
            version
            for version, other in browser.messages.items()
            if topic and (other.channel_id, other.topic) == (channel.id, topic)
        ]
        version = str(uuid.uuid4())
        message = Message(version, channel.id, body, topic, self._clock() + min(ttl, MAX_TTL))
        browser.messages[version] = message
        for each in replaced + list(browser.messages)[:-MAX_MESSAGES]:
            browser.messages.pop(each, None)
        return message

    def acknowledge(self, browser: Browser, version: str) -> None:
        """Drop a message that the browser has. An unknown one is none."""
        browser.messages.pop(version, None)

    def waiting(self, browser: Browser) -> list[Message]:
        """The messages for a browser that comes back, oldest first; expired ones are dropped."""
        now = self._clock()
        browser.messages = {version: message for version, message in browser.messages.items() if message.expires > now}
        return list(browser.messages.values())
