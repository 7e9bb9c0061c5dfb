"""What the jobs do: one folder a field, one processor a job name."""
