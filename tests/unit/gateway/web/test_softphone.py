"""The browser phone's registration: only one's own, and its password nowhere else."""

import time
from pathlib import Path
from typing import Any, cast

import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.softphones import IceServer, SoftphoneUnavailableError, ice_servers
from gateway.asterisk.softphones import Softphones, websocket_urls
from gateway.settings import PbxSettings, SettingsError, SoftphoneSettings, load_settings, masked
from gateway.settings.load import EXAMPLE
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.api import PASSWORD, House
from tests.support.web import WebServices, create_app

URL = "wss://pbx.example.cn:8089/ws"


def house_of(store: Any, directory: Path) -> tuple[AccountService, Any, Path]:
    """Agents 1001 and 1002 with browser phones, 1003 with a desk phone."""
    example = load_settings(EXAMPLE)
    file = directory / "phones.secret"
    agents = [one.model_copy(update={"softphone": one.id != "1003"}) for one in example.agents]
    settings = example.model_copy(update={"agents": agents})
    pbx = PbxSettings(
        name="main",
        phones_file=file,
        softphone=SoftphoneSettings(url=URL, ice_servers=["stun:stun.example.cn:3478"]),
    )
    pbxs = {"main": pbx}
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    none = cast(Any, None)
    app = create_app(
        WebServices(
            accounts,
            LiveView(),
            none,
            none,
            none,
            softphones=Softphones(settings, pbxs, "main"),
            softphone_urls=websocket_urls(pbxs),
            agent_names={one.id: one.name for one in agents},
            pause_reasons=settings.desk.pause_reasons,
        )
    )
    return accounts, app, file


async def test_an_agent_gets_her_own_phone_and_no_other(store: Any, tmp_path: Path) -> None:
    accounts, app, file = house_of(store, tmp_path)
    file.write_text("# made by hand\n1001\tsip-secret-1\n1003\tsip-secret-3\n", encoding="utf-8")
    for name, role, agent in (
        ("wang", Role.AGENT, "1001"),
        ("li", Role.AGENT, "1002"),
        ("chen", Role.AGENT, "1003"),
        ("ban", Role.SUPERVISOR, None),
    ):
        await accounts.create_account(name, PASSWORD, role, agent)
    async with serve_web(app, "127.0.0.1", 0) as port:
        it = House(f"http://127.0.0.1:{port}", app, None, accounts)
        with capture_logs() as logs:
            wang = await it.sign_in("wang")
            status, headers, phone = await it.ask("GET", "/api/v1/softphone", headers=wang)
            assert status == 200
            assert phone == {
                "username": "1001",
                "password": "sip-secret-1",
                "domain": "pbx.example.cn",
                "websocket": URL,
                "display_name": "王芳",
                "ice_servers": [{"urls": ["stun:stun.example.cn:3478"]}],
                "ice_lasts_s": None,
            }
            assert headers["Cache-Control"] == "no-store"
            assert f" {URL};" in headers["Content-Security-Policy"]
            _, _, me = await it.ask("GET", "/api/v1/session", headers=wang)
            assert (me["phones"], me["name"], me["permissions"]) == (["browser"], "王芳", [])
            assert me["pause_reasons"] == ["小休", "培训", "会议", "用餐"]
            assert "sip-secret" not in str(me)
            # No password of hers is configured: a fault of the house, told to the log, not to her.
            status, _, problem = await it.ask("GET", "/api/v1/softphone", headers=await it.sign_in("li"))
            assert status == 503
            assert str(file) not in problem["detail"]
            # A desk phone, and nobody's phone.
            for name, phones in (("chen", ["desk"]), ("ban", [])):
                hers = await it.sign_in(name)
                assert (await it.ask("GET", "/api/v1/softphone", headers=hers))[0] == 404
                assert (await it.ask("GET", "/api/v1/session", headers=hers))[2]["phones"] == phones
            ban = (await it.ask("GET", "/api/v1/session", headers=await it.sign_in("ban")))[2]
            assert ban["name"] == "ban"
            assert "see_all" in ban["permissions"]
        assert "sip-secret" not in str(logs)
        assert [one["reason"] for one in logs if one["event"] == "softphone_unavailable"] == [
            "no SIP password for PJSIP/1002: add it to phones_file of PBX main,"
            " or set HOTLINE_AGENTS_1002_SECRET"
        ]


