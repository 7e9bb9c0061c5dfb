"""Search: ours beside a Node worker that does the same."""
