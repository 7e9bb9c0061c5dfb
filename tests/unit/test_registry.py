"""The features' jobs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from processors.email.delivery_settings import DeliverySettings
from processors.email.payload import EmailPayload
from processors.email.settings import EmailSettings
from processors.email.smtp.settings import SmtpSettings
from processors.exports.payload import ExportPayload
from processors.exports.settings import ExportSettings
from processors.features import FEATURES
from processors.maintenance.payload import CacheWarmPayload, CleanupPayload, HousekeepingPayload
from processors.maintenance.settings import MaintenanceSettings
from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.media.settings import MediaSettings
from processors.notifications.payload import NotificationPayload
from processors.notifications.settings import NotificationSettings
from processors.outbound import HttpClient
from processors.outbox.feature import BRIDGES
from processors.outbox.settings import OutboxSettings
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.push.settings import PushSettings, SubscriptionSettings
from processors.reach.settings import AddressSettings, ReachSettings
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from processors.sandbox.shared import SharedSandbox
from processors.search.payload import BackfillPayload, IndexPayload
from processors.search.settings import SearchSettings
from processors.tools import Tools
from queue_lib.broker.app_cache import MemoryAppCache
from queue_lib.broker.cache import MemoryCache
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Feature, Served, jobs_of, open_features, routes
from queue_lib.processor import Registry, faults
from queue_lib.settings import WorkerSettings
from storage.settings import DatabaseSettings, ObjectsSettings
from tests.support.push_service import make_vapid_keys
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from pydantic import BaseModel

    from queue_lib.processor import JobSchema, Route

JOBS = jobs_of(FEATURES)


class Nothing:
    """Stands for the storage, which is never called."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def routes_of_all() -> list[Route]:
    """The routes of all features, opened over nothing."""
    private, public = make_vapid_keys()
    push = PushSettings(
        vapid_private_key=SecretStr(private), vapid_public_key=public, vapid_subject="mailto:ops@pushmill.dev"
    )
    notifications = NotificationSettings(notification_table="Notification")
    stored = ObjectsSettings(storage_url="file:///nowhere")
    email = (SmtpSettings(smtp_host="mail.test"), EmailSettings(mail_from="app@app.example"), DeliverySettings())
    values = (
        push,
        SubscriptionSettings(),
        MaintenanceSettings(cache_prefix="cache:"),
        MediaSettings(),
        PlatformSettings(),
        SandboxSettings(),
        stored,
        *email,
        notifications,
        ReachSettings(),
        OutboxSettings(outbox_table="Outbox"),
        DatabaseSettings(database_url="postgresql://app@db/app"),
        SearchSettings(search_url=SecretStr("http://search.test")),
        ExportSettings(),
        AddressSettings(),
    )
    served = Served(
        worker=WorkerSettings(redis_url="redis://unused"),
        queues=QUEUES,
        features=tuple(feature for feature in FEATURES if feature is not BRIDGES),  # for apps without an outbox
        settings={type(each): each for each in values},
    )
    async with AsyncExitStack() as cleanup:
        tools = Tools(
            cast("Any", Nothing()), HttpClient(), MemoryCache(), SharedSandbox(served), lambda _: MemoryAppCache()
        )
        return routes(served, await open_features(served, tools, cleanup))


async def test_every_job_has_its_queue_and_payload() -> None:
    """Names, queues and payloads are those that the app enqueues with."""
    expected: list[tuple[str, str, type[BaseModel]]] = [
        ("push-notification", "push-notifications", PushPayload),
        ("push-batch", "push-notifications", BatchPayload),
        ("push-follow-up", "push-notifications", FollowUpPayload),
        ("process-image", "file-processing", ImagePayload),
        ("process-video", "file-processing", VideoPayload),
        ("optimize-avatar", "file-processing", AvatarPayload),
        ("process-file", "file-processing", FileJob),
        ("FILE_PROCESS", "file-processing", FileJob),
        ("password_reset", "email", EmailPayload),
        ("generic", "email", EmailPayload),
        ("send-email", "email", EmailPayload),
        ("EMAIL_SEND", "email", EmailPayload),
        ("user-notification", "notifications", NotificationPayload),
        ("USER_NOTIFICATION", "notifications", NotificationPayload),
        ("index_doc", "search", IndexPayload),
        ("backfill", "search", BackfillPayload),
        ("data-export", "exports", ExportPayload),
        ("DATA_EXPORT", "exports", ExportPayload),
        ("cache-warm", "maintenance", CacheWarmPayload),
        ("CACHE_WARM", "maintenance", CacheWarmPayload),
        ("cleanup", "maintenance", CleanupPayload),
        ("CLEANUP", "maintenance", CleanupPayload),
        ("housekeeping", "maintenance", HousekeepingPayload),
    ]

    schemas = [route.schema for route in await routes_of_all()]

    assert expected == [(schema.name, schema.queue, schema.payload) for schema in schemas]


async def test_the_registry_takes_the_routes() -> None:
    """A job is found by its name in its own queue only."""
    registry = Registry(await routes_of_all())

    assert registry.find("process-image", "file-processing") is not None
    assert registry.find("process-image", "push-notifications") is None


def test_what_only_the_worker_adds_is_internal() -> None:
    """A follow-up has data that only a run knows; housekeeping has a schedule."""
    assert ["push-follow-up", "housekeeping"] == [job.name for job in JOBS if job.internal]


@pytest.mark.parametrize("job", [job for job in JOBS if job.payload.model_fields], ids=lambda job: job.name)
def test_a_reason_repeats_no_value(job: JobSchema) -> None:
    """It names the fields: reasons are logged, and values are the users'."""
    secret = "zz-holiday-with-ada"
    names: tuple[str, ...] = (
        "fileId",
        "filePath",
        "userId",
        "userIds",
        "all",
        "operation",
        "payload",
        "options",
        "subscriptionIds",
    )
    names += ("title", "url", "metadata", "channels", "email")
    wrong: list[Any] = [secret, f"/{secret}", f"https://{secret}/..", [secret], {"other": secret}, secret * 1000]
    fine = {"fileId": "f1", "filePath": "a/b.jpg", "userId": "u1", "payload": {"title": "t"}, "operation": "resize"}
    fine |= {"title": "t"}
    nested = [{"payload": {key: value}} for key in ("title", "url", "icon", "actions") for value in wrong]
    nested += [
        {"options": {key: value}} for key in ("formats", "quality", "ttl", "urgency", "topic") for value in wrong
    ]
    reasons = [
        _reason(job, fine | change) for change in [*({name: value} for name in names for value in wrong), *nested]
    ]

    assert any(reasons)
    assert [] == [reason for reason in reasons if secret in reason]


def _reason(job: JobSchema, data: dict[str, Any]) -> str:
    """Why it is refused, or nothing."""
    try:
        job.payload.model_validate(data)
    except ValidationError as error:
        return faults(error)
    return ""


async def test_a_package_that_is_missing_is_named() -> None:
    """As where only the packages of pushes are installed, and the variables of e-mail are set."""

    def opened(*_: object) -> Any:
        raise ModuleNotFoundError(name="aiosmtplib")

    feature = Feature(name="email", jobs=(), open=opened)
    served = Served(worker=WorkerSettings(redis_url="redis://unused"), queues=(), features=(feature,), settings={})

    async with AsyncExitStack() as cleanup:
        with pytest.raises(ConfigurationError, match=r"^email: the package of aiosmtplib is not installed"):
            await open_features(served, None, cleanup)
