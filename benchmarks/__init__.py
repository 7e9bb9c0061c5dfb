"""Each benchmark prints a ratio to a peer that runs in the same minutes."""
