"""Menus as data and their pure interpreter: takes an event, returns the next state and effects."""

from msgspec import Struct

from domain.lines import Line


class Say(Struct, frozen=True, tag=True):
    """Step: play prompts, then go to step `then`."""

    prompts: tuple[str, ...]
    then: str


class Ask(Struct, frozen=True, tag=True):
    """Step: ask for one digit, up to `attempts` times while input is missing or wrong, then `otherwise`."""

    name: str
    prompts: tuple[str, ...]
    choices: dict[str, str]
    """Digit → step."""
    otherwise: str
    invalid: str = "invalid"
    attempts: int = 3
    timeout_s: float = 5.0


class Assign(Struct, frozen=True, tag=True):
    """Step: set channel variables, then go to step `then`."""

    variables: dict[str, str]
    then: str


class Done(Struct, frozen=True, tag=True):
    """Step: return to the dialplan."""


Step = Say | Ask | Assign | Done


class Flow(Struct, frozen=True):
    """A menu: steps by name, and the step it starts at."""

    start: str
    steps: dict[str, Step]


class Played(Struct, frozen=True):
    """Event: the prompts of a `Play` have been played."""


class Digit(Struct, frozen=True):
    """Event: the caller pressed a key; `digit` is "" if none was pressed in time."""

    digit: str


Event = Played | Digit


class Play(Struct, frozen=True):
    """Effect: play prompts."""

    prompts: tuple[str, ...]


class Collect(Struct, frozen=True):
    """Effect: play interruptible prompts and wait for one digit."""

    prompts: tuple[str, ...]
    timeout_s: float


class SetVariable(Struct, frozen=True):
    """Effect: set a channel variable."""

    name: str
    value: str


class GoTo(Struct, frozen=True):
    """Effect: the flow has entered this step (for logging)."""

    step: str


class HandOver(Struct, frozen=True):
    """Effect: the flow is over, return to the dialplan."""


Effect = Play | Collect | SetVariable | GoTo | HandOver


class State(Struct, frozen=True):
    """Where a caller is in a flow: the current step and the failed attempts at it."""

    step: str
    tries: int = 0


def begin(flow: Flow) -> tuple[State, tuple[Effect, ...]]:
    """Enter the flow and return the effects up to the first one that waits."""
    return _enter(flow, flow.start)


def advance(flow: Flow, state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """Return what follows from `event` in `state`. An event the step does not wait for changes nothing."""
    step = flow.steps[state.step]
    match step, event:
        case Say(), Played():
            return _enter(flow, step.then)
        case Ask(), Digit(digit=digit):
            if digit in step.choices:
                answer = SetVariable(f"HOTLINE_IVR_{step.name.upper()}", digit)
                after, effects = _enter(flow, step.choices[digit])
                return after, (answer, *effects)
            tries = state.tries + 1
            if tries >= step.attempts:
                return _enter(flow, step.otherwise)
            prompts = (step.invalid, *step.prompts) if digit else step.prompts
            return State(state.step, tries), (Collect(prompts, step.timeout_s),)
        case _:
            return state, ()


def _enter(flow: Flow, name: str) -> tuple[State, tuple[Effect, ...]]:
    effects: list[Effect] = []
    for _ in range(len(flow.steps) + 1):
        step = flow.steps[name]
        effects.append(GoTo(name))
        match step:
            case Say():
                return State(name), (*effects, Play(step.prompts))
            case Ask():
                return State(name), (*effects, Collect(step.prompts, step.timeout_s))
            case Done():
                return State(name), (*effects, HandOver())
            case Assign():
                effects += [SetVariable(key, value) for key, value in step.variables.items()]
                name = step.then
    raise ValueError(f"the flow runs in a circle at step {name!r} without waiting")


def line_of(lines: tuple[Line, ...], called: str, given: str = "") -> Line:
    """Return the line of a dialled number, else the one given by the dialplan, else the first general line.

    Raises:
        ValueError: no line is configured.
    """
    if not lines:
        raise ValueError("no line is configured; add [[lines]]")
    found = [line for line in lines if called and called in line.numbers]
    found += [line for line in lines if line.id == given]
    found += [line for line in lines if line.form == "general"]
    return (found or list(lines))[0]


def greeting(lines: tuple[Line, ...], dialled: Line, *, attempts: int = 3, timeout_s: float = 5.0) -> Flow:
    """Build the greeting: a menu of all lines with a digit, skipped on a dedicated line's own number.

    A line is dedicated (专席) if its form is not `general`. Callers who press nothing get the dialled line.
    """
    steps: dict[str, Step] = {"connect": Say(("connecting",), "done"), "done": Done()}
    for line in lines:
        steps[f"line-{line.id}"] = Assign({"HOTLINE_LINE": line.id, "HOTLINE_QUEUE": line.queue}, "connect")
    here = f"line-{dialled.id}"
    offered = [line for line in lines if line.digit]
    if dialled.form != "general" or len(offered) < 2:
        steps["welcome"] = Say(("welcome",), here)
        return Flow("welcome", steps)
    steps["menu"] = Ask(
        name="menu",
        prompts=(
            "welcome",
            *(prompt for line in offered for prompt in (f"line-{line.id}", _key(line.digit))),
        ),
        choices={line.digit: f"line-{line.id}" for line in offered},
        otherwise=here,
        attempts=attempts,
        timeout_s=timeout_s,
    )
    return Flow("menu", steps)


def _key(digit: str) -> str:
    return "press-" + {"*": "star", "#": "hash"}.get(digit, digit)
