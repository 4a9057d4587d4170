"""The messages that the page of failures explains are those of the code."""

import ast
import re
from pathlib import Path

import pytest

import delocal

ROOT = Path(delocal.__file__).parent
PAGE = ROOT.parent / "docs" / "how-to" / "when-something-fails.md"


def rendered(node):
    """Return the text of a string in the code, with a "…" for each value that it is given."""
    if isinstance(node, ast.Constant):
        return node.value
    return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)


@pytest.fixture(scope="module")
def texts():
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str)
            ):
                found.append(rendered(node))
    return found


@pytest.mark.parametrize("message", re.findall(r"^### `(.+)`$", PAGE.read_text(), re.MULTILINE))
def test_the_messages_of_the_page_are_those_of_the_code(message, texts):
    fragments = [re.escape(fragment.strip()) for fragment in message.split("…")]
    pattern = re.compile(".*".join(fragments))
    assert any(pattern.search(text) for text in texts), message
