"""The commands of ``framebrush``, a module each: what they take, and what they print."""
