"""What single units and sparse features of a layer stand for, tied to its sheet and to recordings."""
