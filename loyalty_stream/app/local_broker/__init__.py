"""A broker on this machine for the demo, tests and benchmarks."""
