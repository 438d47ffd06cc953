"""The documents that services, callers and operators exchange: what each field means, and what is refused.

Requests and messages travel through the queues; manifest, records, status and report lie in Blob. Encoding options and
the tables of codecs belong here, since a request is refused by them. Nothing here does any work.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
