"""The demo: a Next.js app's side of things, played on this machine, and the real worker in between."""

import signal
import sys

if sys.argv[0] == "-m":  # so while `python -m` loads one: until it runs, Ctrl-C ends it without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)
