"""How often a caller may ask: a bucket of tokens for each, kept in this process."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

CALLERS_KEPT = 10_000  # those who asked last; a forgotten bucket starts full again


@dataclass(frozen=True)
class Allowance:
    """What is left to a caller: whether this request passes, and what to tell in headers."""

    allowed: bool
    left: int
    retry_after: float
    refilled_after: float


class RateLimiter:
    """Each caller has `burst` tokens, which come back at `rate` in a second.

    Examples
    --------
    >>> limiter = RateLimiter(rate=1, burst=2, clock=lambda: 0.0)
    >>> [limiter.take("a").allowed for _ in range(3)]
    [True, True, False]
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when
        self._lock = threading.Lock()

    @property
    def policy(self) -> str:
        """The limit, as the header `RateLimit-Policy` has it."""
        return f'"default";q={self.burst};w={math.ceil(self.burst / self.rate)}'

    def take(self, caller: str, cost: float = 1.0) -> Allowance:
        """Take `cost` tokens from a caller, who may go below none by one request."""
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.pop(caller, (float(self.burst), now))
            tokens = min(float(self.burst), tokens + (now - since) * self.rate)
            allowed = tokens >= min(cost, 1.0)
            tokens -= cost if allowed else 0.0
            self._buckets[caller] = tokens, now
            if len(self._buckets) > CALLERS_KEPT:
                self._buckets.popitem(last=False)
        wait = 0.0 if allowed else (min(cost, 1.0) - tokens) / self.rate
        return Allowance(allowed, int(max(tokens, 0)), wait, (self.burst - tokens) / self.rate)

    def headers(self, allowance: Allowance) -> dict[str, str]:
        """Return what a caller is told (draft-ietf-httpapi-ratelimit-headers)."""
        told = {
            "RateLimit-Policy": self.policy,
            "RateLimit": f'"default";r={allowance.left};t={math.ceil(allowance.refilled_after)}',
        }
        if not allowance.allowed:
            told["Retry-After"] = str(max(1, math.ceil(allowance.retry_after)))
        return told
