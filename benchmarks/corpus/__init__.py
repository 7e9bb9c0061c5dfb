"""Other projects' test files, run through our jobs."""
