"""Real servers on this machine for the demo, the tests and the benchmarks. They need no installation."""
