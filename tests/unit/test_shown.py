"""What features show of their jobs: pictures, links and words, and no address that the environment does not name."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.email.shown import LONGEST, words_of
from processors.features import FEATURES
from queue_lib.admin.ports import JobView
from queue_lib.feature import jobs_of
from queue_lib.job import State, Wire
from queue_lib.serving import showings_of
from queue_lib.shown import Facts, Link, Part, Picture, Table, Text, Words
from queue_lib.web.dashboard.showing import is_below, parts_of, pictures_of, policy_with
from queue_lib.web.headers import POLICY
from storage.objects.places import expires_at, public_places
from storage.settings import ObjectsSettings
from tests.support.odd_values import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

JOBS = {job.name: job for job in jobs_of(FEATURES)}
CDN = "https://cdn.example/app"
IMAGE: dict[str, Any] = {
    "compressedUrl": f"{CDN}/a.jpg",
    "thumbnailUrl": f"{CDN}/a-thumb.jpg",
    "width": 1600,
    "height": 1200,
    "bytes": 90_000,
    "format": "jpeg",
    "blurhash": "L",
    "dominantColor": "#aabbcc",
    "animation": None,
    "variants": [],
}
VIDEO: dict[str, Any] = {
    "url": f"{CDN}/a.mp4",
    "posterUrl": f"{CDN}/a.jpg",
    "duration": 3.5,
    "width": 640,
    "height": 360,
    "bytes": 9,
    "codec": "h264",
    "audio": None,
    "truncated": False,
    "remuxed": False,
    "toneMapped": False,
    "soundDropped": False,
}
AVATAR = {"urls": {"32": {"jpeg": f"{CDN}/32.jpg"}, "128": {"webp": f"{CDN}/128.webp", "jpeg": f"{CDN}/128.jpg"}}}
AVATAR |= {"blurhash": "L", "dominantColor": "#aabbcc", "animation": None}  # type: ignore[dict-item]
FILE = {"operation": "resize", "url": f"{CDN}/a.webp", "format": "webp", "width": 4, "height": 3, "bytes": 9}
FILE |= {"animation": None}
TEXT = {"operation": "extract_text", "textUrl": f"{CDN}/a.txt", "kind": "pdf", "characters": 9000, "pages": 3}
TEXT |= {"pagesWithoutText": 0, "truncated": False, "bytes": 9}
EXPORT = {"url": f"{CDN}/exports/a.csv", "key": "exports/a.csv", "rows": 1200, "bytes": 90_000, "sha256": "ab"}
MAIL = {
    "to": ["Ada <ada@example.com>", "bob@example.com"],
    "subject": "Hi",
    "html": "<style>p{}</style><p>Hello &amp; bye",
}


def job_of(name: str, data: Any = None, result: Any = None) -> JobView:
    """A completed job."""
    return JobView(
        id="1",
        name=name,
        queue=JOBS[name].queue,
        wire=Wire.BULLMQ,
        state=State.COMPLETED,
        data=data,
        attempts_made=1,
        result=result,
    )


@pytest.fixture
def cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a store with a public address."""
    monkeypatch.setenv("STORAGE_URL", "s3://bucket/app")
    monkeypatch.setenv("STORAGE_PUBLIC_BASE_URL", CDN)


def shown(name: str, data: Any = None, result: Any = None) -> list[Part]:
    """What is shown of a job."""
    return parts_of(job_of(name, data, result), showings_of(FEATURES))


def pictures(parts: Sequence[Part]) -> list[str]:
    """The addresses of pictures and links."""
    return [part.url for part in parts if isinstance(part, (Picture, Link))]


@pytest.mark.usefixtures("cdn")
@pytest.mark.parametrize(
    ("name", "result", "addresses"),
    [
        ("process-image", IMAGE, [f"{CDN}/a-thumb.jpg", f"{CDN}/a.jpg"]),
        ("process-video", VIDEO, [f"{CDN}/a.jpg", f"{CDN}/a.mp4"]),
        ("optimize-avatar", AVATAR, [f"{CDN}/128.webp"]),
        ("process-file", FILE, [f"{CDN}/a.webp"]),
        ("process-file", TEXT, [f"{CDN}/a.txt"]),
    ],
)
def test_a_job_of_media_shows_its_picture(name: str, result: Any, addresses: list[str]) -> None:
    """From its result; a job that has none yet shows nothing."""
    assert addresses == pictures(shown(name, result=result))
    assert [] == shown(name)


@pytest.mark.usefixtures("cdn")
@pytest.mark.parametrize(
    "address",
    [
        *("https://evil.example/a.jpg", "http://cdn.example/app/a.jpg", "https://cdn.example.evil.example/app/a.jpg"),
        *("https://cdn.example/apple/a.jpg", "https://cdn.example/app/../x.jpg", "https://cdn.example/app/%2E%2e/x"),
        *("javascript:alert(1)", "data:image/png;base64,AA", "//cdn.example/app/a.jpg", "/admin/queues/job/remove"),
        *("https://cdn.example\\@evil.example/app/", "https://u:p@cdn.example/app/a", f"{CDN}/a b", f"{CDN}/a\n", ""),
        *(f'{CDN}/"><script>', f"{CDN}/a#x", f"{CDN}/{'a' * 5000}", "https://cdn.example:x/app/a", f"{CDN}"),
    ],
)
def test_no_other_address_is_shown(address: str) -> None:
    """A result is what anyone with the Redis URL writes: it makes no browser ask a host of its own choice."""
    parts = shown("process-image", result=IMAGE | {"thumbnailUrl": address, "compressedUrl": address})
    assert [] == pictures(parts)
    assert POLICY == policy_with(pictures_of(parts))
    assert 2 == sum("not shown" in part.text for part in parts if isinstance(part, Words))


