"""A page on this computer over the same installation, and the same commands underneath, as the command line."""
