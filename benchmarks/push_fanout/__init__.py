"""Push fan-out beside the Node worker that a Next.js team would write: see `__main__`."""
