"""The framebrush stitcher."""
