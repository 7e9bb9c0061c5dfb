"""The video task, which runs ffmpeg in a child process."""
