"""The physics: arrays in, arrays out. No files, no clock, no cluster."""
