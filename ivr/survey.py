"""The satisfaction survey (满意度调查): what the caller is asked once the agent has hung up."""

from ivr.agi import AgiSession
from ivr.flow import Ask, Done, Flow, Say
from ivr.hotline import run_flow

ROUTE = "survey"
"""Script of FastAGI: `agi://HOST:PORT/survey`."""
ATTEMPTS, TIMEOUT_S = 2, 6.0


def survey() -> Flow:
    """Two questions, by one key each; who presses nothing is thanked and let go.

    The keys mean what `domain.ratings` says.
    """
    return Flow(
        "satisfied",
        {
            "satisfied": Ask(
                name="survey_satisfied",
                prompts=("survey-satisfied",),
                choices=dict.fromkeys("123", "resolved"),
                otherwise="thanks",
                attempts=ATTEMPTS,
                timeout_s=TIMEOUT_S,
            ),
            "resolved": Ask(
                name="survey_resolved",
                prompts=("survey-resolved",),
                choices=dict.fromkeys("12", "thanks"),
                otherwise="thanks",
                attempts=ATTEMPTS,
                timeout_s=TIMEOUT_S,
            ),
            "thanks": Say(("survey-thanks",), "done"),
            "done": Done(),
        },
    )


async def ask(session: AgiSession) -> None:
    """A handler for `FastAgiServer`: ask, then return to the dialplan, which hangs up."""
    await run_flow(session, survey())
