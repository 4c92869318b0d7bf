"""How a whole optimizer step becomes one memoised edge: gather, run the rules, assign.

Each optimizer of this kind is a *pure rule*: `rule(param, grad, state, *numbers, **flags)` returns the new parameter
and the new state tensors, in plain tensor arithmetic. `RuleOptimizer.step` walks the groups and puts every parameter
that has a gradient into a bucket: parameters of one group that share the same numbers. All buckets together are an
`Update`: a layout (which rule, which flags, how many parameters), the tensors and the numbers. The engine's
`memoised` runs the rules the first time a layout is seen and replays them afterwards. Only when all new values are
there are they assigned, so that a step that fails changes nothing.

Everything that varies from step to step (learning rate, bias corrections) arrives at a rule as a number; whatever
decides which formula is used is a flag, a part of the layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import rushlight
from rushlight.optim.optimizer import Optimizer
from rushlight.optim.state import ParamState, number_tensor, values_of, write_values
from rushlight.record.memory import assign
from rushlight.record.trace import recorder
from rushlight.record.value import renew
from rushlight.tensor import Tensor, memoised

__all__ = [
    "Fetch",
    "Number",
    "Rule",
    "RuleOptimizer",
    "Step",
    "Update",
    "as_number",
    "decayed",
    "fetch",
    "lerp",
    "mixed",
    "replace",
    "zeros",
]

Number = Any  # a Python float, or the 0-dim tensor that stands for one while a rule is recorded
Rule = Callable[..., tuple[Tensor, ...]]
Fetch = Callable[[dict[str, Any]], tuple[Tensor, ...]]
Step = tuple[tuple[float, ...], tuple[Any, ...], tuple[Any, ...]]  # new host numbers, flags, numbers


class Part(NamedTuple):
    """The layout of one bucket: how many `params`, each with `width` tensors, and how many `numbers` they share."""

    rule: Rule
    flags: tuple[Any, ...]
    params: int
    width: int
    numbers: int


class Update:
    """One step being gathered: what goes into the rules and where the results go."""

    __slots__ = ("layout", "tensors", "numbers", "targets", "commits")

    def __init__(self) -> None:
        self.layout: list[tuple[Any, ...]] = []  # a Part each, but plain: made in every step, read in the first one
        self.tensors: list[Tensor] = []
        self.numbers: list[Any] = []
        self.targets: list[Tensor] = []
        self.commits: list[Callable[[], object]] = []

    def add(
        self,
        rule: Rule,
        flags: tuple[Any, ...],
        count: int,
        tensors: list[Tensor],
        targets: list[Tensor],
        numbers: tuple[Any, ...],
    ) -> None:
        """One bucket: `tensors` are `count` times (param, grad, *state), `targets` `count` times (param, *state)."""
        self.layout.append((rule, flags, count, len(tensors) // count, len(numbers)))
        self.tensors += tensors
        self.targets += targets
        self.numbers += numbers

    def run(self, differentiable: bool = False) -> None:
        """Computes all new values, assigns them, and then makes the changes to the state's dictionaries."""
        layout = tuple(self.layout)
        if not layout:
            return
        if differentiable:
            with rushlight.enable_grad():
                for target, new in zip(self.targets, apply_rules(layout, self.tensors, self.numbers), strict=True):
                    target.copy_(new)
        else:
            replace(self.targets, layout, self.tensors, self.numbers, partial(apply_rules, layout))
        for commit in self.commits:
            commit()


def replace(
    targets: Sequence[Tensor],
    key: tuple[Any, ...],
    tensors: Sequence[Tensor],
    numbers: Sequence[float],
    build: Callable[..., list[Tensor | None]],
) -> None:
    """Gives `targets` the values that `build(tensors, numbers)` makes, as one memoised edge outside the tape."""
    me = recorder()
    tracking, me.tracking = me.tracking, False
    try:
        news: Any = memoised(key, tensors, numbers, build)
        me.trace.overwrote = True
        renew(targets, news, assign)
    finally:
        me.tracking = tracking


def apply_rules(
    layout: Sequence[tuple[Any, ...]], tensors: Sequence[Tensor], numbers: Sequence[Number]
) -> list[Tensor | None]:
    """Runs the rules of a layout; the new values in the order of the targets."""
    out: list[Tensor | None] = []
    at = first = 0
    for part in [Part(*entry) for entry in layout]:
        options = dict(zip(_keyword_names(part.rule), part.flags, strict=True))
        own = numbers[first : first + part.numbers]
        first += part.numbers
        for _ in range(part.params):
            out += _apply_rule(part.rule, tensors[at : at + part.width], own, options)
            at += part.width
    return out


