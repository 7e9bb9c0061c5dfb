"""The app's database and its object store."""
