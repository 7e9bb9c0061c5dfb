"""Videos, as they are probed, planned and encoded in a child process that runs ffmpeg."""
