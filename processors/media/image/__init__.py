"""The image and avatar tasks, which run in a child process. Imports Pillow and little else."""
