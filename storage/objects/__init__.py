"""The object store: one port, S3 and a directory behind it."""
