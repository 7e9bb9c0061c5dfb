"""Images: encoded in child processes, because what is in them may be made to harm."""
