"""Other projects' test files as jobs."""
