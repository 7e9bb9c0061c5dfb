"""Pushmill's exceptions. The class says whether another attempt can help."""

from __future__ import annotations

import enum


class PushmillError(Exception):
    """Base of the exceptions that Pushmill raises on purpose."""


class ConfigurationError(PushmillError):
    """The process can't start with these settings. The message has one line for each fault, with its variable."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Trouble(enum.Enum):
    """What is wrong with the broker's server, without its address. Only a server that does not answer is AWAY."""

    AWAY = "Redis can't be reached"
    LOADING = "Redis is loading its data"
    FULL = "Redis is full (maxmemory)"
    REPLICA = "Redis is a replica, and takes no writes"
    UNSAVED = "Redis can't save its data, and takes no writes"
    LONELY = "Redis has too few replicas, and takes no writes"
    BUSY = "Redis is busy with a script"
    CROWDED = "Redis has no connection left (maxclients)"
    LOCKED = "Redis refuses the user or the password"
    FORBIDDEN = "Redis does not allow this user a command (ACL)"
    CLUSTER = (
        "Redis is in cluster mode, which can keep BullMQ's jobs alone, on one node: set WIRES=bullmq and "
        "BULLMQ_PREFIX={bull} (the prefix in the app, too), or REDIS_URL to a Redis without it"
    )
    MOVING = "Redis Cluster is moving the jobs to another node, or has lost their node"
    WRONG_TYPE = "a key in Redis has the wrong type"
    OUTDATED = "the app's bullmq is older than 5: upgrade all Node clients of the queue, or its jobs are not taken"
    REFUSED = "Redis refuses a command"

    @property
    def word(self) -> str:
        """Its name in the metrics."""
        return self.name.lower()


class BrokerUnavailableError(PushmillError):
    """The broker's server can't be reached, or can't do this now. The same call may work later."""

    trouble = Trouble.AWAY

    def __init__(self, reason: str = "", trouble: Trouble | None = None) -> None:
        """`reason` has details for the log only: it may have an address."""
        self.trouble = trouble or self.trouble
        super().__init__(f"{self.trouble.value} ({reason})" if reason else self.trouble.value)


class BrokerRefusedError(BrokerUnavailableError):
    """The broker's server refuses this command and would refuse it again, because of its data."""

    trouble = Trouble.REFUSED


class DataLostError(PushmillError):
    """The broker's server has lost jobs that it had acknowledged."""

    def __init__(self, reason: str) -> None:
        """`reason` says how."""
        super().__init__(f"Redis has lost data that it had: {reason}")


class LeaseLostError(PushmillError):
    """The worker no longer owns the job: its lease ran out, or the job was removed."""


class JobError(PushmillError):
    """How a processor ends its job. Raise one of the subclasses."""


class TransientError(JobError):
    """Another attempt may help: a server was busy, a connection broke, time ran out."""

    def __init__(self, reason: str = "", at_least: float = 0.0) -> None:
        """The next attempt follows after the job's backoff, but not sooner than `at_least` seconds."""
        super().__init__(reason)
        self.at_least = at_least


class PermanentError(JobError):
    """No attempt can help: the input is wrong, or what it names does not exist."""


class FaultError(PermanentError):
    """Our own code failed on this job. No attempt helps until the code is fixed; operators are alerted."""


class StoppedError(PermanentError):
    """An operator stopped the run, and with it the job."""


class SnoozeError(JobError):
    """Run this job later without counting an attempt, as when a service asks for a pause."""

    def __init__(self, reason: str, delay: float) -> None:
        """The job runs again in `delay` seconds, because of `reason`."""
        super().__init__(reason)
        self.delay = delay
