"""Images and videos through the sandbox, beside sharp and ffmpeg."""
