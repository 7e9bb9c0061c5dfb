"""A job of a team's own: a class that says its name, its queue, its payload, and what it does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel

from queue_lib.addition import Addition, NewJob
from queue_lib.jobs import dispatching
from queue_lib.jobs.current_run import CURRENT
from queue_lib.processor import JobSchema, Model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Iterable, Mapping
    from typing import Unpack

    from queue_lib.job import Backoff, Wire
    from queue_lib.jobs.dispatching import Options
    from queue_lib.jobs.toolbox import Tools
    from queue_lib.processor import Context
    from queue_lib.shown import Part

T = TypeVar("T")
PayloadT = TypeVar("PayloadT", bound=BaseModel)
Result = Model | dict[str, Any] | None


class Job(Generic[PayloadT]):
    """Base of a team's own jobs. `class SendInvoice(Job[Invoice])` has `Invoice`, a Model, as its payload.

    `name` is what producers call the job; it belongs in `queue`. `result` is the model of what it returns. `attempts`
    and `backoff` win over the queue's, and lose to what the producer chose. `links_below` are addresses below which the
    pictures and links of `shows` are, beside those of the object store.
    """

    name: ClassVar[str]
    queue: ClassVar[str]
    payload: ClassVar[type[BaseModel]]
    result: ClassVar[type[BaseModel] | None] = None
    attempts: ClassVar[int | None] = None
    backoff: ClassVar[Backoff | None] = None
    links_below: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **words: Any) -> None:
        """Take the payload from `Job[...]`."""
        super().__init_subclass__(**words)
        for base in vars(cls).get("__orig_bases__", ()):
            if get_origin(base) is Job and not isinstance(model := get_args(base)[0], TypeVar):
                cls.payload = model

    def __init__(self, tools: Tools) -> None:
        """A worker makes one of each class. Its runs share it, so they keep nothing in it."""
        self.tools = tools

    @classmethod
    def of(cls, payload: PayloadT | Mapping[str, Any], **options: Unpack[Options]) -> NewJob:
        """A job to be added with others. Raises PermanentError for a payload that is none."""
        model = schema_of(cls).parse(payload)
        data = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return NewJob(cls.queue, Addition(name=cls.name, data=data, **options))

    @classmethod
    async def dispatch(
        cls,
        payload: PayloadT | Mapping[str, Any],
        *,
        wire: Wire | Literal["bullmq", "rq"] | None = None,
        **options: Unpack[Options],
    ) -> str:
        """Add a job, and return its id. It is added on BullMQ's wire, or on that of the job that adds it.

        Raises PermanentError for a payload that is none and for what the wire can't do, ConfigurationError without a
        REDIS_URL that can be used, and BrokerUnavailableError.
        """
        return await dispatching.add(cls.of(payload, **options), wire)

    @staticmethod
    def wait(work: Coroutine[Any, Any, T]) -> T:
        """In a plain `handle`: run a coroutine in the worker's loop, and wait: `self.wait(context.progress(50))`."""
        run = CURRENT.get()
        if run is None or threading.get_ident() == run.thread:
            work.close()
            msg = "wait is for a job's plain handle; await the coroutine instead"
            raise RuntimeError(msg)
        return asyncio.run_coroutine_threadsafe(work, run.loop).result()

    def handle(self, payload: PayloadT, context: Context, /) -> Result | Awaitable[Result]:
        """Do the work. Write it as `async def`, or as a plain `def`, which runs in a thread.

        It must be idempotent: a job runs at least once. It returns a Model, a dict or nothing; it raises
        TransientError, PermanentError or SnoozeError to say what is to follow. Any other error counts as transient.
        """
        raise NotImplementedError

    @classmethod
    def shows(cls, payload: PayloadT, result: Any, /) -> Iterable[Part]:  # noqa: ARG003 -- a job says what it shows
        """What operators see on the page of a job, beside payload and result.

        `result` is None until the job is done, if it is none of the class's `result`, and if the class names none.
        """
        return ()


def schema_of(job: type[Job[Any]]) -> JobSchema:
    """What the rest needs to know of it."""
    return JobSchema(job.name, job.queue, job.payload, job.result, job.attempts, job.backoff)
