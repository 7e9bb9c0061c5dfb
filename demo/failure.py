"""How the demo says that something was not as it should be."""


class DemoError(Exception):
    """The demo can't go on; the message says why."""
