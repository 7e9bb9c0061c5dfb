"""Brokers: one port, one adapter a wire, one fake."""
