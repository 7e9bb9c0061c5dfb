"""The package's scripts, as they are put together."""

from __future__ import annotations

import re

from bullmq.redis_connection import loadScript

from queue_lib.broker.bullmq.library import ADDING, FUNCTION

OF_LUA = """
    and break do else elseif end false for function if in local nil not or repeat return then true until while
    cjson cmsgpack ipairs math next pairs redis string table tonumber tostring type unpack
"""
NOT_CODE = re.compile(r"--\[\[.*?\]\]|--[^\n]*|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
BOUND = re.compile(r"\bfunction *\w*\(([^)]*)\)|\blocal (?!function)([\w, ]+)|\bfor ([\w, ]+) (?:in|=)")


def free(function: str) -> set[str]:
    """The names in it that are not its own, nor Lua's."""
    code = NOT_CODE.sub(" ", function)
    own = {name for parts in BOUND.findall(code) for name in re.findall(r"\w+", " ".join(parts))}
    named = set(re.findall(r"(?<![.:\w])[A-Za-z_]\w*", code))
    return named - own - set(OF_LUA.split()) - {"rcall"}


def test_the_functions_that_are_moved_need_nothing_of_their_script() -> None:
    """Neither its KEYS and ARGV nor what it has read of them: for the next job these are others."""
    functions = {found for file in ADDING.values() for found in FUNCTION.findall(loadScript(file))}
    names = [match[1] for function in functions if (match := re.match(r"local function (\w+)\(", function))]

    assert len(functions) == len(names) == len(set(names)) > 20  # those of one name are the same in all scripts
    assert {"f", "metaKey", "KEYS"} == free("local function f(a)\n  local b = KEYS[1]\n  return a .. b .. metaKey\nend")
    assert {} == {function: missing for function in functions if (missing := free(function) - set(names))}
    for file in ADDING.values():
        assert "local function" not in FUNCTION.sub("", loadScript(file))
