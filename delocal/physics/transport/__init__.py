"""Energy transport by Monte Carlo."""
