"""Spare ports are free, and none that an outgoing connection could take meanwhile."""

import socket

import pytest

from gateway.asterisk.ports import BLOCKS, SINGLE, NoSparePortError, spare_block, spare_tcp, spare_udp

EPHEMERAL = 32_768


def test_a_spare_port_can_be_listened_on_and_is_then_spare_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SINGLE.stop <= EPHEMERAL and BLOCKS.stop + 200 <= EPHEMERAL
    for spare, kind in ((spare_tcp, socket.SOCK_STREAM), (spare_udp, socket.SOCK_DGRAM)):
        port = spare()
        assert port in SINGLE
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", port))
            monkeypatch.setattr("gateway.asterisk.ports.SINGLE", range(port, port + 1))
            with pytest.raises(NoSparePortError, match=str(port)):
                spare()
        assert spare() == port
        monkeypatch.undo()


def test_a_block_is_free_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    first = spare_block(20)
    assert first % 2 == 0
    monkeypatch.setattr("gateway.asterisk.ports.BLOCKS", range(first, first + 2, 2))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first + 19))
        with pytest.raises(NoSparePortError):
            spare_block(20)
        assert spare_block(19) == first


def test_what_is_asked_for_one_after_the_other_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens on the first yet when the second is asked for, as when a PBX's ports are chosen.
    few = range(SINGLE.start, SINGLE.start + 20)
    monkeypatch.setattr("gateway.asterisk.ports.SINGLE", few)
    monkeypatch.setattr("gateway.asterisk.ports._given", {})
    for spare in (spare_tcp, spare_udp):
        chosen = [spare() for _ in range(8)]
        assert len(set(chosen)) == 8
    first = spare_block(20)
    monkeypatch.setattr("gateway.asterisk.ports.BLOCKS", range(first, first + 42, 2))
    second = spare_block(20)
    assert second >= first + 20


def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(NoSparePortError, match=r"203\.0\.113\.7"):
        spare_udp("203.0.113.7")
