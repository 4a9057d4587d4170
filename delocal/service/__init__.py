"""The sweep service: requests in, blocks out to the workers, datasets back."""
