"""What `torch.distributions` answers: the same questions to every distribution.

`answers(torch)` asks one framework. Run with a Python that has PyTorch, this file writes PyTorch's answers to
`tests/expected/distributions.json`; `test_distributions.py` asks Rushlight and compares.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).parent / "expected" / "distributions.json"
PROPERTIES = ("mean", "mode", "variance", "stddev", "support")
DIFFERENTIABLE = "Normal Uniform Beta Dirichlet Gamma Exponential Laplace LogNormal StudentT Cauchy Gumbel RelaxedBernoulli RelaxedOneHot Tanh Kumaraswamy MultivariateNormal Pareto Weibull InverseGamma FisherSnedecor GeneralizedPareto LogisticNormal ContinuousBernoulli Wishart".split()  # noqa: E501


def parameters(torch: Any, grad: bool = False) -> dict[str, Any]:
    """The tensors that distributions are made from."""
    values = {
        "loc": [0.5, -1.0, 2.0],
        "scale": [1.0, 0.3, 2.5],
        "p": [0.2, 0.5, 0.9],
        "rows": [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]],
        "cov": [[2.0, 0.5], [0.5, 1.0]],
    }
    return {name: torch.tensor(v, requires_grad=grad) for name, v in values.items()}


def makers(torch: Any, loc: Any, scale: Any, p: Any, rows: Any, cov: Any) -> dict[str, Callable[[], Any]]:
    """A way to make each distribution."""
    D, T = torch.distributions, torch.tensor
    mean = T([1.0, 2.0])
    return {
        "Normal": lambda: D.Normal(loc, scale),
        "NormalOfNumbers": lambda: D.Normal(0, 2.0),
        "Uniform": lambda: D.Uniform(loc, loc + scale),
        "Bernoulli": lambda: D.Bernoulli(p),
        "BernoulliLogits": lambda: D.Bernoulli(logits=loc),
        "BernoulliOfNumber": lambda: D.Bernoulli(0.3),
        "Categorical": lambda: D.Categorical(rows),
        "CategoricalLogits": lambda: D.Categorical(logits=loc),
        "OneHot": lambda: D.OneHotCategorical(rows),
        "OneHotStraightThrough": lambda: D.OneHotCategoricalStraightThrough(rows),
        "Beta": lambda: D.Beta(scale, scale + 1),
        "BetaOfNumbers": lambda: D.Beta(2.0, 3.0),
        "Dirichlet": lambda: D.Dirichlet(rows * 5),
        "Gamma": lambda: D.Gamma(scale, p),
        "Chi2": lambda: D.Chi2(scale),
        "Exponential": lambda: D.Exponential(scale),
        "Laplace": lambda: D.Laplace(loc, scale),
        "Poisson": lambda: D.Poisson(scale * 4),
        "Geometric": lambda: D.Geometric(p),
        "Binomial": lambda: D.Binomial(5, p),
        "BinomialLogits": lambda: D.Binomial(T([5.0, 5.0, 5.0]), logits=loc),
        "Multinomial": lambda: D.Multinomial(5, rows),
        "MultivariateNormal": lambda: D.MultivariateNormal(mean, cov),
        "MultivariateNormalPrecision": lambda: D.MultivariateNormal(mean, precision_matrix=cov),
        "MultivariateNormalFactor": lambda: D.MultivariateNormal(torch.zeros(3, 2), scale_tril=T([[1.0, 0], [0.5, 2]])),
        "LogNormal": lambda: D.LogNormal(loc, scale),
        "Independent": lambda: D.Independent(D.Normal(loc, scale), 1),
        "Tanh": lambda: D.TransformedDistribution(
            D.Normal(loc, scale), [D.AffineTransform(1.0, -2.0), D.TanhTransform(cache_size=1)]
        ),
        "Logistic": lambda: D.TransformedDistribution(
            D.Uniform(T(0.0), T(1.0)), [D.SigmoidTransform().inv, D.AffineTransform(loc, scale)]
        ),
        "HalfNormal": lambda: D.HalfNormal(scale),
        "HalfCauchy": lambda: D.HalfCauchy(scale),
        "Cauchy": lambda: D.Cauchy(loc, scale),
        "StudentT": lambda: D.StudentT(scale + 2, loc, scale),
        "Gumbel": lambda: D.Gumbel(loc, scale),
        "NegativeBinomial": lambda: D.NegativeBinomial(5, p * 0.9),
        "RelaxedBernoulli": lambda: D.RelaxedBernoulli(T(0.7), p),
        "RelaxedOneHot": lambda: D.RelaxedOneHotCategorical(T(0.7), rows),
        "Mixture": lambda: D.MixtureSameFamily(D.Categorical(p), D.Normal(loc, scale)),
        "LowRank": lambda: D.LowRankMultivariateNormal(loc, torch.ones(3, 1), scale),
        "Kumaraswamy": lambda: D.Kumaraswamy(scale, scale + 1),
        "Pareto": lambda: D.Pareto(scale, p + 1.8),
        "Weibull": lambda: D.Weibull(scale, p + 0.5),
        "InverseGamma": lambda: D.InverseGamma(scale + 1, scale),
        "FisherSnedecor": lambda: D.FisherSnedecor(scale + 1, scale * 4),
        "GeneralizedPareto": lambda: D.GeneralizedPareto(loc, scale, p - 0.5),
        "GeneralizedParetoOfNumbers": lambda: D.GeneralizedPareto(0.5, 2.0, -1.0),
        "LogisticNormal": lambda: D.LogisticNormal(loc, scale),
        "LogisticNormalOfNumbers": lambda: D.LogisticNormal(0.0, 1.0),
        "VonMises": lambda: D.VonMises(loc, scale),
        "VonMisesDouble": lambda: D.VonMises(loc.double(), scale.double() * 1e-6),
        "ContinuousBernoulli": lambda: D.ContinuousBernoulli(p),
        "ContinuousBernoulliLogits": lambda: D.ContinuousBernoulli(logits=loc),
        "ContinuousBernoulliOfNumber": lambda: D.ContinuousBernoulli(0.3),
        "LKJ": lambda: D.LKJCholesky(3, scale.double()),
        "LKJOfNumber": lambda: D.LKJCholesky(2, 3.0),
        "Wishart": lambda: D.Wishart(T(3.5), cov),
        "WishartPrecision": lambda: D.Wishart(4, precision_matrix=cov),
        "WishartFactor": lambda: D.Wishart(scale + 3, scale_tril=T([[1.0, 0], [0.5, 2]])),
    }


def refused(torch: Any, loc: Any, scale: Any, p: Any, rows: Any, cov: Any) -> dict[str, Callable[[], Any]]:
    """Calls that raise."""
    D, T = torch.distributions, torch.tensor
    return {
        "negative scale": lambda: D.Normal(loc, -scale),
        "no number": lambda: D.Normal("a", 1),
        "empty interval": lambda: D.Uniform(1.0, 0.0),
        "probability": lambda: D.Bernoulli(1.5),
        "neither": lambda: D.Bernoulli(),
        "both": lambda: D.Bernoulli(0.5, 0.5),
        "scalar": lambda: D.Categorical(T(1.0)),
        "simplex": lambda: D.Categorical(T([-1.0, 2.0])),
        "covariance": lambda: D.MultivariateNormal(T([0.0, 0.0]), -cov),
        "no covariance": lambda: D.MultivariateNormal(T([0.0, 0.0])),
        "zero": lambda: D.Geometric(T([0.0, 0.5])),
        "dirichlet": lambda: D.Dirichlet(T(1.0)),
        "independent": lambda: D.Independent(D.Normal(0.0, 1.0), 1),
        "transform": lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), D.StickBreakingTransform()),
        "mixture": lambda: D.MixtureSameFamily(D.Categorical(rows), D.Normal(loc, scale)),
        "number": lambda: D.Normal(0.0, 1.0).log_prob(1),
        "category": lambda: D.Categorical(rows).log_prob(T([3, 0])),
        "event": lambda: D.MultivariateNormal(T([0.0, 0.0]), cov).log_prob(torch.zeros(3)),
        "batch": lambda: D.Normal(loc, scale).log_prob(torch.zeros(2)),
        "counts": lambda: D.Multinomial(T(3), rows),
        "scale of Pareto": lambda: D.Pareto(-scale, scale),
        "below Pareto": lambda: D.Pareto(scale, scale).log_prob(scale / 2),
        "beyond the end": lambda: D.GeneralizedPareto(0.0, 1.0, -1.0).log_prob(T(1.5)),
        "size of LKJ": lambda: D.LKJCholesky(1),
        "no factor": lambda: D.LKJCholesky(2).log_prob(torch.ones(2, 2)),
        "degrees of freedom": lambda: D.Wishart(T(0.5), cov),
        "no covariance of Wishart": lambda: D.Wishart(T(3.0)),
        "vector for Wishart": lambda: D.Wishart(T(3.0), T([1.0])),
        "continuous probability": lambda: D.ContinuousBernoulli(T(1.5), validate_args=True),
        "neither continuous": lambda: D.ContinuousBernoulli(),
        "divergence of families": lambda: D.kl_divergence(D.ContinuousBernoulli(0.3), D.Beta(1.0, 1.0)),
        "no divergence": lambda: D.kl_divergence(D.Normal(0.0, 1.0), D.Geometric(0.5)),
    }


def answer(torch: Any, question: Callable[[], Any]) -> list[Any]:
    """What came out, as JSON: a tensor, a text, or an error."""
    try:
        found = question()
    except Exception as error:  # the error is the answer
        return ["error", type(error).__name__, str(error)]
    if isinstance(found, torch.Tensor):
        values = found.detach().double().reshape(-1).tolist()
        return ["tensor", list(found.shape), str(found.dtype), found.requires_grad, values]
    return ["text", str(found)]


def of_distribution(torch: Any, make: Callable[[], Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The questions to one distribution, to be asked one after another."""
    d = make()
    yield "repr", lambda: repr(d)
    yield "shapes", lambda: (d.batch_shape, d.event_shape, d.has_rsample, d.has_enumerate_support)
    for name in PROPERTIES:
        yield name, lambda name=name: getattr(d, name)
    yield "sample", lambda: d.sample()
    yield "sample(4)", lambda: d.sample((4,))
    yield "rsample", lambda: d.rsample((2,))
    yield "the stream goes on", lambda: torch.rand(2)
    x = d.sample((2,))
    yield "log_prob", lambda: d.log_prob(x)
    yield "cdf", lambda: d.cdf(x)
    yield "icdf", lambda: d.icdf(torch.tensor(0.3))
    yield "entropy", lambda: d.entropy()
    yield "enumerate", lambda: d.enumerate_support()
    yield "enumerate, not expanded", lambda: d.enumerate_support(False)
    yield "expand", lambda: repr(d.expand((2, *d.batch_shape)))
    yield "expanded log_prob", lambda: d.expand((2, *d.batch_shape)).log_prob(x)
    yield "repr at last", lambda: repr(d)


