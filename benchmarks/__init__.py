"""Each benchmark prints a ratio against a peer that runs beside it, in the same minute."""
