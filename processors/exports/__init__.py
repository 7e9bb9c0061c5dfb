"""Exports: views of the app's database as files in the object store."""
