"""The report of a run as one page for people: what was kept, what it looks like, where time and money went."""
