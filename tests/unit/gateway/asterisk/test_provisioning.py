"""The rendered configuration: complete, and nothing a name holds can become configuration."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.asterisk.actions import media_connection
from gateway.asterisk.provisioning import MARKER, ProvisionError, ProvisionOptions, plain, render, write
from gateway.settings import AgentSettings, Settings, SoftphoneSettings, load_settings
from gateway.settings.load import EXAMPLE

OPTIONS = ProvisionOptions(
    ami_secret="a-long-secret",
    phone_passwords={"1001": "password-1", "1002": "password-2", "1003": "password-3"},
)


def rendered(settings: Settings | None = None, options: ProvisionOptions = OPTIONS) -> dict[str, str]:
    settings = settings or load_settings(EXAMPLE)
    return render(settings, settings.pbx[0], options)


def test_lines_and_agents_are_there_and_each_file_says_whence() -> None:
    files = rendered()
    assert {"manager.conf", "pjsip.conf", "queues.conf", "extensions.conf", "rtp.conf"} <= set(files)
    assert all(MARKER in text for text in files.values())
    assert "member => PJSIP/1002,5,1002,PJSIP/1002" in files["queues.conf"]
    assert "Gosub(hotline-answer,s,1(yiqilai,yiqilai,12346))" in files["extensions.conf"]
    assert "hotline-demo" not in files["extensions.conf"]


def test_a_browser_phone_is_told_apart_and_tls_only_where_there_is_a_certificate() -> None:
    settings = load_settings(EXAMPLE)
    agents = [one.model_copy(update={"softphone": one.id == "1002"}) for one in settings.agents]
    settings = settings.model_copy(update={"agents": agents})
    files = rendered(settings)
    assert "[1001](agent)" in files["pjsip.conf"]
    assert "[1002](agent-webrtc)" in files["pjsip.conf"]
    assert "tls" not in files["http.conf"]
    softphone = SoftphoneSettings(url="wss://pbx.example.cn:8443/ws", port=8443, certificate="/k/c.pem")
    pbx = settings.pbx[0].model_copy(update={"softphone": softphone})
    text = render(settings, pbx, OPTIONS)["http.conf"]
    assert "tlsbindaddr = 0.0.0.0:8443" in text
    assert "tlscertfile = /k/c.pem" in text
    assert "\nbindaddr = 127.0.0.1" in text
    with pytest.raises(ValueError, match="certificate"):
        SoftphoneSettings(certificate="/k/c.pem\nenabled = no")


def test_two_phones_of_an_agent_and_the_one_chosen_rings() -> None:
    example = load_settings(EXAMPLE)
    two = {"softphone": True, "desk_phone": "PJSIP/1001-desk"}
    first, *others = example.agents
    settings = example.model_copy(update={"agents": [first.model_copy(update=two), *others]})
    passwords = {**OPTIONS.phone_passwords, "1001-desk": "password-1d"}
    files = rendered(settings, ProvisionOptions(ami_secret="a-long-secret", phone_passwords=passwords))
    assert "[1001](agent-webrtc)" in files["pjsip.conf"]
    assert "[1001-desk](agent)" in files["pjsip.conf"]
    assert "password = password-1d" in files["pjsip.conf"]
    assert files["pjsip.conf"].count('callerid = "王芳" <1001>') == 2
    chosen = '${IF($["${DEVICE_STATE(Custom:hotline-desk-1001)}" = "INUSE"]?PJSIP/1001-desk:PJSIP/1001)}'
    assert f"exten => 1001,1,Dial({chosen},30,t${{HOTLINE_FEATURES}})" in files["extensions.conf"]
    assert "exten => 1002,1,Dial(PJSIP/1002,30,t${HOTLINE_FEATURES})" in files["extensions.conf"]
    # A member by a phone that may change cannot stand in a file; the others do.
    assert "member => PJSIP/1001" not in files["queues.conf"]
    assert "member => PJSIP/1002,5,1002,PJSIP/1002" in files["queues.conf"]
    assert "persistentmembers = yes" in files["queues.conf"]
    assert "persistentmembers = no" in rendered()["queues.conf"]
    with pytest.raises(ProvisionError, match="PJSIP/1001-desk"):
        rendered(settings)


def test_ami_gets_the_least_privilege() -> None:
    text = rendered()["manager.conf"]
    write = next(line for line in text.splitlines() if line.startswith("write ="))
    assert set(write.partition("= ")[2].split(",")) == {"system", "call", "agent", "reporting", "originate"}
    assert "deny = 0.0.0.0/0.0.0.0" in text


def test_a_hostile_name_stays_a_name() -> None:
    settings = load_settings(EXAMPLE)
    hostile = AgentSettings(
        id="1009",
        name='x" <1>;comment\\ [trunk] ${SHELL(id)}',
        phone="PJSIP/1009",
        lines={"12345": 0},
    )
    changed = settings.model_copy(update={"agents": [hostile]})
    options = ProvisionOptions(ami_secret="a-long-secret", phone_passwords={"1009": "password-9"})
    text = rendered(changed, options)["pjsip.conf"]
    caller_id = next(line for line in text.splitlines() if line.startswith("callerid ="))
    assert caller_id.count('"') == 2
    assert not set(";[]$\\") & set(caller_id)
    assert plain("a\r\nb;c") == "a  b c"


@pytest.mark.parametrize("secret", ["short", "with space in it", "semi;colon;secret", "line\nbreak-secret"])
def test_a_secret_asterisk_would_misread_is_refused(secret: str) -> None:
    with pytest.raises(ProvisionError, match="8 to 128"):
        rendered(options=ProvisionOptions(ami_secret=secret))


def test_a_phone_without_a_password_is_named() -> None:
    with pytest.raises(ProvisionError, match="PJSIP/1001"):
        rendered(options=ProvisionOptions(ami_secret="a-long-secret"))


def test_foreign_files_are_not_overwritten_and_secrets_are_private(tmp_path: Path) -> None:
    files = rendered()
    (tmp_path / "pjsip.conf").write_text("; mine\n")
    with pytest.raises(ProvisionError, match=r"pjsip\.conf"):
        write(files, tmp_path)
    assert (tmp_path / "pjsip.conf").read_text() == "; mine\n"
    write(files, tmp_path, force=True)
    write(files, tmp_path)
    for name in ("manager.conf", "pjsip.conf"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_gateways_that_serve_in_turn_are_both_in_the_dialplan() -> None:
    options = replace(
        OPTIONS,
        agi="10.0.0.5:4573",
        agi_peers=("10.0.0.6:4573",),
        mediasocket="10.0.0.5:4575",
        mediasocket_peers=("10.0.0.6:4575",),
    )
    files = rendered(options=options)
    dialplan = files["extensions.conf"]
    first = dialplan.index("AGI(${HOTLINE_AGI},${HOTLINE_LINE})")
    second = dialplan.index('ExecIf($["${AGISTATUS}" = "FAILURE"]?AGI(agi://10.0.0.6:4573/hotline,')
    assert first < second < dialplan.index("Goto(hotline-queue,${HOTLINE_LINE},1)")
    media = files["websocket_client.conf"]
    for host in ("10.0.0.5", "10.0.0.6"):
        name = media_connection(f"{host}:4575", shared=True)
        section = media.partition(f"[{name}]\n")[2].partition("[")[0]
        assert f"uri = ws://{host}:4575/media\n" in section
    alone = rendered(options=replace(options, agi_peers=(), mediasocket_peers=()))
    assert "[hotline-media]\n" in alone["websocket_client.conf"]
    assert "AGISTATUS" not in alone["extensions.conf"]
