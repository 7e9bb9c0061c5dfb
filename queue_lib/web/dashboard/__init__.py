"""The operator's pages over the admin: rendered on the server, behind a session."""
