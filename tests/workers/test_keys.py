"""Identity by content: what is equal has one key, what differs has another."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delocal.workers.keys import canonical, content_key

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
contents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def reordered(content):
    if isinstance(content, dict):
        return {key: reordered(content[key]) for key in reversed(content)}
    return [reordered(item) for item in content] if isinstance(content, list) else content


@given(contents)
def test_the_text_says_the_content_exactly(content):
    """So no two different contents share a text."""
    assert json.loads(canonical(content)) == content


@given(contents)
def test_the_order_of_keys_does_not_matter(content):
    assert canonical(reordered(content)) == canonical(content)


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_whole_floats_are_integers(number):
    assert canonical(float(number)) == canonical(number)


def test_tuples_are_lists():
    assert canonical((1, (2.0, "a"))) == canonical([1, [2, "a"]])


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_neighbouring_floats_differ(number):
    assert content_key(number) != content_key(math.nextafter(number, math.inf))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (None, "null"),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        ({"a": 1}, {"A": 1}),
        ({"a": None}, {}),
        (0.1 + 0.2, 0.3),
        (2**53, 2**53 + 1),
    ],
)
def test_what_differs_has_another_key(one, other):
    assert content_key(one) != content_key(other)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_key_for_what_is_not_a_number(number):
    with pytest.raises(ValueError, match="JSON"):
        content_key({"T": [number]})


def test_the_key_is_the_same_for_ever():
    """Stored sweeps are found by it."""
    text = b'{"T":[1e-06,0.1,2],"models":["scaling"],"options":{}}'
    content = {"options": {}, "models": ("scaling",), "T": [1e-6, 0.1, 2.0]}
    assert content_key(content) == hashlib.sha256(text).hexdigest()
