"""Real servers on this machine, for the demo, the tests and the benchmarks: nothing to install or configure."""
