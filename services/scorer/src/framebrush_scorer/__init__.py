"""The framebrush scorer."""
