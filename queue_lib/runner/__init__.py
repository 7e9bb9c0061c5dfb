"""The runner: from a claimed job to a recorded outcome, in loops that can be started, quieted and stopped."""
