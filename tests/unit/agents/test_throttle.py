"""What the login throttle promises; a library would have to keep it (docs/adr/0009-libraries.md)."""

from agents.accounts.throttle import Buckets, LoginThrottle


def test_ten_tries_at_once_then_one_each_half_minute_and_a_refusal_costs_nothing() -> None:
    throttle = LoginThrottle()
    assert [throttle.attempt("wang", f"10.0.0.{n}", 0.0) for n in range(10)] == [0.0] * 10
    assert [throttle.attempt("wang", "10.0.1.1", 0.0) for _ in range(100)] == [30.0] * 100
    assert throttle.attempt("wang", "10.0.1.1", 15.0) == 15.0
    assert throttle.attempt("wang", "10.0.1.1", 30.0) == 0.0
    assert throttle.attempt("wang", "10.0.1.1", 30.0) == 30.0


def test_an_address_is_slowed_down_whatever_the_names() -> None:
    throttle = LoginThrottle()
    assert [throttle.attempt(f"name{n}", "10.0.0.1", 0.0) for n in range(31)] == [0.0] * 30 + [6.0]
    assert throttle.attempt("another", "10.0.0.2", 0.0) == 0.0


def test_a_login_gives_the_account_its_tries_back_and_the_address_one() -> None:
    throttle = LoginThrottle(account_tries=3, address_tries=4)
    for _ in range(3):
        assert throttle.attempt("wang", "10.0.0.1", 0.0) == 0.0
    throttle.succeeded("wang", "10.0.0.1", 0.0)
    tries = [throttle.attempt("wang", "10.0.0.1", 0.0) for _ in range(3)]
    assert tries == [0.0, 0.0, 6.0], "the account has three again, the address two of its four"


def test_made_up_names_do_not_swell_it() -> None:
    buckets = Buckets(10, 30.0, most=100)
    for n in range(1000):
        buckets.take(f"name{n}", 0.0)
    assert len(buckets) == 100
