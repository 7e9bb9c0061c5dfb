"""REST over the admin, for an app that holds no connection to Redis."""
