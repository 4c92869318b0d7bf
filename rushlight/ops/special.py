"""Special functions: `torch.special`, and the ones of them that `torch` has too.

The numbers come from `error_function`, `gamma_function` and `bessel`; a few rare functions ask SciPy, which is
imported when the first of them is computed. Kernels compute in double precision and round once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from rushlight.record.operation import Operation, computing, operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from . import bessel, error_function, gamma_function
from .blockwise import double
from .elementary import exp, log, log1p, sgn, square
from .public import FUNCTIONS, SPACES, public
from .rules import only, pointwise_float, promoted_float
from .selection import where


def real_float(name: str) -> Callable[..., Spec]:
    """The shape rule of a function of real numbers: broadcast, promote, integers become floats."""

    @computing(pointwise_float.compute)  # type: ignore[attr-defined]
    def infer(*specs: Spec | None, **attributes: Any) -> Spec:
        for s in specs:
            if s is not None and s.dtype.is_complex:
                raise NotImplementedError(f"\"{name}\" not implemented for '{s.dtype.scalar_name}'")
        return pointwise_float(*specs)

    return infer


_VML = ("erf", "erfc", "erfinv", "lgamma", "i0")  # what PyTorch's errors call otherwise


def special(name: str, kernel: Any, rule: Any, doc: str, *, node: str | None = None, everywhere: bool = False,
            names: tuple[str, ...] = (), **options: Any) -> Callable[[Tensor], Tensor]:  # fmt: skip
    """Declares a special function of one tensor: in `torch.special`, and if known `everywhere` also in `torch`."""
    camel = "".join(part.capitalize() for part in name.split("_"))
    op = operation(
        name,
        real_float(name if name not in _VML else f"{name}_vml_cpu"),
        kernel,
        node=node or ("" if everywhere else "Special") + camel + "Backward0",
    )
    if rule is not None:
        op.gradient(x=rule)

    def f(input: Tensor) -> Tensor:
        return apply(op, (input,))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    public(function=everywhere, method=everywhere, inplace=everywhere, out=True, space="special")(f)
    for alias in names:
        SPACES["special"][alias] = SPACES["special"][name]
    return f


def undefined(operand: str) -> Callable[[Tensor], Tensor]:
    """The gradient rule for an operand that has no derivative in PyTorch."""

    def rule(g: Tensor) -> Tensor:
        raise NotImplementedError(f"the derivative for '{operand}' is not implemented.")

    return rule


# ---------------------------------------------------------------------------------------------------------------------
# The error function and the normal distribution

_SLOPE = 2 / math.sqrt(math.pi)
_ROOT_2 = math.sqrt(2)

erf = special("erf", lambda x: error_function.erf_exactly(x),
              lambda g, x: exp(-(x * x)) * _SLOPE * g, """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    >>> torch.erf(torch.tensor([0., 1.]))
    tensor([0.0000, 0.8427])
    """, everywhere=True)  # fmt: skip
erfc = special("erfc", lambda x: error_function.erfc(x), lambda g, x: exp(-(x * x)) * -_SLOPE * g, "1 - erf(x).",
               everywhere=True)  # fmt: skip
erfinv = special("erfinv", lambda x: error_function.erfinv(x),
                 lambda g, x: exp(square(erfinv(x))) * (1 / _SLOPE) * g, "The inverse of erf on (-1, 1).",
                 everywhere=True)  # fmt: skip
erfcx = special("erfcx", lambda x: error_function.erfcx(x), lambda g, x, result: g * (x * result * 2 - _SLOPE),
                "exp(x**2) erfc(x).")  # fmt: skip
ndtr = special("ndtr", lambda x: error_function.erfc(-x / _ROOT_2) / 2,
               lambda g, x: g * exp(x * x * -0.5) / math.sqrt(2 * math.pi),
               "The distribution function of the standard normal distribution.", node="MulBackward1")  # fmt: skip
ndtri = special("ndtri", lambda x: -_ROOT_2 * error_function.erfcinv(2 * x),
                lambda g, result: g * exp(result * result / 2) * math.sqrt(2 * math.pi),
                "The quantiles of the standard normal distribution: the inverse of `ndtr`.")  # fmt: skip
log_ndtr = special("log_ndtr", lambda x: error_function.log_ndtr(x),
                   lambda g, x: g * math.sqrt(2 / math.pi) / erfcx(x / -_ROOT_2),
                   "The logarithm of `ndtr`, exact where that is tiny.")  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# The gamma function

lgamma = special("lgamma", lambda x: gamma_function.lgamma(x), lambda g, x: g * digamma(x),
                 """The logarithm of |gamma(x)|.

    >>> torch.lgamma(torch.tensor([1., 5.]))
    tensor([0.0000, 3.1781])
    """, everywhere=True, names=("gammaln",))  # fmt: skip
digamma: Callable[[Tensor], Tensor] = special(
    "digamma",
    lambda x: gamma_function.digamma(x),
    lambda g, x: g * polygamma(1, x),
    "The derivative of the logarithm of the gamma function.",
    everywhere=True,
    names=("psi",),
)


POLYGAMMA = operation("polygamma", real_float("polygamma"), lambda x, *, n: gamma_function.polygamma(n, x))
POLYGAMMA.gradient(x=lambda g, x, n: g * polygamma(n + 1, x))


@public(method=False, out=True, space="special")
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of `digamma`, n >= 0.

    >>> torch.polygamma(1, torch.tensor([1.]))
    tensor([1.6449])
    """
    if not isinstance(n, int):
        raise TypeError(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return apply(POLYGAMMA, (input,), (n,))


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """See `torch.polygamma`."""
    return polygamma(n, self)


_polygamma_method.__name__ = "polygamma"
public(function=False, inplace=True)(_polygamma_method)


def _mvlgamma(x: Any, *, p: int) -> Any:
    total = gamma_function.lgamma(x)
    for k in range(1, p):
        total = total + gamma_function.lgamma(x, k / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


MVLGAMMA = operation(
    "mvlgamma",
    real_float("mvlgamma"),
    _mvlgamma,
)
MVLGAMMA.gradient(x=lambda g, x, p: g * _sum_of_digammas(x, p))


def _sum_of_digammas(x: Tensor, p: int) -> Tensor:
    total = digamma(x)
    for k in range(1, p):
        total = total + digamma(x - k / 2)
    return total


@public(inplace=True, out=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p` >= 1."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    return apply(MVLGAMMA, (input,), (p,))


ZETA = operation("zeta", real_float("zeta"), lambda x, q: gamma_function.zeta(x, q), node="SpecialZetaBackward0")
ZETA.gradient(x=undefined("self"), q=lambda g, x, q: g * -x * apply(ZETA, (x + 1, q)))


@public(function=False, method=False, out=True, space="special")
def zeta(input: Any, other: Any) -> Tensor:
    """The Hurwitz zeta function: the sum of (other + k) ** -input over k >= 0."""
    return apply(ZETA, (input, other))


def scipy_special(function: str, name: str) -> Callable[..., Any]:
    """SciPy's function of that name; says so where SciPy is missing."""
    try:
        return getattr(import_module("scipy.special"), function)
    except ImportError as error:
        raise ImportError(
            f"torch.special.{name} is computed by SciPy, which is not installed: pip install scipy"
        ) from error


def _incomplete(name: str, alias: str, sign: float, doc: str) -> None:
    op = operation(name, real_float(name), lambda a, x: scipy_special(alias, alias)(a, x))
    op.gradient(a=undefined("self"), x=lambda g, a, x: g * sign * exp((a - 1) * log(x) - x - lgamma(a)))

    def f(input: Tensor, other: Tensor) -> Tensor:
        return apply(op, (input, other))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    public(inplace=True, out=True, tensors=2)(f)
    SPACES["special"][alias] = FUNCTIONS[name]


_incomplete("igamma", "gammainc", 1.0, "The regularized lower incomplete gamma function P(input, other).")
_incomplete("igammac", "gammaincc", -1.0, "The regularized upper incomplete gamma function Q(input, other).")

# ---------------------------------------------------------------------------------------------------------------------
# Bessel functions


def _i1_gradient(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    return g * where(x == 0, 0.5, i0(x) - result / x)


def _i1e_gradient(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    return g * where(x == 0, 0.5, i0e(x) - result * (sgn(x) + 1 / x))


i0 = special("i0", lambda x: bessel.modified_i(0, x), lambda g, x: g * i1(x),
             "The modified Bessel function of the first kind, order 0.", everywhere=True)  # fmt: skip
i0e = special("i0e", lambda x: bessel.scaled_i(0, x), lambda g, x, result: g * (i1e(x) - sgn(x) * result),
              "exp(-|x|) i0(x).", node="SpecialI0EBackward0")  # fmt: skip
i1: Callable[[Tensor], Tensor] = special("i1", lambda x: bessel.modified_i(1, x), _i1_gradient,
             "The modified Bessel function of the first kind, order 1.")  # fmt: skip
i1e: Callable[[Tensor], Tensor] = special("i1e", lambda x: bessel.scaled_i(1, x), _i1e_gradient, "exp(-|x|) i1(x).",
              node="SpecialI1EBackward0")  # fmt: skip
special("modified_bessel_i0", lambda x: bessel.modified_i(0, x), None, "`i0`, without a derivative.")
special("modified_bessel_i1", lambda x: bessel.modified_i(1, x), None, "`i1`, without a derivative.")
special("spherical_bessel_j0", lambda x: np.sinc(double(x) / math.pi), None,
        "The spherical Bessel function of the first kind, order 0: sin(x) / x.")  # fmt: skip


def _from_scipy(name: str, function: str, doc: str, pick: Callable[[Any], Any] = lambda found: found) -> None:
    special(name, lambda x: pick(scipy_special(function, name)(np.asarray(x, np.float64))), None, doc)


for _name, _function, _what in (
    ("bessel_j0", "j0", "first kind, order 0"),
    ("bessel_j1", "j1", "first kind, order 1"),
    ("bessel_y0", "y0", "second kind, order 0"),
    ("bessel_y1", "y1", "second kind, order 1"),
):
    _from_scipy(_name, _function, f"The Bessel function of the {_what}.")
for _name, _function, _what in (
    ("modified_bessel_k0", "k0", "order 0"),
    ("modified_bessel_k1", "k1", "order 1"),
    ("scaled_modified_bessel_k0", "k0e", "order 0, times exp(x)"),
    ("scaled_modified_bessel_k1", "k1e", "order 1, times exp(x)"),
):
    _from_scipy(_name, _function, f"The modified Bessel function of the second kind, {_what}.")
_from_scipy("airy_ai", "airy", "The Airy function Ai.", lambda found: found[0])

# ---------------------------------------------------------------------------------------------------------------------
# Logarithms of products and odds


def _entr(x: Any) -> np.ndarray:
    return np.where(x > 0, -x * np.log(np.where(x > 0, x, 1)), np.where(x == 0, 0, np.where(np.isnan(x), x, -np.inf)))


entr = special(
    "entr", _entr, lambda g, x: g * (-log(x) - 1), "-x log(x), 0 at 0 and -inf below: the terms of an entropy."
)


def _times_log(logarithm: Any, x: Any, y: Any) -> np.ndarray:
    zero = np.logical_and(np.equal(x, 0), np.logical_not(np.isnan(y)))
    return np.where(zero, 0, x * logarithm(np.where(zero, 1, y)))


XLOGY = operation("xlogy", only("bif", "xlogy_cpu", pointwise_float), lambda x, y: _times_log(np.log, x, y))
XLOGY.gradient(x=lambda g, x, y: g * where((x == 0) & (y <= 0), 0, log(y)), y=lambda g, x, y: g * x / y)
XLOG1PY = operation(
    "xlog1py",
    only("bif", "xlog1py_cpu", pointwise_float),
    lambda x, y: _times_log(np.log1p, x, y),
    node="SpecialXlog1PyBackward0",
)
XLOG1PY.gradient(x=lambda g, x, y: g * where((x == 0) & (y <= -1), 0, log1p(y)), y=lambda g, x, y: g * x / (y + 1))


@public(inplace=True, out=True, space="special")
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), 0 where input is 0 (unless other is NaN).

    >>> torch.xlogy(torch.tensor([0., 2.]), torch.tensor([0., 1.]))
    tensor([0., 0.])
    """
    return apply(XLOGY, (input, other))


@public(function=False, method=False, out=True, space="special")
def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log(1 + other), 0 where input is 0 (unless other is NaN)."""
    return apply(XLOG1PY, (input, other))


def _logit(x: Any, eps: Any) -> np.ndarray:
    if eps is not None:
        x = np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x))


def _logit_gradient(g: Tensor, x: Tensor, eps: Tensor | None) -> Tensor:
    slope = g / (x * (1 - x))
    if eps is None:
        return where((x < 0) | (x > 1), math.nan, slope)
    return where((x < eps) | (x > 1 - eps), 0, slope)


@computing(lambda x, eps: promoted_float(x))
def _logit_spec(x: Spec, eps: Spec | None) -> Spec:
    return real_float("logit_cpu")(x)


LOGIT = operation("logit", _logit_spec, _logit)
LOGIT.gradient(x=_logit_gradient)


@public(inplace=True, out=True, space="special")
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)); with `eps`, x is first moved into [eps, 1 - eps].

    >>> torch.logit(torch.tensor([0.5]))
    tensor([0.])
    """
    return apply(LOGIT, (input, eps))


# ---------------------------------------------------------------------------------------------------------------------
# Orthogonal polynomials: each three-term recurrence P[k + 1] = (a x + b) P[k] - c P[k - 1]

Recurrence = Callable[[int, np.ndarray], tuple[np.ndarray, float]]


def _evaluate(first: Callable[[np.ndarray], np.ndarray], step: Recurrence, x: Any, n: Any) -> np.ndarray:
    """The polynomial of degree n at x, 0 for n < 0."""
    x, n = np.broadcast_arrays(np.asarray(x, np.float64), np.trunc(np.asarray(n, np.float64)))
    before, now = np.ones(x.shape), first(x)
    result = np.where(n == 0, 1.0, np.where(n == 1, now, 0.0))
    for k in range(1, int(n.max(initial=0))):
        factor, c = step(k, x)
        before, now = now, factor * now - c * before
        result = np.where(n == k + 1, now, result)
    return result


def _polynomial(
    name: str, first: Callable[[np.ndarray], np.ndarray], step: Recurrence, doc: str, shift: bool = False
) -> None:
    def kernel(x: Any, n: Any) -> np.ndarray:
        return _evaluate(first, step, 2 * np.asarray(x, np.float64) - 1 if shift else x, n)

    op: Operation = operation(name, real_float(name), kernel)

    def f(input: Any, n: Any) -> Tensor:
        return apply(op, (input, n))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    public(function=False, method=False, out=True, space="special")(f)


def _chebyshev(k: int, x: np.ndarray) -> tuple[np.ndarray, float]:
    return 2 * x, 1.0


for _letter, _first in (
    ("t", lambda x: x),
    ("u", lambda x: 2 * x),
    ("v", lambda x: 2 * x - 1),
    ("w", lambda x: 2 * x + 1),
):
    _text = f"The Chebyshev polynomial of kind {_letter.upper()} and degree n."
    _polynomial(f"chebyshev_polynomial_{_letter}", _first, _chebyshev, _text)
    _polynomial(f"shifted_chebyshev_polynomial_{_letter}", _first, _chebyshev, f"{_text[:-1]}, at 2 x - 1.", shift=True)
_polynomial(
    "hermite_polynomial_h", lambda x: 2 * x, lambda k, x: (2 * x, 2.0 * k), "The physicist's Hermite polynomial."
)
_polynomial("hermite_polynomial_he", lambda x: x, lambda k, x: (x, float(k)), "The probabilist's Hermite polynomial.")
_polynomial("laguerre_polynomial_l", lambda x: 1 - x, lambda k, x: ((2 * k + 1 - x) / (k + 1), k / (k + 1)),
            "The Laguerre polynomial of degree n.")  # fmt: skip
_polynomial("legendre_polynomial_p", lambda x: x, lambda k, x: ((2 * k + 1) * x / (k + 1), k / (k + 1)),
            "The Legendre polynomial of degree n.")  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Names that torch.special gives to functions from elsewhere

SPACES["special"].update(
    {name: FUNCTIONS[name] for name in ("exp2", "expm1", "log1p", "round", "sinc", "softmax", "log_softmax")}
    | {"expit": FUNCTIONS["sigmoid"], "multigammaln": FUNCTIONS["mvlgamma"]}
)
