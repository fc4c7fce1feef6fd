"""avpipe: merges a video with separately recorded sound into one MP4 that is in sync."""

__version__ = "0.1.0"
