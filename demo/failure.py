"""The error of the demo."""


class DemoError(Exception):
    """The demo can't continue, or a result is missing. The message says why."""
