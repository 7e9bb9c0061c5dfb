"""Exports: rows a second and peak memory, from Postgres to the file, beside Node."""
