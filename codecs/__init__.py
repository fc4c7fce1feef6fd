"""The boundary to media: the only place that touches ffmpeg, PyAV, Pillow and child processes."""
