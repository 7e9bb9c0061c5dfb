"""Commands for operators; README.md lists them."""

import signal
import sys

if sys.argv[0] == "-m":  # `python -m` is still loading the script: Ctrl-C ends it without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)