def gradients(torch: Any, name: str, through_sample: bool) -> list[Any]:
    """The gradient that reaches each parameter."""
    torch.manual_seed(3)
    given = parameters(torch, grad=True)
    d = makers(torch, **given)[name]()
    (d.rsample((3,)).square() if through_sample else d.log_prob(d.sample((3,)))).sum().backward()
    return [None if t.grad is None else t.grad.reshape(-1).tolist() for t in given.values()]


def answers(torch: Any) -> dict[str, Any]:
    """All answers of one framework."""
    warnings.simplefilter("ignore")
    given, found = parameters(torch), {}
    made = makers(torch, **given)
    for name, make in made.items():
        torch.manual_seed(7)
        for question, ask in of_distribution(torch, make):
            found[f"{name}: {question}"] = answer(torch, ask)
    for name, call in refused(torch, **given).items():
        found[f"refused: {name}"] = answer(torch, call)
    simple = [name for name in made if name not in ("Tanh", "Logistic", "Mixture") and "Wishart" not in name]
    for a in simple:
        for b in simple:
            kl = answer(torch, lambda a=a, b=b: torch.distributions.kl_divergence(made[a](), made[b]()))
            if kl[0] == "tensor":
                found[f"kl: {a} {b}"] = kl
    for name in DIFFERENTIABLE:
        if name != "Wishart":  # PyTorch's overwrites what its own backward pass needs
            found[f"gradient of samples: {name}"] = gradients(torch, name, True)
        found[f"gradient of log_prob: {name}"] = gradients(torch, name, False)
    return found


def main() -> None:
    """Write PyTorch's answers, a line each."""
    torch = import_module("torch")
    import_module("torch.distributions")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(a)}" for name, a in answers(torch).items())
    EXPECTED.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
