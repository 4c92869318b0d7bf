"""Normal numbers in single precision from uniform ones, bit for bit as PyTorch's AVX2 kernel computes them.

Sixteen draws make a block: the first eight give radii, `sqrt(-2 log(1 - u))`, the last eight angles, `2 pi u`, and
their cosines and sines the block's sixteen normal numbers (Box and Muller, 1958). PyTorch takes the logarithm, the sine
and the cosine from Cephes' single-precision polynomials (Moshier, netlib.org/cephes) with fused multiply-adds. To
arrive at the same bits a fused step is done here in float64, where the product of two float32 numbers is exact, and
rounded to float32: multiply, add, copy down, copy up. The three polynomials run side by side in arrays of three rows,
and every intermediate array is kept from call to call in a `_Blocks`, because at a thousand numbers the calls into
NumPy are what costs.

    draws -> bits -> 1 - u -> exponent, mantissa -> x          -> log's polynomial    -> radius
                  -> angle -> octant, remainder  -> a, a squared -> sine's, cosine's    -> sin, cos  -> products
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BLOCK: Final = 16
_BLOCKS_AT_ONCE: Final = 1024  #: 16384 numbers: more than this gains little and holds more memory (300 bytes a pair)
_SIZES_KEPT: Final = 4


def _single(value: float) -> Array:
    return np.array(value, np.float32)


def _exact(value: float) -> Array:
    """A constant of single precision, for float64 arithmetic."""
    return np.array(np.float32(value), np.float64)


def _integer(value: int) -> Array:
    return np.array(value, np.int32)


LOG = [_exact(c) for c in (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                            -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)]  # fmt: skip
SIN = [_exact(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
COS = [_exact(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)]
LN2_HIGH, LN2_LOW = _single(0.693359375), _single(-2.12194440e-4)
# pi / 4 in three parts of single precision; in float64 their sum, and its products with octants, are exact.
QUARTER_PI = [_exact(c) for c in (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)]
_MINUS_QUARTER_PI = -(QUARTER_PI[0] + QUARTER_PI[1] + QUARTER_PI[2])
FOUR_OVER_PI = _single(1.27323954473516)
TWO_PI = np.array(np.float32(2 * np.pi) * np.float32(2.0**-24))  # angles are worked out from the 24 bits as they are
_TWO24, _ONE, _MINUS_HALF, _MINUS_TWO = _single(2.0**24), _single(1.0), _single(-0.5), _single(-2.0)
_MINUS_HALF64 = np.array(-0.5)
_BITS24, _MANTISSA, _EXPONENT = _integer(0xFF_FFFF), _integer(0x7F_FFFF), _integer(23)
_SQRT_HALF = _integer(0x3F35_04F3)  # the bits of sqrt(1/2): mantissas go from there to sqrt(2)
_ABOVE_SQRT_HALF = _integer(0x3F80_0000 - 0x3F35_04F3)
_BIAS = _single(127 + 24)  # of a float32's exponent, and 24 because 1 - u is taken times 2**24
_I1, _I2, _I4, _SIGN_FROM_BIT_2, _EVEN = _integer(1), _integer(2), _integer(4), _integer(29), _integer(-2)


class _Blocks:
    """The intermediate arrays for a number of blocks. Rows of three are log, sine, cosine; rows of two, x and a."""

    def __init__(self, blocks: int) -> None:
        one, two, three = (blocks, 8), (2, blocks, 8), (3, blocks, 8)
        self.bits = np.empty(two, np.int32)
        self.unit = np.empty(two, np.float32)
        self.reduced = np.empty(two, np.float32)  # x = mantissa - 1; a = the angle less its octants
        self.squares = np.empty(two, np.float32)
        self.exponent, self.exponent_term = np.empty(one, np.float32), np.empty(one, np.float32)
        self.angle, self.radius = np.empty(one, np.float32), np.empty(one, np.float32)
        self.angle64, self.octant64 = np.empty(one), np.empty(one)
        self.integers, self.octant = np.empty(one, np.int32), np.empty(one, np.int32)
        self.signs = np.empty(two, np.int32)
        self.sine_first = np.empty(one, bool)
        self.value64, self.value = np.empty(three), np.empty(three, np.float32)
        self.variable = np.empty(three)  # x, a squared, a squared
        self.factor, self.term = np.empty(three), np.empty(three)  # of the last step of each polynomial
        self.first, self.second, self.third = np.empty(two), np.empty(three), np.empty(three)
        self.first[0], self.first[1] = SIN[0], COS[0]
        self.second[0], self.second[1], self.second[2] = LOG[7], SIN[1], COS[1]
        self.third[0], self.third[1], self.third[2] = LOG[8], SIN[2], COS[2]
        self._name_rows()

    def _name_rows(self) -> None:
        """Views of rows, made once."""
        self.unit_radius, self.unit_angle = self.unit
        self.x, self.a = self.reduced
        self.x_bits = self.x.view(np.int32)
        self.x_squared = self.squares[0]
        self.log64, self.log = self.value64[0], self.value[0]
        self.waves64, self.waves = self.value64[1:], self.value[1:]  # sine, cosine
        self.cosine, self.waves_swapped = self.value[2], self.waves[::-1]
        self.x64, self.a_squared64 = self.variable[0], self.variable[1:]
        self.factor_xa, self.factor_sin, self.factor_cos = self.factor[:2], self.factor[1], self.factor[2]
        self.term_xa, self.term_log, self.term_sin, self.term_cos = (
            self.term[:2], self.term[0], self.term[1], self.term[2])  # fmt: skip
        self.sign_cos, self.sign_sin = self.signs

    def fill(self, draws: npt.NDArray[np.uint64], out: Array) -> None:
        """Turn raw draws of 32 bits into standard normal numbers; both one-dimensional, 16 to a block."""
        self.bits[...] = draws.reshape(-1, 2, 8).transpose(1, 0, 2)
        np.bitwise_and(self.bits, _BITS24, self.bits)
        self.unit[...] = self.bits
        self._split_logarithm()
        self._reduce_angle()
        self._prepare_polynomials()
        self._run_polynomials()
        self._finish_radius()
        waves = self._finish_waves()
        np.multiply(waves, self.radius, waves)
        np.add(waves, 0.0, waves)  # PyTorch adds a mean of 0, which turns -0 into 0
        # A half block moves as one item of 32 bytes: much faster than transposing its eight numbers one by one.
        out.view("V32").reshape(-1, 2).T[...] = waves.view("V32")[..., 0]

    def _split_logarithm(self) -> None:
        """1 - u = 2**exponent (1 + x) with 1 + x from sqrt(1/2) to sqrt(2)."""
        x, bits = self.x, self.x_bits
        np.subtract(_TWO24, self.unit_radius, x)
        np.add(bits, _ABOVE_SQRT_HALF, bits)
        np.right_shift(bits, _EXPONENT, self.integers)
        np.bitwise_and(bits, _MANTISSA, bits)
        np.add(bits, _SQRT_HALF, bits)
        np.subtract(x, _ONE, x)
        self.exponent[...] = self.integers
        np.subtract(self.exponent, _BIAS, self.exponent)

    def _reduce_angle(self) -> None:
        """The angle is an even number of octants and a remainder `a` of at most pi / 4 on either side."""
        angle, octant = self.angle, self.octant
        np.multiply(self.unit_angle, TWO_PI, angle)
        np.multiply(angle, FOUR_OVER_PI, self.radius)
        octant[...] = self.radius
        np.add(octant, _I1, octant)
        np.bitwise_and(octant, _EVEN, octant)
        self.octant64[...] = octant
        self.angle64[...] = angle
        np.multiply(self.octant64, _MINUS_QUARTER_PI, self.octant64)
        np.add(self.angle64, self.octant64, self.angle64)
        self.a[...] = self.angle64

    def _prepare_polynomials(self) -> None:
        """What the rows are multiplied by and what is added last, so that one call serves all three.

        log:     p(x) x       times x squared, plus exponent * (low part of ln 2)
        sine:    s(aa) aa     times a,         plus a
        cosine:  c(aa) aa     times a squared, minus half of a squared
        """
        np.multiply(self.reduced, self.reduced, self.squares)
        self.factor_xa[...] = self.squares
        self.term_xa[...] = self.reduced
        self.x64[...] = self.term_log
        self.a_squared64[...] = self.factor_sin
        self.factor_cos[...] = self.factor_sin
        np.multiply(self.factor_sin, _MINUS_HALF64, self.term_cos)
        self.factor_sin[...] = self.term_sin
        np.multiply(self.exponent, LN2_LOW, self.exponent_term)
        self.term_log[...] = self.exponent_term

    def _run_polynomials(self) -> None:
        """Horner's rule: the logarithm's first six steps alone, then two steps of all three together."""
        log64, log, x64 = self.log64, self.log, self.x64
        multiply, add = np.multiply, np.add
        multiply(x64, LOG[0], log64)
        for coefficient in LOG[1:7]:
            add(log64, coefficient, log64)
            log[...] = log64
            log64[...] = log
            multiply(log64, x64, log64)
        multiply(self.a_squared64, self.first, self.waves64)
        value64, value, variable = self.value64, self.value, self.variable
        for coefficients in (self.second, self.third):
            add(value64, coefficients, value64)
            value[...] = value64
            value64[...] = value
            multiply(value64, variable, value64)
        value[...] = value64
        value64[...] = value
        multiply(value64, self.factor, value64)
        add(value64, self.term, value64)
        value[...] = value64

    def _finish_radius(self) -> None:
        log, x, radius, half = self.log, self.x, self.radius, self.x_squared
        np.multiply(half, _MINUS_HALF, half)
        np.add(log, half, log)
        np.add(x, log, x)
        np.multiply(self.exponent, LN2_HIGH, self.exponent_term)  # exact, so no fused step is needed
        np.add(x, self.exponent_term, radius)
        np.multiply(radius, _MINUS_TWO, radius)
        np.sqrt(radius, radius)

    def _finish_waves(self) -> Array:
        """The rows cosine and sine of the angle from those of the remainder: swapped and negated by octant."""
        octant, signs = self.octant, self.signs
        np.add(self.cosine, _ONE, self.cosine)
        np.bitwise_and(octant, _I2, self.integers)
        self.sine_first[...] = self.integers
        waves = np.where(self.sine_first, self.waves, self.waves_swapped)
        np.add(octant, _I2, self.sign_cos)
        self.sign_sin[...] = octant
        np.bitwise_and(signs, _I4, signs)
        np.left_shift(signs, _SIGN_FROM_BIT_2, signs)
        bits = waves.view(np.int32)
        np.bitwise_xor(bits, signs, bits)
        return waves


_kept: dict[int, _Blocks] = {}


def _fill(draws: npt.NDArray[np.uint64], out: Array) -> None:
    blocks = len(draws) // BLOCK
    # Taken out while in use, so that another thread makes its own.
    arrays = _kept.pop(blocks, None) or _Blocks(blocks)
    arrays.fill(draws, out)
    if len(_kept) >= _SIZES_KEPT:
        _kept.clear()
    _kept[blocks] = arrays


def standard_normal(draws: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
    """Standard normal numbers from raw draws of 32 bits, a multiple of 16 of them."""
    out = np.empty(len(draws), np.float32)
    step = _BLOCKS_AT_ONCE * BLOCK
    for start in range(0, len(draws), step):
        _fill(draws[start : start + step], out[start : start + step])
    return out
