"""The workers: a sweep cut into blocks, each evaluated and stored by a plain function."""
