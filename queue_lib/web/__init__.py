"""The web process: the REST API and the dashboard, both over the admin."""
