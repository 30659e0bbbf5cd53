"""A wrong configuration names the key, the value and the fix; a secret never shows."""

from pathlib import Path

import pytest

from gateway.settings import HttpSettings, SettingsError, load_settings, masked
from gateway.settings.load import EXAMPLE


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "hotline.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value)


def test_the_example_is_valid_and_complete() -> None:
    settings = load_settings(EXAMPLE)
    assert [line.name for line in settings.lines] == ["政务服务便民热线", "一企来", "尚贤人才"]
    assert [agent.id for agent in settings.agents] == ["1001", "1002", "1003"]


def test_wrong_values_name_key_value_and_fix(tmp_path: Path) -> None:
    text = problems(tmp_path, '[http]\nport = 99999\nprot = 1\n[[lines]]\nid = "a b"\nname = "x"\n')
    assert "http.port = 99999: Input should be less than or equal to 65535" in text
    assert "http.prot: unknown key; remove it or fix its spelling" in text
    assert "lines.0.queue: missing; add it" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "not valid TOML"),
        ('[district]\nplaces = "x.tsv"\n', "district: called reference since 0.2; rename it"),
        (
            '[[alarms]]\nid = "a"\nname = "x"\nmeasure = "unsent"\nabove = 1\n',
            "called 'unsubmitted' since 0.2",
        ),
        ('[[pbx]]\nname = "main"\nsecret = "hunter2"\n', "secret_file"),
        ('[database]\nurl = "mysql://x"\n', "sqlite+aiosqlite"),
        ('[database]\nurl = "postgresql+asyncpg://u:hunter2@h/d"\n', "database.url: secrets must not"),
        ('[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1"\nlines = { nope = 0 }\n', "unknown line nope"),
        ('[[pbx]]\nname = "a"\n[[pbx]]\nname = "a"\n', "given twice"),
        ('[[lines]]\nid = "a"\nname = "x\\ny"\nqueue = "q"\n', "one line"),
        (
            '[[lines]]\nid = "g"\nname = "g"\nqueue = "g"\n'
            '[[lines]]\nid = "s"\nname = "s"\nqueue = "s"\npriority = 5\n'
            "overflow = [{ after_s = 20, max_penalty = 10 }]\n"
            '[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1"\nlines = { g = 0, s = 10 }\n',
            "give s no priority, or take s from the lines of agent 1",
        ),
        ('[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1\\nexec"\n', "agents.0.phone"),
        ('[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1"\ndesk_phone = "PJSIP/2"\n', "softphone = true"),
        (
            '[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1"\nsoftphone = true\ndesk_phone = "PJSIP/2"\n'
            '[[agents]]\nid = "2"\nname = "b"\nphone = "PJSIP/2"\n',
            "agents.phone: PJSIP/2 is given twice",
        ),
        ('[[alarms]]\nid = "a"\nname = "x"\nmeasure = "waiting"\n', "either above or below"),
        ('[[alarms]]\nid = "a"\nname = "x"\nmeasure = "queue"\nabove = 1\n', "alarms.0.measure"),
        (
            '[[alarms]]\nid = "a"\nname = "x"\nmeasure = "service_level"\nbelow = 95\n',
            "service_level is a share, 0 to 1",
        ),
        (
            '[[alarms]]\nid = "a"\nname = "x"\nmeasure = "waiting"\nabove = 1\nlines = ["nope"]\n',
            "alarm a names unknown line nope",
        ),
        (
            '[[alarms]]\nid = "a"\nname = "x"\nmeasure = "paused"\nabove = 1\nlines = ["nope"]\n',
            "paused is not measured per line",
        ),
    ],
)
def test_each_fault_is_told(tmp_path: Path, text: str, said: str) -> None:
    message = problems(tmp_path, text)
    assert said in message
    assert "hunter2" not in message


def test_a_missing_file_names_the_example(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"hotline\.example\.toml"):
        load_settings(tmp_path / "none.toml")


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text('data_dir = "d"\n[http]\nport = 8000\n', encoding="utf-8")
    monkeypatch.setenv("HOTLINE_HTTP__PORT", "9000")
    settings = load_settings(path)
    assert settings.http.port == 9000
    assert settings.data_dir == tmp_path / "d"


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_PBX", '[{"name": "main", "secret": "hunter2"}]')
    monkeypatch.setenv("HOTLINE_DATABASE__URL", "postgresql+asyncpg://u:hunter2@h/d")
    monkeypatch.setenv("HOTLINE_CONFIG", str(tmp_path / "empty.toml"))
    (tmp_path / "empty.toml").write_text("")
    settings = load_settings()
    assert settings.pbx[0].read_secret() == "hunter2"
    assert "hunter2" not in str(masked(settings))
    assert "hunter2" not in repr(settings.pbx)


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text('[[pbx]]\nname = "main"\nsecret_file = "ami.secret"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"ami\.secret"):
        load_settings(path).pbx[0].read_secret()


@pytest.mark.parametrize(
    ("overflow", "lines"),
    [
        ("", "{ g = 5, s = 0 }"),  # the seat helps the general line after that one's overflow
        ("overflow = [{ after_s = 20, max_penalty = 10 }]", "{ g = 5, s = 0 }"),
        ("overflow = [{ after_s = 20, max_penalty = 10 }]", "{ s = 10 }"),  # kept from nobody
        ("", "{ g = 0, s = 10 }"),  # rung from the first second on
    ],
)
def test_priority_where_nobody_is_kept_idle(tmp_path: Path, overflow: str, lines: str) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text(
        '[[lines]]\nid = "g"\nname = "g"\nqueue = "g"\n'
        f'[[lines]]\nid = "s"\nname = "s"\nqueue = "s"\npriority = 5\n{overflow}\n'
        f'[[agents]]\nid = "1"\nname = "a"\nphone = "PJSIP/1"\nlines = {lines}\n',
        encoding="utf-8",
    )
    assert load_settings(path).lines[1].priority == 5


def test_room_for_clients_follows_the_agents_unless_it_is_set() -> None:
    assert HttpSettings().clients(0) == 500
    assert HttpSettings().clients(3000) == 6500
    assert HttpSettings(max_clients=7).clients(3000) == 7
