"""The object store: a port with two implementations, S3 and a directory."""
