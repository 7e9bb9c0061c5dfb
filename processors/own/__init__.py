"""A team's own jobs, as one more feature."""