def _keyword_names(rule: Rule) -> tuple[str, ...]:
    code = rule.__code__  # type: ignore[attr-defined]
    return tuple(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])


def _apply_rule(
    rule: Rule, tensors: Sequence[Tensor], numbers: Sequence[Number], options: dict[str, Any]
) -> list[Tensor]:
    param, grad, *state = tensors
    if param.is_complex():  # as PyTorch: a complex number is trained as two real ones
        real = [rushlight.view_as_real(t) if t.is_complex() else t for t in tensors]
        made = rule(real[0], real[1], tuple(real[2:]), *numbers, **options)
        news = [rushlight.view_as_complex_copy(t) for t in made]  # a view could not be written where the old ones lie
    else:
        news = list(rule(param, grad, tuple(state), *numbers, **options))
    return [_fitted(new, old) for new, old in zip(news, (param, *state), strict=True)]


def _fitted(new: Tensor, old: Tensor) -> Tensor:
    """The new value with the dtype of the old; the shapes must agree, as for an in-place operation."""
    if new.shape != old.shape:
        raise RuntimeError(
            f"output with shape {list(old.shape)} doesn't match the broadcast shape {list(new.shape)}: the optimizer's "
            "state, its parameter and the gradient do not fit together; was the state loaded from another model?"
        )
    return new if new.dtype == old.dtype else new.to(old.dtype)


def as_number(value: Any, differentiable: bool = False) -> Any:
    """An option (learning rate, beta) as a Python number; a tensor to differentiate by stays one."""
    if value.__class__ is not float and isinstance(value, Tensor):
        return value if differentiable and value.requires_grad else value.item()
    return value


def lerp(start: Tensor, end: Tensor, weight: Number, *, small: bool) -> Tensor:
    """start + weight (end - start); for a weight of one half or more from the other end, which then rounds better."""
    return mixed(start, end, weight if small else 1 - weight, small=small)


def mixed(start: Tensor, end: Tensor, share: Number, *, small: bool) -> Tensor:
    """`lerp` by the share of the end that has less: `weight` where that is small, else 1 - weight."""
    return start + (end - start) * share if small else end - (end - start) * share


def decayed(param: Tensor, grad: Tensor, weight_decay: Number, *, decoupled: bool) -> tuple[Tensor, Tensor]:
    """(param, grad) after weight decay: in the gradient, or decoupled, where the number is the factor 1 - lr wd."""
    return (param * weight_decay, grad) if decoupled else (param, grad + param * weight_decay)


def fetch(*names: str) -> Fetch:
    """The function from a state to its tensors called `names`."""
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda state: (state[name],)


def zeros(param: Tensor, *names: str) -> dict[str, Tensor]:
    """State tensors like the parameter, filled with zeros."""
    return {name: rushlight.zeros_like(param, requires_grad=False) for name in names}


class Bucket:
    """Parameters of one group that share the same host numbers, so the same numbers in the rule."""

    __slots__ = ("tensors", "targets", "states", "live")

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.states: list[ParamState] = []
        self.live: list[dict[str, Any]] = []  # states whose 0-dim tensors are the truth


