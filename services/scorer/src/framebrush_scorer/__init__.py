"""The scorer: takes batches of frames through a neural network.

Packages import only those to their right: training, pipeline; models; networks, painters; frames. The command line's
quality, and motion, which the pipeline uses as well, need frames only.
"""