async def test_an_own_secret_wins(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "hotline.toml"
    config.write_text(
        '[[pbx]]\nname = "main"\nphones_file = "phones.secret"\nsoftphone.url = "ws://127.0.0.1:8088/ws"\n'
        '[[agents]]\nid = "1001"\nname = "x"\nphone = "PJSIP/1001"\nsoftphone = true\n',
        encoding="utf-8",
    )
    (tmp_path / "phones.secret").write_text("1001\tfrom-the-file\n", encoding="utf-8")

    async def password() -> str:
        settings = load_settings(config)
        phone = await Softphones(settings, {"main": settings.pbx[0]}, "main").of("1001")
        assert phone is not None
        assert phone.password not in repr(phone)
        return phone.password

    assert await password() == "from-the-file"
    monkeypatch.setenv("HOTLINE_AGENTS_1001_SECRET", "from-the-environment")
    assert await password() == "from-the-environment"


STUN, TURN = "stun:stun.example.cn:3478", ("turn:turn.example.cn", "turns:turn.example.cn?transport=tcp")


def test_turn_credentials_are_those_a_turn_server_makes_itself() -> None:
    # printf 1700000000:1001 | openssl dgst -sha1 -hmac 'north of the river' -binary | base64
    assert ice_servers((TURN[0], STUN, TURN[1]), "north of the river", "1001", 1700000000.9) == (
        IceServer((STUN,)),
        IceServer(TURN, "1700000000:1001", "Aos48XxmV2eiyNSWBIrmVOYicxw="),
    )
    assert ice_servers((STUN,), None, "1001", 0.0) == (IceServer((STUN,)),)
    with pytest.raises(ValueError, match="TURN"):
        ice_servers(TURN, None, "1001", 0.0)


async def test_turn_credentials_end_and_their_secret_is_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "hotline.toml"
    text = (
        '[[pbx]]\nname = "main"\nphones_file = "phones.secret"\nsoftphone.url = "ws://127.0.0.1:8088/ws"\n'
        f'softphone.ice_servers = ["{STUN}", "{TURN[0]}"]\nsoftphone.turn_ttl_s = 3600\n%s'
        '[[agents]]\nid = "1001"\nname = "x"\nphone = "PJSIP/1001"\nsoftphone = true\n'
    )
    config.write_text(text % "", encoding="utf-8")
    (tmp_path / "phones.secret").write_text("1001\tsip-secret\n", encoding="utf-8")
    (tmp_path / "turn.secret").write_text("from the file\n", encoding="utf-8")

    async def turn() -> IceServer:
        settings = load_settings(config)
        shown = f"{settings!r} {masked(settings)}"
        phone = await Softphones(settings, {"main": settings.pbx[0]}, "main").of("1001")
        assert phone is not None
        assert phone.ice_lasts_s == 3600
        stun, turn = phone.ice_servers
        assert (stun.urls, stun.credential, turn.urls) == ((STUN,), "", (TURN[0],))
        ends, _, agent = turn.username.partition(":")
        assert agent == "1001"
        assert abs(int(ends) - time.time() - 3600) < 60
        assert turn.credential not in f"{phone!r} {turn!r}"
        assert "from the" not in f"{shown} {phone!r} {turn!r}"
        return turn

    with pytest.raises(SoftphoneUnavailableError, match="HOTLINE_PBX_MAIN_TURN_SECRET"):
        await turn()
    config.write_text(text % 'softphone.turn_secret_file = "turn.secret"\n', encoding="utf-8")
    one = await turn()
    assert ice_servers((TURN[0],), "from the file", "1001", float(one.username.split(":")[0])) == (one,)
    monkeypatch.setenv("HOTLINE_PBX_MAIN_TURN_SECRET", "from the environment")
    assert (await turn()).credential != one.credential
    monkeypatch.delenv("HOTLINE_PBX_MAIN_TURN_SECRET")
    config.write_text(text % 'softphone.turn_secret = "inline"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="turn_secret: secrets must not be in this file"):
        load_settings(config)


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ('phone = "PJSIP/1001"\nsoftphone = true', "how a browser"),
        ('phone = "SIP/1001"\nsoftphone = true', "needs phone"),
    ],
)
def test_a_browser_phone_nobody_can_reach_is_told(tmp_path: Path, agent: str, said: str) -> None:
    config = tmp_path / "hotline.toml"
    config.write_text(
        f'[[pbx]]\nname = "main"\n[[agents]]\nid = "1001"\nname = "x"\n{agent}\n', encoding="utf-8"
    )
    with pytest.raises(SettingsError, match=said):
        load_settings(config)


def test_a_url_cannot_widen_the_content_policy() -> None:
    for hostile in ("wss://a;script-src *", "wss://*/ws", "https://a/ws", "wss://a/ws b"):
        with pytest.raises(ValueError, match="url"):
            SoftphoneSettings(url=hostile)
