"""RQ's wire, on the `rq` package."""
