"""BullMQ's wire, on the `bullmq` package."""
