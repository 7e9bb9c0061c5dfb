"""Scripts of an app that use `QueueService` of `pushmill/bullmq`; Node runs them (`node_app`)."""

from __future__ import annotations

import json
from typing import Any

OPEN = """
import { JobFailedError, queueService, QueueService, RedisError } from "pushmill/bullmq";
const timeout = Number(process.env.TIMEOUT ?? 60000);
const queues = new QueueService({ connection: { url: process.env.REDIS_URL }, timeout });
const fault = (error) => [error.name, error.message, error.mayBeDone];
"""
IMAGE = {"fileId": "file-1", "filePath": "uploads/file-1.png", "userId": "user-1"}


def script(body: str, **values: Any) -> str:
    """The body after the imports, with these constants."""
    return OPEN + "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items()) + body
