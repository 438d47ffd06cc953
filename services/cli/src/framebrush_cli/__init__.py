"""The ``framebrush`` command."""
