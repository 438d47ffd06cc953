"""The names of all painters. They are known without torch, so that a command line can offer them at once."""

PAINTERS = ("comic", "gouache", "ink", "mosaic", "oil", "pencil", "poster", "vangogh", "woodcut")
"""Each of them is called like its function, see :func:`framebrush_scorer.painters.find_painter`."""
