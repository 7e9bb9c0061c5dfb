"""Pictures through the sandbox, beside sharp."""
