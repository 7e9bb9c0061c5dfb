"""The demo: it plays a Next.js app on this machine and runs the real worker."""

import signal
import sys

if sys.argv[0] == "-m":  # `python -m` is still loading the demo: Ctrl-C ends it without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)
