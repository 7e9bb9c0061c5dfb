"""The web process: the REST API and the dashboard, two faces of the admin."""
