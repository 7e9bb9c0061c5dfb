"""Events of the runner, and what is made of them: the log, metrics, reports."""
