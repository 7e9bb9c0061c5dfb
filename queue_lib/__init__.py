"""The queue: brokers, runner and contracts. It knows nothing of pushes, pictures or S3."""
