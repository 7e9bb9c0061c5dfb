"""The operators' view of BullMQ."""
