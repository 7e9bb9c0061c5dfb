"""The commands of README, scripts/README and docs, run as they are: beside a worker, a web process and failed jobs.

The reader's own values are filled in: a dead letter, a payload, a port. Heroku's and git's are checked by name only.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from bullmq import Queue
from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue as Lane
from rq.registry import FailedJobRegistry

from tests.support.api_client import FULL, SECRET
from tests.support.docs import PROJECT, Command, commands
from tests.support.outbox import add_outbox
from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.prisma import App as Database
from tests.support.scripts import run_script
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.support.app import App
    from tests.support.push_service import PushService

HEROKU = {"addons:attach", "buildpacks:add", "config:set", "logs", "ps", "ps:scale", "run", "stack:set"}
QUEUE = "push-notifications"
KNOWN = {("git", "clone"), ("npx", "tsx"), ("npx", "web-push"), ("npx", "pushmill"), ("npx", "prisma")}
BAD = {"userId": "u"}
MANY = 8  # letters: each command has one of its own
WELL = ("no such key", "No scripts in execution")  # what there is to mend on the page is well here
WITHIN = 60.0  # seconds
PAYLOAD = {"fileId": "f1", "filePath": "uploads/a.png", "userId": "u1"}


@dataclass
class Reader:
    """A reader who types the commands of the docs. Each method returns what is wrong, or None."""

    app: App
    port: int
    url: str
    letters: list[str] = field(default_factory=list)

    @property
    def redis(self) -> Redis:
        """The app's Redis."""
        return Redis.from_url(self.app.env["REDIS_URL"])

    async def types(self, command: Command) -> str | None:
        """Run a command."""
        programs: dict[str, Callable[[Command], Coroutine[None, None, str | None]]] = {
            "curl": self.curl,
            "heroku": self.heroku,
            "make": self.make,
            "pip": self.pip,
            "python": self.python,
            "redis-cli": self.redis_cli,
            "rq": self.rq,
        }
        if command.words[:2] in KNOWN:
            return None
        return await programs[command.words[0]](command)

    async def curl(self, command: Command) -> str | None:
        """Request the address; the answer must have the text that is grepped for."""
        words = [os.path.expandvars(self.filled(word)) for word in command.words]
        options = dict(itertools.pairwise(words))
        headers = dict([options["-H"].split(": ", 1)]) if "-H" in options else {}
        address = words[-1] if "://" in words[-1] else f"http://{words[-1]}"
        async with httpx.AsyncClient() as client:
            answer = await client.request(options.get("-X", "GET"), address, headers=headers)
        if not answer.is_success:
            return f"{answer.status_code}: {answer.text}"
        return None if re.search(command.greps or "", answer.text) else f"no {command.greps} in its answer"

    async def heroku(self, command: Command) -> str | None:
        """Check the name of the command only."""
        return None if command.words[1] in HEROKU else "no such command of Heroku's"

    async def make(self, command: Command) -> str | None:
        """The target exists."""
        return await self.run("make", "--dry-run", *command.words[1:])

    async def pip(self, command: Command) -> str | None:
        """The package is one of the project's, or the file exists."""
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        pins = [pin for extra in project["optional-dependencies"].values() for pin in extra]
        names = {pin.partition("==")[0] for pin in pins}
        wanted = command.words[-1]
        return None if wanted in names or (PROJECT / wanted).is_file() else "no such package of ours, and no such file"

    async def python(self, command: Command) -> str | None:
        """A script: with --help where the docs leave the arguments out, with --yes where it asks."""
        if command.script is None:
            return None if (PROJECT / command.words[1]).is_file() else "no such file"
        words = [self.filled(word) for word in command.words[1:]]
        if len(words) == len(("-m", command.script)):
            words.append("--help")
        if "--watch" in words:
            return await self.watch(words)
        if command.script == "preview_email":
            words.append("--no-open")
        fault = await self.script(command.script, *words[2:])
        if fault is not None and "can't ask for confirmation" in fault:
            return await self.script(command.script, *words[2:], "--yes")
        return fault

    async def script(self, name: str, *arguments: str) -> str | None:
        """Run a script; its status must be 0."""
        answer = await run_script(name, *arguments, env=self.env)
        return None if answer.status == 0 else f"status {answer.status}: {(answer.out + answer.err)[-500:]}"

    async def watch(self, words: list[str]) -> str | None:
        """It shows something, and goes on until it is ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=PROJECT, env=self.env, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            first = await asyncio.wait_for(process.stdout.readline(), WITHIN)
        finally:
            process.terminate()
            await process.communicate()
        return None if first else "it shows nothing"

    async def redis_cli(self, command: Command) -> str | None:
        """The command behind the address; a key of the docs may be missing here."""
        words = [word.replace(":NAME", f":{QUEUE}") for word in command.words[3 if command.words[1] == "-u" else 1 :]]
        with self.redis as client:
            if words[:2] == ["--scan", "--pattern"]:
                return None if list(client.scan_iter(words[2])) else "no such key"
            try:
                return None if client.execute_command(*words) else "no answer"
            except ResponseError as error:
                return None if any(reason in str(error) for reason in WELL) else str(error)

    async def rq(self, command: Command) -> str | None:
        """RQ's own program; without arguments its help."""
        words = [self.filled(word) for word in command.words[1:]]
        return await self.run(str(Path(sys.executable).with_name("rq")), *(words if len(words) > 1 else ["--help"]))

    def filled(self, word: str) -> str:
        """Replace the docs' placeholders by values of this test."""
        own: dict[str, Callable[[], str]] = {
            "LETTER": self.letters.pop,
            "NAME": lambda: "process-image",
            "PAYLOAD": lambda: json.dumps(PAYLOAD),
            '{"fileId": ...}': lambda: json.dumps(PAYLOAD),
            "$REDIS_URL": lambda: self.app.env["REDIS_URL"],
            "JOB_ID": self.failed_job,
        }
        if word in own:
            return own[word]()
        word = word.replace("localhost:9464", f"localhost:{self.port}").replace("$PUSHMILL_URL", self.url)
        return word.replace("$PUSHMILL_TOKEN", SECRET)

    def failed_job(self) -> str:
        """A job of RQ's that has failed."""
        with self.redis as client:
            return str(FailedJobRegistry(QUEUE, client).get_job_ids()[0])

    @property
    def env(self) -> dict[str, str]:
        """The worker's environment, because scripts need it, and what `preview_email`, `outbox`, `cleanup` need."""
        mails = {"MAIL_FROM": "app@example.com", "EMAIL_TEMPLATES": str(self.app.folder)}
        more = {**mails, "OUTBOX_TABLE": "Outbox", "CLEANUP_PREFIXES": "exports"}
        return {"PATH": os.environ["PATH"], **self.app.env, **more}  # noqa: TID251 -- make is found on it

    async def run(self, *words: str) -> str | None:
        """Run a program in the project; its status must be 0."""
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=PROJECT,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), WITHIN)
        return None if process.returncode == 0 else f"status {process.returncode}: {out.decode()[-500:]}"


async def test_every_command_of_the_docs(app: App, push_service: PushService) -> None:
    """It runs, and does not end with an error."""
    port = free_port()
    web, url = web_process(app.env["REDIS_URL"], app.folder, FULL)
    add_outbox(Database(app.env["DATABASE_URL"], ()))
    app.upload("f1")
    app.subscribe(push_service.subscribe())
    (app.folder / "welcome.html").write_text("<p>Hello</p>")
    (app.folder / "welcome.subject.txt").write_text("Welcome")
    reader = Reader(app, port, url)
    async with app.worker(METRICS_PORT=str(port)) as worker, web:
        queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
        await queue.addBulk([{"name": "push-notification", "data": BAD, "opts": {}}] * MANY)
        await queue.close()
        with reader.redis as client:
            Lane(QUEUE, connection=client, serializer="json").enqueue("push-notification", BAD)
            await worker.logged("job_dead", MANY + 1, within=30.0)
            served: list[bytes] = await until(lambda: client.zrange("bull:pulse:workers", 0, -1), 30.0)
            reader.letters = [key.decode() for key in client.lrange("bull:dead:wait", 0, -1)]
        faults = {str(command): fault for command in commands() if (fault := await reader.types(command)) is not None}

    assert served
    assert {} == faults
