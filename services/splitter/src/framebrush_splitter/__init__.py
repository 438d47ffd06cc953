"""The framebrush splitter."""
