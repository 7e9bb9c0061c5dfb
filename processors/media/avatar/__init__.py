"""Avatars: square pictures of several sizes from one decode."""
