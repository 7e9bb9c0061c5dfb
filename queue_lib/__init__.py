"""The queue: brokers, runner and contracts. It knows nothing of pushes, images or S3."""

VERSION = "0.1.0"
