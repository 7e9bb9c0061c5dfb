"""A long queue, many processes, and one of them killed again and again: ours against stock Node workers."""
