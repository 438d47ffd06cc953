"""The stitcher: it encodes segments, and joins them into the output."""
