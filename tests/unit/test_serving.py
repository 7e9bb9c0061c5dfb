"""Which features and queues a process serves, by its environment."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from structlog.testing import capture_logs

from processors.features import FEATURES
from queue_lib.bridge import Bridge
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Feature, Opened, Served, jobs_of
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema, Model
from queue_lib.queues import DAY, Profile, Queue, Retention
from queue_lib.serving import choose, shares, tell_of_misspelt, tell_what_is_served
from queue_lib.settings import QueueChoice, Reading, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Shared(BaseSettings):
    """Settings that both features read."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    shop_database: str = Field(description="Where the shop is.")


class Letters(BaseSettings):
    """Settings that one feature reads alone."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True)

    smtp_key: SecretStr = Field(min_length=8, description="A secret.")
    smtp_host: str = Field("localhost", description="A host.")


@asynccontextmanager
async def opened(_served: Served, _tools: Any) -> AsyncIterator[Opened]:
    """Stands for a feature's `open`, which is never called here."""
    yield Opened(processors={})


def queue(name: str, profile: Profile) -> Queue:
    """A queue of this name."""
    return Queue(
        name=name,
        profile=profile,
        concurrency=2,
        rate_max=10,
        attempts=3,
        backoff=Backoff((1.0, 9.0)),
        timeout=60.0,
        keep_completed=Retention(DAY),
    )


def feature(name: str, *queues: Queue, **fields: Any) -> Feature:
    """A feature with a job for each queue."""
    jobs = tuple(JobSchema(f"{name}-{number}", each.name, Model) for number, each in enumerate(queues))
    return Feature(name=name, queues=queues, jobs=jobs, open=opened, **fields)


