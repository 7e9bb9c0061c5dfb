"""Where uploads are decoded and encoded: one child process for each task, with limits and without credentials.

`client` is the worker's side, `fork_server` forks the children, `child` runs in each of them, `limits` says what they
may use. Forking a process that has loaded Pillow takes 3 ms; starting Python takes 100 (see benchmarks/README.md).
"""
