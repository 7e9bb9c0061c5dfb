"""Where uploaded bytes are decoded and encoded: one child process a task, limited, without credentials.

`client` is the worker's side, `server` forks the children, `child` is what happens in one, `limits` what it may use.
A fork of a process that has Pillow loaded takes 3 ms, starting Python 100 (benchmarks/README.md has the comparison).
"""
