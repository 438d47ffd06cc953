"""The scorer: takes batches of frames through a neural network.

Each package imports only packages of the lines below it: pipeline, quality, training; models, motion; networks,
painters; device; frames. The contract ``scorer`` in pyproject.toml keeps this order.
"""

import os

# The threads of OpenMP sleep when they wait for each other. By default they spin, for milliseconds after every layer.
# Where others use the same cores, a thread that spins keeps the one that it waits for from running: three scorers
# on two busy cores took half the time with this, and half the CPU time. libgomp reads it when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
