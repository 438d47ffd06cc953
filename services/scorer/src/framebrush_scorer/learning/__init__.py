"""The learner: the service that learns styles for the library, ``python -m framebrush_scorer.learning``.

A learning job takes longer than any message may. So each message goes on with it for some minutes, from the checkpoint
in Blob, and sends the next one. What it learns by is the training of ``framebrush train --like``.
"""
