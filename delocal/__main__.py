"""The command ``delocal``, which is ``python -m delocal``, where its extra is installed."""

import sys


def main() -> None:
    """Run the command line; without its libraries, say how to get them."""
    try:
        from delocal.api.cli import main as command_line
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("delocal"):
            raise
        advice = f"the command line needs {error.name}: pip install 'delocal[api]'"
        print(f"error: {advice}", file=sys.stderr)
        raise SystemExit(2) from None
    command_line()


if __name__ == "__main__":
    main()
