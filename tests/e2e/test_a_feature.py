"""The cost of a new feature: a manifest and what opens it, all in this file, and a line where features are listed.

The worker is the real one, run by this file as a script, with one feature more.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

import worker
from processors.features import FEATURES
from queue_lib.errors import PermanentError, TransientError
from queue_lib.feature import Counter, Feature, Opened, Served
from queue_lib.job import Backoff
from queue_lib.processor import Context, JobSchema, Model
from queue_lib.queues import DAY, Queue, Retention
from tests.support.node import node
from tests.support.ports import free_port
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from processors.tools import Tools
    from tests.support.wires import Mess

QUEUE = "letters"


class Letter(Model):
    """On paper."""

    send_to: str = Field(pattern=",")


class Sent(Model):
    """What became of it."""

    letter_id: str
    attempts: int


class LetterSettings(BaseSettings):
    """The feature's own variable."""

    franking_machine: str = Field(description="Its address.")


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """A real feature would open a connection here, and close it behind the yield."""
    machine = served.of(LetterSettings).franking_machine
    assert tools.http is not None

    async def send(letter: Letter, context: Context) -> Sent:
        if context.job.attempt < 3:
            msg = "the machine is busy"
            raise TransientError(msg)
        context.count("letters", {machine: {"sent": 1}})
        return Sent(letter_id=f"{letter.send_to}/{machine}", attempts=context.job.attempt)

    async def bounce(letter: Letter, _: Context) -> None:
        msg = f"there is no address {letter.send_to}"
        raise PermanentError(msg)

    yield Opened(processors={"send-letter": send, "bounce": bounce})


def by_machine(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """In all."""
    return [((), sum(kinds.values())) for kinds in counts.values()]


LETTERS = Feature(
    name="letters",
    queues=(
        Queue(
            name=QUEUE,
            profile="light",
            concurrency=2,
            rate_max=0,
            attempts=1,
            backoff=Backoff((0.01,)),
            timeout=10.0,
            keep_completed=Retention(DAY),
        ),
    ),
    jobs=(JobSchema("send-letter", QUEUE, Letter, result=Sent, attempts=4), JobSchema("bounce", QUEUE, Letter)),
    settings=(LetterSettings,),
    counters=(Counter("letters", "letters", "Letters.", QUEUE, {}, by_machine),),
    open=opened,
)


@pytest.mark.usefixtures("node_modules")
async def test_a_feature_runs_on_both_wires(mess: Mess) -> None:
    """With its own settings, attempts by job name, dead letters and metrics; nothing of push or media is needed."""
    port = free_port()
    env = {"REDIS_URL": mess.url, "QUEUES": QUEUE, "FRANKING_MACHINE": "franking:7", "METRICS_PORT": str(port)}
    async with WorkerProcess(env, mess.folder, Path(__file__)) as process:
        [_, result] = await node(
            mess.url,
            ("add", QUEUE, "send-letter", {"sendTo": "Ada, London", "tracking": 7}),
            ("waitUntilFinished", QUEUE, None, 20_000),
        )
        [job_id] = mess.rq("send-letter", {"sendTo": "Grace, New York"}, queue=QUEUE)
        [dead] = mess.rq("bounce", {"sendTo": "nobody, Nowhere"}, queue=QUEUE)
        [bad] = await mess.bullmq("send-letter", {"sendTo": 7}, queue=QUEUE)
        lines = await process.logged("job_done", 2)
        await process.logged("job_dead", 2)
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text

    assert {"letterId": "Ada, London/franking:7", "attempts": 3} == result
    assert job_id in {line["id"] for line in lines}
    assert 'pushmill_letters_total{name="send-letter"} 2.0' in metrics
    letters = await mess.dead_letters()
    assert {
        dead: "there is no address nobody, Nowhere",
        bad: "bad payload for send-letter: sendTo: Input should be a valid string",
    } == {job: letter["reason"] for job, letter in letters.items()}


if __name__ == "__main__":
    worker.main((*FEATURES, LETTERS))
