"""Commands are packed in C: the same bytes as redis-py's own packing in Python, and the same errors."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from queue_lib.broker.direct import DIRECT

WORDS: dict[str, Any] = {"encoding_errors": "replace", "decode_responses": True}  # as `client` sets them
OURS, THEIRS = DIRECT[Connection](**WORDS), Connection(**WORDS)


class Whole(enum.IntEnum):
    """A number that has a name."""

    ONE = 1


class Text(enum.StrEnum):
    """A text that has a name."""

    ONE = "one"


VALUES: dict[str, list[Any]] = {
    "texts": ["", "é", "a\0b\r\n", "\ud800b", Text.ONE],
    "bytes": [b"", b"\xff", bytearray(b"ab"), memoryview(b"abc"), memoryview(b"abcdef")[::2]],
    "numbers": [0, -1, 2**70, 10**4000, 1.5, -0.0, 0.1 + 0.2, 1e300, float("nan"), float("inf"), Whole.ONE],
    "refused": [None, True, False, [], {}, object(), 10**5000],
}


def packed(connection: Any, *args: Any) -> bytes | str:
    """What is sent, or the error."""
    try:
        return b"".join(map(bytes, connection.pack_command(*args)))
    except (ValueError, TypeError, AssertionError, DataError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("kind", VALUES)
def test_an_argument_is_packed_as_redis_py_does_it(kind: str) -> None:
    """Behind a command of one word, behind one of two, and in the middle of others."""
    for value in VALUES[kind]:
        for args in (("SET", "key", value), ("CONFIG GET", value), (b"CLIENT KILL", "a", value, b"b", 7)):
            assert packed(THEIRS, *args) == packed(OURS, *args), f"{args[0]!s} with a {type(value).__name__}"
        assert isinstance(packed(OURS, "SET", "key", value), str) == (kind == "refused")


@pytest.mark.parametrize("name", [memoryview(b"PING"), "\ud800", 7, 1.5, None])
def test_a_name_that_is_no_text_is_left_to_redis_py(name: Any) -> None:
    """No command of ours has one."""
    assert packed(THEIRS, name, "x") == packed(OURS, name, "x")
