"""Training of style networks: a painter paints pictures, a network learns to do the same faster."""
