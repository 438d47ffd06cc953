"""The framebrush dispatcher."""
