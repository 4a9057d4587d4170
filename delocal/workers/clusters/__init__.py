"""Clusters of workers: each kind is a file of this folder, and one setting chooses it."""
