"""What all tests share."""

from hypothesis import settings

settings.register_profile("framebrush", deadline=None)  # machines may be busy: no test measures time
settings.load_profile("framebrush")
