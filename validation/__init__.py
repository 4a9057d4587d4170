"""The long statistics: what the theory's statements come to, over many random points."""
