"""What can go wrong. An exception's class says whether another attempt can help."""

from __future__ import annotations


class PushmillError(Exception):
    """Anything Pushmill raises on purpose."""


class ConfigurationError(PushmillError):
    """The process can't start as it is set up; one line a fault, each naming its variable."""

    def __init__(self, *faults: str) -> None:
        """Keep the faults apart, so that each can be a line of its own."""
        super().__init__("\n".join(faults))
        self.faults = faults


class BrokerUnavailableError(PushmillError):
    """The broker's server can't be reached; the same call may work in a moment."""


class BrokerRefusedError(BrokerUnavailableError):
    """The broker's server refuses this very command, and would refuse it again: something in its data is odd."""


class LeaseLostError(PushmillError):
    """The job is no longer ours to settle: its lease ran out, or somebody removed it."""


class JobError(PushmillError):
    """A processor's verdict on its job. Raise one of the subclasses."""


class TransientError(JobError):
    """Another attempt may help: a server was busy, a connection broke, time ran out."""


class PermanentError(JobError):
    """No attempt can help: the input is wrong, or what it names does not exist."""


class SnoozeError(JobError):
    """Run this job later without counting an attempt, as when a service asks for a pause."""

    def __init__(self, reason: str, delay: float) -> None:
        """Ask for another run in `delay` seconds, for `reason`."""
        super().__init__(reason)
        self.delay = delay
