"""Every performance claim, measured against a named peer or a physical bound in one run."""
