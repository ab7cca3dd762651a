"""How well the samples of one run place their median, though they are not independent."""

import math

_FIRST_LOOK = 50
_LOOK_RATIO = 1.25
_NORMAL_95 = 1.96
# So many of the newest samples tell the autocorrelation well enough, at a cost that does not grow.
_CORRELATED = 8192


class Looks:
    """Looks at 50 * 1.25^k samples and remembers how many in a row were precise enough.

    Stopping at a lucky look would make the interval's coverage less than nominal. Therefore it
    takes two looks in a row, the longest correlation time of all looks counts, and the samples have
    to be worth as many independent ones as the first look asks for.
    """

    def __init__(self, wanted):
        """Take the wanted relative half-width; `tau` is the longest correlation time so far."""
        self.next_look = _FIRST_LOOK
        self._wanted = wanted
        self._in_a_row = 0
        self.tau = 1.0
        self._ordered = []  # type: list

    def enough(self, durations, begin):
        """Look at `durations` from `begin` on; return True after two successive precise looks."""
        self._ordered.extend(durations[begin + len(self._ordered) :])
        self._ordered.sort()  # two sorted stretches: they are merged in linear time
        count = len(self._ordered)
        self.next_look = math.ceil(count * _LOOK_RATIO)
        within = half_width(self._ordered) <= self._wanted
        if within:  # only then does the dearer question matter
            newest = durations[max(begin, len(durations) - _CORRELATED) :]
            self.tau = max(self.tau, correlation_time(newest, self._ordered[count // 2]))
            within = half_width(self._ordered, self.tau) <= self._wanted
            within = within and count >= _FIRST_LOOK * self.tau
        self._in_a_row = self._in_a_row + 1 if within else 0
        return self._in_a_row >= 2


def half_width(ordered, tau=1.0):
    """Return the relative half-width of the median's 95 % order-statistic interval.

    `ordered` are samples sorted by size. Ranks (n + 1)/2 -+ 1.96 * sqrt(n * tau)/2, rounded away
    from the middle: the normal approximation to Binomial(n/tau, 1/2), mapped back to n.
    """
    count = len(ordered)
    reach = _NORMAL_95 / 2 * math.sqrt(count * tau)
    rank = max(1, math.floor((count + 1) / 2.0 - reach))
    low, high = ordered[rank - 1], ordered[count - rank]
    middle = ordered[count // 2]
    return max(high - middle, middle - low) / float(middle) if middle else 0.0


def correlation_time(durations, middle):
    """Return tau, at least 1: n samples place their median as well as n / tau independent ones.

    tau = 1 + 2 * sum over k <= L of (1 - k/(L + 1)) * rho_k with L = 2 * n^(1/3) (Bartlett's
    weights) and rho_k the autocorrelation of the indicator of durations <= `middle`. Each rho_k
    comes out too small by about tau/n because the mean is estimated from the same values; over
    weights that sum to L + 1 this takes the share (L + 1)/n off, which is put back. The indicators
    are the bits of one integer, so that a lag costs one AND and a count of ones.
    """
    count = len(durations)
    bits = int("".join(["1" if value <= middle else "0" for value in durations]), 2)
    ones = _ones(bits)
    mean = ones / float(count)
    spread = ones * (1 - mean)
    if not spread:
        return 1.0
    lags = min(count - 1, math.floor(2 * count ** (1 / 3.0)))
    total = 0.0
    for lag in range(1, lags + 1):
        kept = 2 * ones - _ones(bits & ((1 << lag) - 1)) - _ones(bits >> (count - lag))
        both = _ones(bits & (bits >> lag)) - mean * kept + (count - lag) * mean**2
        total += (1 - lag / (lags + 1.0)) * both / spread
    return max(1.0, (1 + 2 * total) / max(0.5, 1 - (lags + 1.0) / count))


def _ones(bits):
    return bin(bits).count("1")