class RuleOptimizer(Optimizer):
    """An optimizer whose step is one rule per parameter.

    A subclass gives the `host_names` of the numbers it counts, its `later_options`, and four small methods: the rule
    and which state tensors it takes (`_rule`), what these are at the start (`_start`), the host numbers at the start
    (`_host_start`), and what a step makes of the numbers (`_advance`).
    """

    host_names: tuple[str, ...] | None = ("step",)  # None: the state has only tensors and stays a plain dictionary
    later_options: Mapping[str, Any] = {}  # those that groups of an older file lack, and what they were
    _repeats = False  # whether a group lists a parameter twice

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        """The rule for a group, and the function from a state to the tensors that the rule takes, in order."""
        raise NotImplementedError

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        """The state tensors of a parameter before its first step."""
        raise NotImplementedError

    def _host_start(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (0.0,)

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        """(new host numbers, flags, numbers) of the step after `host`."""
        raise NotImplementedError

    def _check(self, param: Tensor, grad: Tensor) -> None:
        """Refuses a parameter or gradient that the rule is not for; asked when state is made or looked at."""
        if grad.is_sparse:
            raise RuntimeError(f"{type(self).__name__} does not support sparse gradients{self._sparse_advice}")

    _sparse_advice = ""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """After loading, copying or unpickling: plain dictionaries become `ParamState`s again."""
        super().__setstate__(state)
        self._repeats = any(map(_has_repeats, self.param_groups))
        for group in self.param_groups:
            group.update({name: value for name, value in self.later_options.items() if name not in group})
        if self.host_names is None:
            return
        for group in self.param_groups:
            for param in group["params"]:
                loaded = self.state.get(param)
                if type(loaded) is dict and all(name in loaded for name in self.host_names):
                    self.state[param] = _with_host(self.host_names, loaded)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of training with the gradients there are; parameters whose `grad` is None stay.

        With `closure`, it is called first (with gradients enabled) and what it returns is returned.
        """
        loss = None
        if closure is not None:
            with rushlight.enable_grad():
                loss = closure()
        if self._repeats:
            self._step_in_turns()
        else:
            self._update([group["params"] for group in self.param_groups])
        recorder().end_step()
        return loss

    def _update(self, params: Sequence[list[Tensor]]) -> None:
        """One step for some parameters of each group."""
        update = Update()
        for group, own in zip(self.param_groups, params):
            self._gather(group, update, own)
        update.run(self.defaults.get("differentiable", False))

    def _step_in_turns(self) -> None:
        """A parameter that a group lists twice takes two steps, one after the other."""
        left = [list(group["params"]) for group in self.param_groups]
        while any(left):
            turns = [list({id(param): param for param in params}.values()) for params in left]
            self._update(turns)
            left = [_without(params, turn) for params, turn in zip(left, turns, strict=True)]

    def _check_no_duplicates(self, param_group: dict[str, Any]) -> None:
        super()._check_no_duplicates(param_group)
        self._repeats = self._repeats or _has_repeats(param_group)

    def _gather(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        """Puts those of a group's parameters that have a gradient into buckets, and these into `update`."""
        rule, fetch = self._rule(group)
        state = self.state
        buckets: dict[Any, Bucket] = {}
        for param in params:
            grad = param._grad
            if grad is None:
                continue
            own: Any = state.get(param)
            host: Any = own.host if own.__class__ is ParamState else None
            live = False
            if host is None:
                own, host, live = self._attach(param, grad, own, group, update)
            bucket = buckets.get(host)
            if bucket is None:
                bucket = buckets[host] = Bucket()
            tensors = fetch(own)
            bucket.tensors += (param, grad, *tensors)
            bucket.targets += (param, *tensors)
            (bucket.live if live else bucket.states).append(own)
        for host, bucket in buckets.items():
            self._add_bucket(rule, group, host, bucket, update)

    def _add_bucket(
        self, rule: Rule, group: dict[str, Any], host: tuple[float, ...], bucket: Bucket, update: Update
    ) -> None:
        new_host, flags, numbers = self._advance(group, host)
        count = len(bucket.states) + len(bucket.live)
        update.add(rule, flags, count, bucket.tensors, bucket.targets, numbers)
        update.commits.append(partial(_set_host, bucket, self.host_names or (), new_host))

    def _attach(
        self, param: Tensor, grad: Tensor, own: Any, group: dict[str, Any], update: Update
    ) -> tuple[dict[str, Any], tuple[float, ...], bool]:
        """(state, host numbers, live) of a parameter that is new, or whose numbers somebody has looked at."""
        self._check(param, grad)
        if not own:
            host = self._host_start(group)
            fresh = ParamState(self.host_names or (), host, self._start(param, group))
            update.commits.append(partial(self.state.__setitem__, param, fresh))
            return fresh, host, False
        if type(own) is ParamState and own.fold():
            assert own.host is not None
            return own, own.host, False
        return own, values_of(own, self.host_names or ()), True


def _with_host(names: tuple[str, ...], loaded: dict[str, Any]) -> ParamState:
    """A loaded state; files of old versions hold plain numbers where tensors are expected."""
    tensors = {k: number_tensor(v) if k in names and not isinstance(v, Tensor) else v for k, v in loaded.items()}
    return ParamState(names, None, tensors)


def _set_host(bucket: Bucket, names: tuple[str, ...], host: tuple[float, ...]) -> None:
    for state in bucket.states:
        state.host = host
    for live in bucket.live:
        write_values(live, names, host)


def _has_repeats(group: dict[str, Any]) -> bool:
    return len({id(param) for param in group["params"]}) != len(group["params"])


def _without(params: list[Tensor], turn: list[Tensor]) -> list[Tensor]:
    """`params` less one occurrence of each of `turn`."""
    taken = {id(param) for param in turn}
    left = []
    for param in params:
        if id(param) in taken:
            taken.remove(id(param))
        else:
            left.append(param)
    return left
