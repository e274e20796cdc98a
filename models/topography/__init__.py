"""Layouts that a network learns: TopoLoss, positions by swapping."""
