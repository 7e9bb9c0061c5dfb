"""The operators' view of RQ."""
