"""The document task, which extracts text in a child process."""
