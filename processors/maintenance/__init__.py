"""The app's cache, and what is to be deleted after a while."""
