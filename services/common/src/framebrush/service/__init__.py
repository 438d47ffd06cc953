"""What every service's ``__main__`` needs: start and drain, settings, health, telemetry, memory and threads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
