"""Ready-made parametrizations: orthogonal weights, weight normalization and spectral normalization."""

from __future__ import annotations

from typing import Any

from rushlight.autograd import no_grad
from rushlight.nn import functional as F
from rushlight.nn.module import Module
from rushlight.nn.utils import parametrize
from rushlight.nn.utils.spectral_norm import as_matrix, default_dim
from rushlight.nn.utils.weight_norm import norm_except_dim, normalized
from rushlight.tensor import Tensor

_ORTHOGONAL_MAPS = ("matrix_exp", "cayley", "householder")


def _tensor_of(module: Module, name: str) -> Tensor:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalized(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train length and direction of the parameter `name` apart, for each index of `dim`. Salimans & Kingma 2016.

    The length becomes `parametrizations.<name>.original0`, the direction `original1`; state dicts of the older form
    (`weight_g`, `weight_v`) load too.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename_old_keys(state_dict: Any, prefix: str, *rest: Any) -> None:
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename_old_keys)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        dims = weight.ndim
        if not -dims <= dim < dims:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{dims}, {dims - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % dims
        self.eps = eps
        if dims > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            with no_grad():
                u, v = (matrix.new_empty(n).normal_(0, 1) for n in matrix.size())
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix: Tensor, iterations: int) -> None:
        with no_grad():
            for _ in range(iterations):
                self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next iteration must not change what backward needs
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # the singular value may be anything, so any weight is its own original


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide the parameter `name` by its largest singular value, which power iteration follows. Miyato et al. 2018."""
    weight = _tensor_of(module, name)
    dim = default_dim(module) if dim is None else dim
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module


class _Orthogonal(Module):
    """Any matrix to one with orthonormal columns, or rows if there are fewer of them.

    With `use_trivialization` the map is taken relative to `base`, the matrix that was set last.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - a matrix
        wide = X.size(-2) < X.size(-1)
        tall = X.mT if wide else X
        q = self._householder(tall) if self.orthogonal_map == "householder" else self._from_skew(tall)
        if hasattr(self, "base"):
            q = self.base @ q  # type: ignore[operator]
        return q.mT if wide else q

    def _from_skew(self, x: Tensor) -> Tensor:
        """exp(A), or (1 + A/2) / (1 - A/2), of the skew-symmetric A made of the lower triangle."""
        import rushlight

        n, k = x.size(-2), x.size(-1)
        x = x.tril()
        if n != k:
            x = rushlight.cat([x, x.new_zeros(n, n - k).expand(*x.shape[:-2], -1, -1)], dim=-1)
        a = x - x.mH
        if self.orthogonal_map == "matrix_exp":
            q = rushlight.linalg.matrix_exp(a)
        else:
            one = rushlight.eye(n, dtype=a.dtype, device=a.device)
            q = rushlight.linalg.solve(one - 0.5 * a, one + 0.5 * a)
        return q[..., :k]

    def _householder(self, x: Tensor) -> Tensor:
        import rushlight

        a = x.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (a * a).sum(dim=-2))
        return rushlight.linalg.householder_product(a, tau) * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    def right_inverse(self, Q: Tensor) -> Tensor:  # noqa: N803 - a matrix
        import rushlight

        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        with no_grad():
            wide = Q.size(-2) < Q.size(-1)
            q = Q.mT if wide else Q
            if not hasattr(self, "base"):
                reflectors = self._reflectors(q)
                return reflectors.mT if wide else reflectors
            n, k = q.size(-2), q.size(-1)
            if n != k:
                fill = rushlight.randn(*q.size()[:-2], n, n - k, dtype=q.dtype, device=q.device)
                q = _orthonormal(rushlight.cat([q, fill], dim=-1))
            else:
                q = q.clone() if _is_orthogonal(q) else _orthonormal(q)
            self.base = q
            eye = rushlight.eye(Q.size(-2), Q.size(-1), dtype=Q.dtype, device=Q.device)
            return (-eye).expand(Q.shape).clone()

    def _reflectors(self, q: Tensor) -> Tensor:
        import rushlight

        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        a, tau = rushlight.geqrf(q)
        diagonal = a.diagonal(dim1=-2, dim2=-1)
        sign = rushlight.where(tau == 0.0, -diagonal.sign(), diagonal.sign())
        eye = rushlight.eye(a.size(-2), a.size(-1), dtype=a.dtype, device=a.device)
        return a.tril(-1) + a.triu(1) + eye * sign.unsqueeze(-2)


def _is_orthogonal(q: Tensor) -> bool:
    import rushlight

    one = rushlight.eye(q.size(-1), dtype=q.dtype, device=q.device)
    return bool(rushlight.allclose(q.mH @ q, one, atol=10.0 * q.size(-2) * rushlight.finfo(q.dtype).eps))


def _orthonormal(a: Tensor) -> Tensor:
    """The Q of A = QR whose R has a positive diagonal."""
    import rushlight

    q, r = rushlight.linalg.qr(a)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep the parameter `name` (the last two dimensions) orthogonal. Lezcano-Casado 2019.

    `orthogonal_map` is "matrix_exp" (the default for square and complex weights), "cayley" or "householder". Raises
    ValueError for another, for a name that is no tensor and for fewer than 2 dimensions.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _ORTHOGONAL_MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    constraint = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, constraint, unsafe=True)
    return module
