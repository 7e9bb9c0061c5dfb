"""Media: uploads are decoded and encoded in child processes, because their bytes may be hostile."""
