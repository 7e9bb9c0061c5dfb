"""Images, as they are decoded and encoded in a child process. Imports Pillow and little else."""
