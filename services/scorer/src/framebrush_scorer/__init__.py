"""The scorer: takes batches of frames through a neural network.

Each package imports only packages of the lines below it: pipeline, quality, training; models, motion; networks,
painters; device; frames. The contract ``scorer`` in pyproject.toml keeps this order.
"""
