"""A Service Bus stand-in for development and tests."""
