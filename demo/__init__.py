"""The demo: a Next.js app's side of things, played on this machine, and the real worker in between."""
