"""Documents, as their text is read in a child process."""
