"""The commands of ``framebrush``, one module for each: what they take, and what they print."""
