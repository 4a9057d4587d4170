"""``python -m delocal`` is the command line."""

from delocal.api.cli import main

if __name__ == "__main__":
    main()
