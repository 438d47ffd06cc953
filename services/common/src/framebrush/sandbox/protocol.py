"""What service and decoder process say to each other over two pipes."""

READ, ITEM, ALIVE, DONE, REFUSED, FAILED = b"r", b"i", b"a", b"d", b"x", b"f"
"""The first byte of what the process says to the service. The service answers READ only, with bytes of the file.
REFUSED comes with what is wrong with the file, FAILED with what went wrong in the process."""
REQUEST = "<qq"
"""The layout of READ: the offset in the file and the number of bytes."""
MAX_READ = 2**20
"""The number of bytes that one READ may ask for at most."""
