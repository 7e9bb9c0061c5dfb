"""What the local push service for Firefox keeps, and for how long."""

from __future__ import annotations

import pytest

from embedded.mozilla_mailboxes import MAX_BROWSERS, MAX_CHANNELS, MAX_MESSAGES, Mailboxes
from embedded.push_checks import WrongPushError
from tests.support.push_fakes import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def mailboxes(clock: Clock) -> Mailboxes:
    """No browser."""
    return Mailboxes(clock)


def test_a_browser_comes_back_by_its_uaid(mailboxes: Mailboxes) -> None:
    """A known uaid is the same browser with its channels; an unknown one is a new browser."""
    browser = mailboxes.hello(None)
    mailboxes.register(browser, "one", "key")

    assert mailboxes.hello(browser.uaid) is browser
    assert mailboxes.hello("0" * 32).uaid not in {browser.uaid, "0" * 32}


def test_an_endpoint_that_has_ended_is_gone(mailboxes: Mailboxes) -> None:
    """After `unregister` it is answered with 410; one that never was, with 404."""
    browser = mailboxes.hello(None)
    channel = mailboxes.register(browser, "one", "key")
    assert mailboxes.find(channel.token) == channel

    mailboxes.unregister(browser, "one")

    assert 410 == _refusal(mailboxes, channel.token)
    assert 404 == _refusal(mailboxes, "other")


def test_the_same_channel_gets_a_new_endpoint(mailboxes: Mailboxes) -> None:
    """A channel id that is registered again ends the earlier endpoint."""
    browser = mailboxes.hello(None)
    earlier, later = (mailboxes.register(browser, "one", "key") for _ in range(2))

    assert 410 == _refusal(mailboxes, earlier.token)
    assert mailboxes.find(later.token) == later


def test_messages_wait_until_they_are_acknowledged_or_too_old(mailboxes: Mailboxes, clock: Clock) -> None:
    """They come in order; one with a TTL of 0 does not wait."""
    browser = mailboxes.hello(None)
    channel = mailboxes.register(browser, "one", "key")
    first, second, third = (mailboxes.keep(channel, body, ttl) for body, ttl in ((b"1", 60), (b"2", 120), (b"3", 0)))
    assert mailboxes.waiting(browser) == [first, second]

    clock.now += 60
    assert mailboxes.waiting(browser) == [second]

    mailboxes.acknowledge(browser, second.version)
    mailboxes.acknowledge(browser, third.version)
    assert mailboxes.waiting(browser) == []


def test_a_topic_replaces_the_message_of_its_channel(mailboxes: Mailboxes) -> None:
    """Another channel's message of that topic, and messages without one, stay."""
    browser = mailboxes.hello(None)
    one, two = (mailboxes.register(browser, name, "key") for name in ("one", "two"))
    for channel, topic in ((one, "score"), (two, "score"), (one, None), (one, None)):
        mailboxes.keep(channel, b"", 60, topic)

    last = mailboxes.keep(one, b"", 60, "score")

    kept = [("two", "score"), ("one", None), ("one", None), ("one", "score")]
    assert kept == [(message.channel_id, message.topic) for message in mailboxes.waiting(browser)]
    assert mailboxes.waiting(browser)[-1] == last


def test_messages_of_an_ended_channel_are_dropped(mailboxes: Mailboxes) -> None:
    """Those of the browser's other channels stay."""
    browser = mailboxes.hello(None)
    one, two = (mailboxes.register(browser, name, "key") for name in ("one", "two"))
    kept = [mailboxes.keep(channel, b"", 60) for channel in (one, two)]

    mailboxes.unregister(browser, "one")

    assert mailboxes.waiting(browser) == kept[1:]


def test_everything_is_bounded(mailboxes: Mailboxes) -> None:
    """The oldest messages and browsers go; one channel too many is refused."""
    browser = mailboxes.hello(None)
    channels = [mailboxes.register(browser, str(number), "key") for number in range(MAX_CHANNELS)]
    with pytest.raises(WrongPushError, match="too many channels"):
        mailboxes.register(browser, "more", "key")
    messages = [mailboxes.keep(channels[0], b"", 60) for _ in range(MAX_MESSAGES + 1)]
    assert mailboxes.waiting(browser) == messages[1:]

    for _ in range(MAX_BROWSERS):
        mailboxes.hello(None)

    assert 410 == _refusal(mailboxes, channels[-1].token)
    with pytest.raises(WrongPushError, match="forgotten"):
        mailboxes.register(browser, "more", "key")


def _refusal(mailboxes: Mailboxes, token: str) -> int:
    with pytest.raises(WrongPushError) as refused:
        mailboxes.find(token)
    return refused.value.status
