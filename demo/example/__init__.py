"""`make example`: the Next.js app of examples/next, with everything that it needs, on this machine only."""