def test_without_the_settings_of_the_store_no_picture_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And settings that a worker would refuse count as none: the dashboard is there to say what is wrong."""
    assert [] == pictures(shown("process-image", result=IMAGE))
    monkeypatch.setenv("STORAGE_URL", "ftp://bucket")
    assert [] == pictures(shown("process-image", result=IMAGE))


@pytest.mark.usefixtures("cdn")
def test_the_policy_allows_the_pictures_of_the_page_alone() -> None:
    """By their paths; what would end a source of a policy is encoded."""
    [picture, *_] = shown("process-image", result=IMAGE | {"thumbnailUrl": f"{CDN}/a;b,c.jpg?v=1"})
    policy = policy_with(pictures_of([picture]))
    assert "img-src 'self' https://cdn.example/app/a%3Bb%2Cc.jpg; connect-src" in policy
    assert policy.replace(" https://cdn.example/app/a%3Bb%2Cc.jpg", "") == POLICY


@pytest.mark.parametrize(
    ("settings", "url", "is_ours"),
    [
        ({}, "https://bucket.s3.eu-central-1.amazonaws.com/app/a.jpg", True),
        ({}, "https://s3.eu-central-1.amazonaws.com/bucket/app/a.jpg", True),
        ({}, "https://bucket.s3.amazonaws.com/app/a.jpg?X-Amz-Signature=1", True),
        ({}, "https://other.s3.amazonaws.com/app/a.jpg", False),
        ({}, "https://bucket.s3.evil.example/app/a.jpg", False),
        ({}, "https://bucket.s3.a.b.amazonaws.com/app/a.jpg", False),
        ({}, "https://bucket.s3.amazonaws.com/a.jpg", False),
        ({"s3_endpoint_url": "http://minio:9000"}, "http://minio:9000/bucket/app/a.jpg", True),
        ({"s3_endpoint_url": "http://minio:9000"}, "http://bucket.minio:9000/app/a.jpg", True),
        ({"s3_endpoint_url": "http://minio:9000"}, "https://bucket.s3.amazonaws.com/app/a.jpg", False),
        ({"storage_url": "file:///srv"}, "file:///srv/a.jpg", False),
        ({"storage_url": "file:///srv", "storage_public_base_url": "http://x/f"}, "http://x/f/a.jpg", True),
    ],
)
def test_where_objects_are(settings: dict[str, Any], url: str, is_ours: bool) -> None:
    """Public and signed addresses of the bucket, and no others."""
    given = ObjectsSettings(**({"storage_url": "s3://bucket/app"} | settings))
    assert is_ours is is_below(url, public_places(given))


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("X-Amz-Date=20261130T120000Z&X-Amz-Expires=3600", 1_796_043_600.0),
        ("Expires=1796043600&Signature=x", 1_796_043_600.0),
        *(("", None), ("X-Amz-Date=20269930T120000Z&X-Amz-Expires=1", None), ("Expires=-1", None), ("Expires=٣", None)),
        ("&" * 100 + "a=b" * 60, None),
    ],
)
def test_when_an_address_expires(query: str, at: float | None) -> None:
    """As its signature says."""
    assert at == expires_at(f"https://bucket.s3.amazonaws.com/a?{query}")


@pytest.mark.usefixtures("cdn")
def test_an_address_that_has_expired_is_told() -> None:
    """In place of a broken picture."""
    for left, kind in ((60, Picture), (-60, Words)):
        url = f"{CDN}/a.jpg?Expires={time.time() + left:.0f}"
        assert isinstance(shown("process-image", result=IMAGE | {"thumbnailUrl": url})[0], kind)


def test_what_became_of_a_mail() -> None:
    """Each recipient by itself, and the words of the html without its markup."""
    refused = {"address": "bob@example.com", "code": 550, "enhanced": "5.1.1", "message": "unknown user"}
    result = {"messageId": "<1@x>", "accepted": ["ada@example.com"], "rejected": [refused], "suppressed": ["eve@x.org"]}
    table, facts, text = shown("generic", MAIL, result)

    assert isinstance(table, Table)
    assert [
        ("ada@example.com", "taken by the server"),
        ("bob@example.com", "refused: 550 5.1.1 unknown user"),
        ("eve@x.org", "not sent: EMAIL_SUPPRESSION_TABLE names it"),
    ] == table.rows
    assert facts == Facts({"From": "MAIL_FROM", "To": "Ada <ada@example.com>, bob@example.com", "Subject": "Hi"})
    assert text == Text("Words of the html", "Hello & bye")
    [told, *_] = shown("generic", MAIL, {"messageId": "<1@x>", "skipped": "cancelled"})
    assert told == Words("Nothing was sent: its cancelKey was cancelled.")


@pytest.mark.parametrize("part", ["<", "<style>", "<p", "&", "</", "<script><", "<title>x</title>", "a < b "])
def test_html_of_any_kind_is_read_in_time(part: str) -> None:
    """As far as it is read, in one pass."""
    start = time.process_time()
    assert len(words_of(part * (LONGEST // len(part)))) <= LONGEST
    assert time.process_time() - start < 5


def test_the_counts_of_a_push_in_words() -> None:
    """Those that are not zero, and the answers of each service."""
    result = {"sent": 2, "pruned": 1, "total": 3, "origins": {"https://fcm": {"sent": 2}, "https://x": {"gone": 1}}}
    words, table, facts = shown("push-notification", {"userId": "u", "payload": {"title": "Ada", "body": "Hi"}}, result)
    assert words == Words("Of 3 subscriptions: 2 sent; 1 gone, and their rows are removed or switched off.")
    assert isinstance(table, Table)
    assert [("https://fcm", "sent 2"), ("https://x", "gone 1")] == table.rows
    assert facts == Facts({"Title": "Ada", "Body": "Hi"})
    assert [Words("It had no subscription to send to.")] == shown("push-notification", result={})


def test_what_became_of_a_document() -> None:
    """And of a backfill, with the rows that failed."""
    data = {"entity": "post", "id": 7}
    assert [
        Words("The index posts has a newer version, and keeps it."),
        Facts({"Entity": "post", "Row": "7", "Action": "upsert"}),
    ] == shown("index_doc", data, {"index": "posts", "id": "7", "result": "stale"})
    parts = shown("backfill", {"entity": "post"}, {"index": "posts", "indexed": 9000, "failed": 1, "failedIds": ["x"]})
    assert parts[0] == Words("9,000 rows are in the index posts; 1 failed.")
    assert parts[2] == Table("Rows that failed", ("Id",), [("x",)])


@pytest.mark.usefixtures("cdn")
def test_the_link_of_an_export() -> None:
    """While it is valid, with what is in the file."""
    link, facts, asked = shown("data-export", {"exportType": "csv", "name": "orders"}, EXPORT)
    assert link == Link(f"{CDN}/exports/a.csv", "The file")
    assert facts == Facts({"Rows": "1,200", "Bytes": "90,000", "The link expires": "never", "SHA-256": "ab"})
    assert asked == Facts({"Type": "csv", "Of": "orders"})
    [gone, *_] = shown("data-export", result=EXPORT | {"url": f"{CDN}/a.csv?Expires=1"})
    assert gone == Words("The file: its link has expired.")


def test_whom_a_notification_told() -> None:
    """In words, and what it says."""
    parts = shown("user-notification", {"userId": "u", "title": "Hi"}, {"created": 1, "muted": 2})
    assert parts[0] == Words("1 added as rows; 2 users do not want it in the app.")
    assert isinstance(parts[1], Facts)
    assert "Hi" == parts[1].facts["Title"]
    assert [Words("Nobody was told.")] == shown("user-notification", result={})


def test_a_job_in_another_queue_is_not_the_features() -> None:
    """Its name alone does not say what its data is."""
    job = replace(job_of("process-image", result=IMAGE), queue="other")
    assert [] == parts_of(job, showings_of(FEATURES))


GOOD: list[tuple[str, Any, Any]] = [
    *(("process-image", {}, IMAGE), ("process-video", {}, VIDEO), ("optimize-avatar", {}, AVATAR)),
    *(("process-file", {}, FILE), ("process-file", {}, TEXT), ("generic", MAIL, {"messageId": "1"})),
    *(("push-notification", {"userId": "u", "payload": {"title": "t", "body": "b"}}, {"sent": 1}),),
    *(
        ("data-export", {"exportType": "csv"}, EXPORT),
        ("user-notification", {"userId": "u", "title": "t"}, {"muted": 1}),
    ),
    *(("index_doc", {"entity": "post", "id": 7}, {"index": "posts", "id": "7", "result": "stale"}),),
]
SHOWINGS = showings_of(FEATURES)


@given(good=st.sampled_from(GOOD), field=st.integers(0, 30), odd=JSON, whole=st.booleans())
def test_nothing_in_redis_breaks_what_is_shown(good: tuple[str, Any, Any], field: int, odd: Any, whole: bool) -> None:
    """Any value in any field, or in place of all of them: each part has texts, and nothing is raised."""
    name, data, result = good
    if whole:
        data, result = odd, odd
    else:
        keys = sorted(result)
        result = result | {keys[field % len(keys)]: odd}
    for part in parts_of(job_of(name, data, result), SHOWINGS):
        values = [getattr(part, each.name) for each in fields(part)]
        if isinstance(part, Facts):
            values = list(part.facts.values())
        elif isinstance(part, Table):
            assert all(len(row) == len(part.columns) for row in part.rows)
            values = [cell for row in part.rows for cell in row]
        assert all(isinstance(value, str) for value in values)