MAIL = feature("mail", queue("letters", "light"), settings=(Letters,), shared_settings=(Shared,))
VIDEOS = feature("videos", queue("videos", "heavy"), queue("posters", "medium"), shared_settings=(Shared,))
ALL = (MAIL, VIDEOS)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Only the test's own variables: nothing from the machine, no `.env`."""
    monkeypatch.chdir(str(tmp_path))
    models = (WorkerSettings, QueueChoice, Shared, Letters)
    for name in (name for model in models for name in model.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379")
    monkeypatch.setenv("SHOP_DATABASE", "here")


def faults() -> tuple[str, ...]:
    """The lines that the process ends with."""
    with pytest.raises(ConfigurationError) as caught:
        choose(ALL)
    assert "s3cret" not in str(caught.value)
    return caught.value.faults


def served() -> tuple[list[str], list[str]]:
    """The names of features and queues."""
    chosen = choose(ALL)
    return [feature.name for feature in chosen.features], [queue.name for queue in chosen.queues]


def test_a_feature_without_jobs_is_served_where_it_is_configured_whatever_the_queues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the first process of a worker alone, with the bridges of all features that are configured."""
    bridge = Bridge("message.*", "mail-0", lambda event: {"id": event.aggregate_id})
    other = Bridge("video.*", "videos-0", lambda _: None)
    publisher, mail = Feature(name="publisher", settings=(Letters,), open=opened), replace(MAIL, bridges=(bridge,))
    features = (publisher, mail, replace(VIDEOS, bridges=(other,)))
    monkeypatch.setenv("SHOP_DATABASE", "x")
    monkeypatch.setenv("QUEUES", "videos")

    assert ("videos",) == tuple(feature.name for feature in choose(features).features)
    monkeypatch.setenv("SMTP_KEY", "12345678")
    monkeypatch.setenv("VIDEOS_PROCESSES", "2")
    served = choose(features)

    assert ("videos", "publisher") == tuple(feature.name for feature in served.features)
    assert (bridge, other) == served.bridges
    assert [["videos", "publisher"], ["videos"]] == [[each.name for each in share.features] for share in shares(served)]


def test_a_bridge_to_a_job_that_there_is_not_is_refused() -> None:
    """At the start, in a line with its feature."""
    mail = replace(MAIL, bridges=(Bridge("message.*", "mial-0", lambda _: None),))

    with pytest.raises(ConfigurationError, match=r"the bridge of 'message\.\*' of mail: no such job: 'mial-0'"):
        choose((mail, VIDEOS))


def test_configured_features_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feature with a required variable needs one of its own to be set; one without any is always served."""
    assert (["videos"], ["videos", "posters"]) == served()
    assert ("mail",) == choose(ALL).not_configured

    monkeypatch.setenv("SMTP_KEY", "s3cret-s3cret")
    assert (["mail", "videos"], ["letters", "videos", "posters"]) == served()
    assert () == choose(ALL).not_configured


@pytest.mark.parametrize("name", ["SMTP_HOST", "LETTERS_CONCURRENCY"])
def test_a_half_configured_feature_is_a_fault(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A variable of a feature, or of its queue, means that the feature is wanted."""
    monkeypatch.setenv(name, "7")

    assert ("SMTP_KEY: not set, and required",) == faults()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hosts can't remove a variable."""
    monkeypatch.setenv("SMTP_HOST", "")

    assert (["videos"], ["videos", "posters"]) == served()


def test_only_settings_of_served_features_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of one feature needs no variable of another, and no fault there stops it."""
    monkeypatch.setenv("QUEUES", "posters")
    monkeypatch.setenv("SMTP_KEY", "short")
    monkeypatch.setenv("LETTERS_CONCURRENCY", "none")

    chosen = choose(ALL)

    assert (["videos"], ["posters"]) == served()
    assert "here" == chosen.of(Shared).shop_database
    assert chosen.find(Letters) is None
    with pytest.raises(LookupError, match="Letters was not read"):
        chosen.of(Letters)


def test_a_queue_that_is_named_must_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that its features need must be set."""
    monkeypatch.setenv("QUEUES", "letters,posters")

    assert ("SMTP_KEY: not set, and required",) == faults()


def test_without_any_settings_all_missing_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a first start."""
    monkeypatch.delenv("SHOP_DATABASE")
    with pytest.raises(ConfigurationError) as caught:
        choose([MAIL])

    assert ("SMTP_KEY: not set, and required", "SHOP_DATABASE: not set, and required") == caught.value.faults


@pytest.mark.parametrize(
    ("given", "queues"),
    [
        ("light", ["letters"]),
        ("heavy", ["videos"]),
        ("light, medium", ["letters", "posters"]),
        ("all", ["letters", "videos", "posters"]),
        ("all,light", ["letters", "videos", "posters"]),
    ],
)
def test_worker_type_chooses_by_what_jobs_cost(monkeypatch: pytest.MonkeyPatch, given: str, queues: list[str]) -> None:
    """The queues' rows have the cost."""
    monkeypatch.setenv("WORKER_TYPE", given)
    monkeypatch.setenv("SMTP_KEY", "s3cret-s3cret")

    assert queues == served()[1]


def test_queues_wins_over_worker_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named queues are served, whatever their cost."""
    monkeypatch.setenv("WORKER_TYPE", "light")
    monkeypatch.setenv("QUEUES", "videos")

    assert (["videos"], ["videos"]) == served()


def test_a_type_that_no_queue_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused, because such a worker would never work."""
    monkeypatch.setenv("WORKER_TYPE", "medium")
    with pytest.raises(ConfigurationError, match="WORKER_TYPE: no queue is medium; name another type, or leave it out"):
        choose([MAIL])

    monkeypatch.setenv("WORKER_TYPE", "huge")
    assert "WORKER_TYPE" == faults()[0].split(":")[0]


@pytest.mark.parametrize("given", [" ", ",", "ALL", " , "])
def test_worker_type_may_be_blank_or_in_capitals(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """As QUEUES may be blank, and LOG_LEVEL in capitals."""
    monkeypatch.setenv("WORKER_TYPE", given)

    assert ["videos", "posters"] == served()[1]


def test_a_wrong_type_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lists the types."""
    monkeypatch.setenv("WORKER_TYPE", "huge")

    assert ("WORKER_TYPE: Input should be 'light', 'medium', 'heavy' or 'all'",) == faults()


@pytest.mark.parametrize("given", ["video", "videos,video"])
def test_a_queue_that_is_misspelt_is_the_only_fault(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Features without settings report no fault."""
    monkeypatch.setenv("QUEUES", given)

    assert ("QUEUES: no such queue: video; there are letters, videos, posters",) == faults()


def test_a_queue_without_jobs_is_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not served, whatever else is."""
    idle = feature("idle", queue("idle", "light"))
    monkeypatch.setenv("QUEUES", "videos,idle")
    with pytest.raises(ConfigurationError) as caught:
        choose([*ALL, replace(idle, jobs=())])

    assert ("QUEUES: no job belongs in the queue idle",) == caught.value.faults


def test_own_jobs_that_can_not_be_read_are_the_only_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """QUEUES may name one of their queues; features without settings report no fault."""
    monkeypatch.setenv("QUEUES", "theirs")
    reading = Reading()
    reading.faults = ["JOBS: jobs: No module named 'jobs'"]
    with pytest.raises(ConfigurationError) as caught:
        choose([MAIL], reading)

    assert ("JOBS: jobs: No module named 'jobs'",) == caught.value.faults


def test_every_number_of_a_queue_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`<QUEUE>_...` overrides one number of one queue; the others are the manifest's."""
    values = {"CONCURRENCY": "9", "RATE_MAX": "0", "RATE_DURATION": "0.5", "ATTEMPTS": "4", "BACKOFF": "1.5"}
    for name, value in (values | {"TIMEOUT": "42"}).items():
        monkeypatch.setenv(f"VIDEOS_{name}", value)
    videos, posters = choose(ALL).queues

    assert (9, 0, 0.5) == (videos.concurrency, videos.rate_max, videos.rate_duration)
    assert (4, 42.0, Backoff((1.5,))) == (videos.attempts, videos.timeout, videos.backoff)
    assert VIDEOS.queues[1] == posters


def test_each_process_has_its_queues_and_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has the features of its queues alone."""
    monkeypatch.setenv("LETTERS_PROCESSES", "3")
    monkeypatch.setenv("VIDEOS_PROCESSES", "2")
    monkeypatch.setenv("SMTP_KEY", "s3cret-s3cret")
    monkeypatch.setenv("METRICS_PORT", "9464")
    loaded = shares(choose(ALL))

    expected = [["letters", "videos", "posters"], ["letters", "videos"], ["letters"]]
    assert expected == [[queue.name for queue in share.queues] for share in loaded]
    assert [["mail", "videos"]] * 2 + [["mail"]] == [[feature.name for feature in share.features] for share in loaded]
    assert [9464, 9465, 9466] == [share.worker.metrics_port for share in loaded]


def test_one_process_serves_all_chosen_queues() -> None:
    """By default there is one, for all queues, without a port."""
    chosen = choose(ALL)

    assert [chosen] == shares(chosen)


def test_all_faults_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is a line that begins with its variable; no value is repeated, because it may be a secret."""
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("LOG_LEVEL", "s3cret")
    monkeypatch.setenv("QUEUES", "email")
    monkeypatch.setenv("SMTP_KEY", "s3cret")
    monkeypatch.setenv("VIDEOS_CONCURRENCY", "0")
    monkeypatch.setenv("POSTERS_RATE_MAX", "many")

    names = [fault.split(":")[0] for fault in faults()]

    assert ["REDIS_URL", "LOG_LEVEL", "QUEUES", "SMTP_KEY", "VIDEOS_CONCURRENCY", "POSTERS_RATE_MAX"] == names
    assert "QUEUES: no such queue: email; there are letters, videos, posters" in faults()


def test_names_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two features with one queue, or one job, would each get half of the other's jobs."""
    again = feature("again", queue("letters", "light"))
    with pytest.raises(ConfigurationError, match="the queue name 'letters' is taken: it is there 2 times"):
        choose([MAIL, again])
    other = Feature(name="other", jobs=(JobSchema("mail-0", "letters", Model),), open=opened)
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError, match=r"LOG_LEVEL: .*\n.*'mail-0' is taken"):
        choose([MAIL, other])
    with pytest.raises(ConfigurationError, match="the job name 'mail-0' is taken: it is there 2 times"):
        choose([MAIL, other])
    with pytest.raises(ConfigurationError, match="the job 'mail-0' belongs in the queue 'letters', and there is none"):
        jobs_of([other])


def test_a_feature_may_have_jobs_in_the_queue_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is served where that queue is."""
    other = Feature(name="other", jobs=(JobSchema("other", "posters", Model),), open=opened)
    monkeypatch.setenv("QUEUES", "posters")

    assert ["videos", "other"] == [feature.name for feature in choose([*ALL, other]).features]


def test_one_line_says_what_is_served() -> None:
    """It also says what is not, and why."""
    with capture_logs() as lines:
        tell_what_is_served(choose(ALL))

    assert [
        {
            "event": "serving",
            "log_level": "info",
            "features": ["videos"],
            "queues": ["videos", "posters"],
            "worker_type": ["all"],
            "not_configured": ["mail"],
        }
    ] == lines


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name that is meant, unless that one is set as well; the app's own variables are unlike ours."""
    for name in ("PUSH_NOTIFICATIONS_CONCURENCY", "LEASE_DURATON", "QUEUE", "NEXT_PUBLIC_SENTRY_DSN", "WIRE", "PORTS"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("REDIS_URLS", "s3cret")  # REDIS_URL is set
    with capture_logs() as lines:
        tell_of_misspelt(FEATURES, WorkerSettings, QueueChoice)

    assert [
        ("LEASE_DURATON", "LEASE_DURATION"),
        ("PUSH_NOTIFICATIONS_CONCURENCY", "PUSH_NOTIFICATIONS_CONCURRENCY"),
        ("QUEUE", "QUEUES"),
    ] == [(line["name"], line["meant"]) for line in lines]
