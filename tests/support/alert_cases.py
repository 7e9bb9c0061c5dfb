"""For each alert rule: series on which it fires and then resolves, a sample a minute, in promtool's notation.

https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

from dataclasses import dataclass, field

PUSHES, FILES = '"push-notifications"', '"file-processing"'


@dataclass(frozen=True, slots=True)
class Case:
    """The alert fires at minute `fires` with `labels` and `summary`, and does not at minute `resolves`.

    A range of Prometheus 3 has not the sample at its very beginning, as one of Prometheus 2 has:
    https://prometheus.io/docs/prometheus/latest/migration/#range-selectors-and-lookback-exclude-samples-coinciding-with-the-left-boundary
    """

    alert: str
    series: dict[str, str]
    fires: int
    resolves: int
    summary: str
    labels: dict[str, str] = field(default_factory=dict)


CASES = (
    Case(
        "PushmillNoReadyWorker",
        {f"pushmill_ready{{queue={FILES}}}": "1x2 0x5 1x5", f"pushmill_ready{{queue={PUSHES}}}": "1x13"},
        fires=6,
        resolves=10,
        labels={"queue": "file-processing"},
        summary="No worker can run jobs of file-processing: its loops, or a server that they need, are away.",
    ),
    Case(
        "PushmillNoReadyWorker",
        {f"pushmill_ready{{queue={FILES}}}": "1x2 stale _x5 1x5"},
        fires=6,
        resolves=10,
        summary="No worker answers its scrapes.",
    ),
    Case(
        "PushmillNoWorker",
        {f"pushmill_workers{{queue={FILES}}}": "1x2 0x5 1x5"},
        fires=6,
        resolves=10,
        labels={"queue": "file-processing"},
        summary="No worker that serves file-processing has reported for a minute.",
    ),
    Case(
        "PushmillNoWorker",
        {
            'pushmill_workers{queue="email"}': "0x13",
            f"pushmill_workers{{queue={PUSHES}}}": "1x13",
            'pushmill_queue_jobs{queue="email",wire="bullmq",state="failed"}': "3x13",
            'pushmill_queue_jobs{queue="email",wire="bullmq",state="waiting"}': "0x2 1x5 0x5",
        },
        fires=6,
        resolves=10,
        labels={"queue": "email"},
        summary="No worker that serves email has reported for a minute.",
    ),
    Case(
        "PushmillNoWorker",
        {
            f"pushmill_workers{{queue={FILES}}}": "1x2 0x5 1x5",
            f"pushmill_workers{{queue={PUSHES}}}": "1x13",
            f'pushmill_queue_jobs{{queue={FILES},wire="bullmq",state="waiting"}}': "0x13",
        },
        fires=6,
        resolves=10,
        labels={"queue": "file-processing"},
        summary="No worker that serves file-processing has reported for a minute.",
    ),
    Case(
        "PushmillQueueNotServed",
        {
            f'pushmill_loop_ready{{queue={FILES},wire="rq"}}': "1x2 0x5 1x5",
            f'pushmill_loop_ready{{queue={FILES},wire="bullmq"}}': "1x13",
        },
        fires=6,
        resolves=10,
        labels={"queue": "file-processing", "wire": "rq"},
        summary="No worker takes jobs of file-processing on rq.",
    ),
    Case(
        "PushmillJobsWaitTooLong",
        {
            f"pushmill_queue_oldest_waiting_seconds{{queue={FILES}}}": "0+60x14 0x5",
            f"pushmill_queue_oldest_waiting_seconds{{queue={PUSHES}}}": "0+60x20",
            f"pushmill_queue_paused{{queue={FILES}}}": "0x20",
            f"pushmill_queue_paused{{queue={PUSHES}}}": "1x20",
        },
        fires=12,
        resolves=16,
        labels={"queue": "file-processing"},
        summary="The next job of file-processing has waited for 12m 0s.",
    ),
    Case(
        "PushmillQueueGrows",
        {f'pushmill_queue_jobs{{queue={PUSHES},wire="bullmq",state="waiting"}}': "0+100x45 4500x40"},
        fires=40,
        resolves=80,
        labels={"queue": "push-notifications", "wire": "bullmq"},
        summary="push-notifications grows faster than its jobs are done.",
    ),
    Case(
        "PushmillSchedulerStopped",
        {f"pushmill_schedulers_stopped{{queue={FILES}}}": "0x2 1x5 0x5"},
        fires=6,
        resolves=10,
        labels={"queue": "file-processing"},
        summary="1 job schedulers of file-processing have stopped. Their jobs no longer run.",
    ),
    Case(
        "PushmillParentsStuck",
        {f"pushmill_parents_stuck{{queue={PUSHES}}}": "0x2 2x8 0x5"},
        fires=9,
        resolves=13,
        labels={"queue": "push-notifications"},
        summary="2 jobs of push-notifications wait for a child that has failed for good.",
    ),
    Case(
        "PushmillDeadLetters",
        {"pushmill_dead_letters": "0x2 3x20"},
        fires=16,
        resolves=19,
        summary="3 jobs have failed for good within 15 minutes.",
    ),
    Case(
        "PushmillJobsFail",
        {
            f'pushmill_jobs_total{{queue={FILES},name="process-image",wire="rq",outcome="retry"}}': "0+3x30 90x30",
            f'pushmill_jobs_total{{queue={FILES},name="process-image",wire="rq",outcome="done"}}': "0+9x60",
        },
        fires=25,
        resolves=50,
        labels={"queue": "file-processing", "name": "process-image"},
        summary="25% of the attempts of process-image fail.",
    ),
    Case(
        "PushmillJobsRecovered",
        {'pushmill_jobs_recovered_total{wire="rq"}': "0x2 2x30"},
        fires=5,
        resolves=20,
        labels={"wire": "rq"},
        summary="A worker went silent. Its jobs are back in their queues.",
    ),
    Case(
        "PushmillJobsRecovered",
        {'pushmill_jobs_recovered_total{wire="rq",instance="new:9464"}': "_x5 2x30"},
        fires=8,
        resolves=25,
        labels={"wire": "rq"},
        summary="A worker went silent. Its jobs are back in their queues.",
    ),
    Case(
        "PushmillJobsLost",
        {f'pushmill_jobs_total{{queue={PUSHES},name="push-batch",wire="rq",outcome="lost"}}': "0x2 6x30"},
        fires=16,
        resolves=20,
        labels={"queue": "push-notifications"},
        summary="Runs of push-notifications outlive their leases, so jobs run twice.",
    ),
    Case(
        "PushmillPushRefused",
        {
            'pushmill_push_results_total{name="push-batch",service="google",result="configuration"}': "0+8x30 240x30",
            'pushmill_push_results_total{name="push-batch",service="google",result="sent"}': "0+2x60",
            'pushmill_push_results_total{name="push-batch",service="apple",result="sent"}': "0+2x60",
        },
        fires=25,
        resolves=50,
        labels={"service": "google"},
        summary="google refuses this server: VAPID keys, subject, or clock.",
    ),
    Case(
        "PushmillMailRefused",
        {'pushmill_mail_results_total{name="generic",result="refused"}': "0x2 1 2 3x40"},
        fires=8,
        resolves=25,
        summary="The mail server refuses this worker: user, password, TLS or plan. Mails wait, for a day at most.",
    ),
    Case(
        "PushmillMailBounces",
        {
            'pushmill_mail_results_total{name="generic",result="rejected"}': "0x2 40x70",
            'pushmill_mail_results_total{name="generic",result="sent"}': "0x2 160x70",
        },
        fires=61,
        resolves=64,
        summary="20% of the recipients of mails were rejected within the hour.",
    ),
    Case(
        "PushmillSearchRefused",
        {'pushmill_search_documents_total{name="index_doc",result="refused"}': "0x2 1 2 3x40"},
        fires=8,
        resolves=25,
        summary="The search engine refuses this worker: SEARCH_URL, its user or its rights. Documents wait.",
    ),
    Case(
        "PushmillSearchLost",
        {'pushmill_search_documents_total{name="backfill",result="lost"}': "0x2 4x70"},
        fires=3,
        resolves=65,
        summary="4 documents are missing in the search engine after a backfill.",
    ),
    Case(
        "PushmillManyGone",
        {
            'pushmill_push_results_total{name="push-batch",service="google",result="gone"}': "0x2 120x70",
            'pushmill_push_results_total{name="push-batch",service="google",result="sent"}': "0x2 180x70",
        },
        fires=61,
        resolves=64,
        labels={"service": "google"},
        summary="40% of the subscriptions at google are gone.",
    ),
    Case(
        "PushmillUnusableSubscriptions",
        {
            'pushmill_push_results_total{name="push-batch",service="google",result="unreadableKeys"}': "0x2 8x70",
            'pushmill_push_results_total{name="push-notification",service="apple",result="unreadableKeys"}': "0x2 8x70",
            'pushmill_push_results_total{name="push-batch",service="refused",result="refusedEndpoint"}': "0x2 9x70",
            'pushmill_push_results_total{name="push-batch",service="google",result="gone"}': "0x2 120x70",
        },
        fires=61,
        resolves=64,
        labels={"result": "unreadableKeys"},
        summary="16 pushes could not be sent within an hour: unreadableKeys. The rows are kept.",
    ),
    Case(
        "PushmillRedisAway",
        {"pushmill_redis_up": "1x2 0x5 1x5", 'pushmill_server_up{server="redis"}': "1x13"},
        fires=6,
        resolves=10,
        summary="Redis does not answer. No job is enqueued or run.",
    ),
    Case(
        "PushmillRedisAway",
        {"pushmill_redis_up": "1x13", 'pushmill_server_up{server="redis"}': "1x2 0x5 1x5"},
        fires=6,
        resolves=10,
        summary="Redis does not answer. No job is enqueued or run.",
    ),
    Case(
        "PushmillRedisRefuses",
        {
            'pushmill_redis_trouble{trouble="full"}': "0x2 1x5 0x5",
            'pushmill_redis_trouble{trouble="away"}': "0x2 1x10",
        },
        fires=6,
        resolves=10,
        labels={"trouble": "full"},
        summary="Redis answers but refuses commands: full.",
    ),
    Case(
        "PushmillRedisRefuses",
        {'pushmill_redis_trouble{trouble="outdated"}': "0x2 1x5 0x5"},
        fires=6,
        resolves=10,
        labels={"trouble": "outdated"},
        summary="The app's bullmq is older than 5: no worker takes BullMQ's jobs.",
    ),
    Case(
        "PushmillRedisLostData",
        {'pushmill_worker_faults{event="redis_lost_data"}': "0x2 1x5 0x5"},
        fires=6,
        resolves=10,
        summary="Redis has lost data. Waiting jobs are gone.",
    ),
    Case(
        "PushmillRedisFlaps",
        {f'pushmill_broker_outages_total{{queue={PUSHES},wire="rq"}}': "0 1 2 3 4x70"},
        fires=60,
        resolves=70,
        labels={"queue": "push-notifications", "wire": "rq"},
        summary="Redis has gone away several times within the hour.",
    ),
    Case(
        "PushmillServerAway",
        {'pushmill_server_up{server="storage"}': "1x2 0x5 1x5", 'pushmill_server_up{server="database"}': "1x13"},
        fires=6,
        resolves=10,
        labels={"server": "storage"},
        summary="storage does not answer or refuses the workers. Jobs that need it are put off.",
    ),
    Case(
        "PushmillDisk",
        {
            'pushmill_server_up{server="disk",instance="w:9464"}': "1x2 0x5 1x5",
            'pushmill_server_up{server="disk",instance="v:9464"}': "1x13",
        },
        fires=6,
        resolves=10,
        labels={"instance": "w:9464"},
        summary=(
            "The temporary directory of w:9464 is full or can't be written. "
            "This worker takes no file jobs and no exports."
        ),
    ),
    Case(
        "PushmillLoopLags",
        {
            'pushmill_event_loop_lag_seconds_bucket{instance="w:9464",le="0.5"}': "0+50x20 1000+60x30",
            'pushmill_event_loop_lag_seconds_bucket{instance="w:9464",le="1.0"}': "0+60x50",
            'pushmill_event_loop_lag_seconds_bucket{instance="w:9464",le="+Inf"}': "0+60x50",
        },
        fires=18,
        resolves=30,
        labels={"instance": "w:9464"},
        summary="The event loop of w:9464 is late by 970ms.",
    ),
    Case(
        "PushmillOutboxStands",
        {
            'pushmill_outbox_oldest_seconds{instance="w:9464"}': "0x2 61 121 181 241 0x9",
            'pushmill_outbox_oldest_seconds{instance="w:9465"}': "0x15",
        },
        fires=6,
        resolves=9,
        summary="A row of the outbox has waited for 4m 1s.",
    ),
    Case(
        "PushmillOutboxBadRows",
        {'pushmill_outbox_bad_rows{instance="w:9464"}': "0x2 3x3 0x9"},
        fires=4,
        resolves=8,
        summary="Rows of the outbox that can't be published: 3.",
    ),
    Case(
        "PushmillBridgeLoses",
        {'pushmill_bridge_lost_total{reason="bad"}': "0x2 15x30", 'pushmill_bridge_lost_total{reason="away"}': "0x33"},
        fires=4,
        resolves=22,
        labels={"reason": "bad"},
        summary="Messages that became no job (bad): 15.",
    ),
    Case(
        "PushmillMemory",
        {'pushmill_tree_memory_bytes{instance="w:9464"}': "524288000x8 104857600x5"},
        fires=7,
        resolves=10,
        labels={"instance": "w:9464"},
        summary="w:9464 uses 500MiB of memory.",
    ),
    Case(
        "PushmillFault",
        {
            'pushmill_faults_total{event="api_fault"}': "0x2 1x30",
            'pushmill_worker_faults{event="loop_ended"}': "0x33",
        },
        fires=5,
        resolves=20,
        labels={"event": "api_fault"},
        summary="A fault of Pushmill's own: api_fault.",
    ),
    Case(
        "PushmillFault",
        {
            'pushmill_faults_total{event="api_fault"}': "0x33",
            'pushmill_worker_faults{event="loop_ended"}': "0x2 1x14 0x5",
        },
        fires=5,
        resolves=20,
        labels={"event": "loop_ended"},
        summary="A fault of Pushmill's own: loop_ended.",
    ),
)
