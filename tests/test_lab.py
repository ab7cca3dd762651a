from pathlib import Path

import boards
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import address, lab
from devices.reached import reached
from harness.agent.identify import identify
from harness.errors import DeviceError, UsageError
from harness.toml_lines import line_of

ROOT = Path(__file__).resolve().parents[1]
BOARD = '[boards.pi]\naddress = "pi@192.0.2.7"\n'


def write(tmp_path, text):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    return path


def refused(path):
    with pytest.raises(UsageError) as caught:
        lab.load(path)
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert text.startswith(str(path)) or str(path) in text
    assert "\n" not in text
    return text


def test_the_example_loads_and_names_no_real_address():
    found = lab.load(ROOT / "lab.example.toml").boards
    assert list(found) == ["jetson", "pi4", "orange"]
    jetson = found["jetson"]
    assert jetson == lab.Reachable(
        name="jetson",
        address="bench@192.0.2.7:22",
        python="/usr/bin/python3",
        profile="jetson-nano",
        cache_limit_bytes=2_000_000_000,
        interpreters={"onnxruntime": "/opt/ort/bin/python"},
        meter=lab.Meter(kind="shelly", url="http://192.0.2.9"),
    )
    assert found["orange"].meter.power_path == "meters[0].power"
    assert found["orange"].meter.period_s == 0.5
    documentation = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    for board in found.values():
        assert any(part in board.address for part in documentation)
        assert any(part in board.meter.url for part in documentation)


def test_the_smallest_board_leaves_the_rest_to_openssh(tmp_path):
    found = lab.load(write(tmp_path, '[boards.pi]\naddress = "pi"\n')).boards["pi"]
    assert found == lab.Reachable(name="pi", address="pi")
    assert address.parse("pi") == address.Address(host="pi")


def test_a_profile_may_be_named_by_its_alias(tmp_path):
    found = lab.load(write(tmp_path, BOARD + 'profile = "pi4b"\n'))
    assert found.boards["pi"].profile == "raspberry-pi-4b"


def test_an_ssh_configuration_is_relative_to_the_lab_file(tmp_path, monkeypatch):
    (tmp_path / "ssh.conf").write_text("")
    found = lab.load(write(tmp_path, BOARD + 'ssh_config = "ssh.conf"\n'))
    assert found.boards["pi"].ssh_config == tmp_path / "ssh.conf"
    monkeypatch.setenv("HOME", str(tmp_path))
    found = lab.load(write(tmp_path, BOARD + 'ssh_config = "~/ssh.conf"\n'))
    assert found.boards["pi"].ssh_config == tmp_path / "ssh.conf"


def test_no_board_at_all_is_a_lab(tmp_path):
    assert lab.load(write(tmp_path, "")).boards == {}


METER = BOARD + '[boards.pi.meter]\nkind = "shelly"\nurl = "http://h"\n'
JSON = BOARD + '[boards.pi.meter]\nkind = "http-json"\nurl = "http://h"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bords = 1\n", "line 1: unknown key 'bords'"),
        ("boards = []\n", "line 1: key 'boards': expected a table, got a list"),
        ("[boards]\npi = 3\n", "line 2: key 'boards.pi': expected a table, got `int`"),
        ("[boards.pi]\n", "line 1: missing key 'boards.pi.address'"),
        (BOARD + "adress = 1\n", "line 3: unknown key 'boards.pi.adress'"),
        ("\n[boards.pi]\naddress = 7\n", "line 3: key 'boards.pi.address': expected `str`"),
        (BOARD + "python = true\n", "line 3: key 'boards.pi.python': expected `str"),
        (BOARD + '\nprofile = "jetsn"\n', "line 4: key 'boards.pi.profile': unknown device"),
        (BOARD + "cache_limit_gb = '2'\n", "line 3: key 'boards.pi.cache_limit_gb': expected"),
        (BOARD + "cache_limit_gb = 0\n", "line 3: key 'boards.pi.cache_limit_gb': 0.0 is no size"),
        (BOARD + "cache_limit_gb = nan\n", "line 3: key 'boards.pi.cache_limit_gb': nan is no"),
        (BOARD + "cache_limit_gb = inf\n", "line 3: key 'boards.pi.cache_limit_gb': inf is no"),
        (BOARD + 'ssh_config = "none"\n', "line 3: key 'boards.pi.ssh_config': there is no file"),
        (BOARD + '[boards.pi.interpreters]\nonnxrt = "p"\n',
         "line 4: key 'boards.pi.interpreters.onnxrt': unknown runtime 'onnxrt'; did you mean"),
        (BOARD + "[boards.pi.interpreters]\ntorch = 3\n",
         "line 4: key 'boards.pi.interpreters.torch': not a path: 3"),
        (BOARD + "[boards.pi.meter]\nkind = 'shely'\nurl = 'http://h'\n",
         "line 4: key 'boards.pi.meter.kind': invalid enum value 'shely'"),
        (BOARD + "[boards.pi.meter]\nkind = 'shelly'\n",
         "line 3: missing key 'boards.pi.meter.url'"),
        (METER + "watts = 3\n", "line 6: unknown key 'boards.pi.meter.watts'"),
        (METER + "channel = -1\n", "line 6: key 'boards.pi.meter.channel': -1 is no channel"),
        (METER + "channel = true\n", "line 6: key 'boards.pi.meter.channel': expected `int"),
        (METER + "scope = 'desk'\n", "line 6: key 'boards.pi.meter.scope': invalid enum"),
        (METER + "period_s = 0.01\n", "line 6: key 'boards.pi.meter.period_s': 0.01 is no time"),
        (METER + "period_s = nan\n", "line 6: key 'boards.pi.meter.period_s': nan is no time"),
        (METER + "power_path = 'a'\n", "line 6: key 'boards.pi.meter.power_path': only a meter"),
        (JSON + "channel = 0\n", "line 6: key 'boards.pi.meter.channel': only a meter of the kind"),
        (JSON, "line 3: an http-json meter needs the key 'power_path'"),
        (JSON + "power_path = 'a..b'\n", "line 6: key 'boards.pi.meter.power_path': 'a..b' is no"),
        (JSON + "power_path = 'a[x]'\n", "line 6: key 'boards.pi.meter.power_path': 'a[x]' is no"),
        ("[boards.local]\naddress = 'h'\n", "line 1: 'local' is this host's own name"),
        ("[boards.'a b']\naddress = 'h'\n", "line 1: key 'boards.a b': 'a b' cannot be a board's"),
        ("[boards.-x]\naddress = 'h'\n", "line 1: key 'boards.-x': '-x' cannot be a board's name"),
        ("[boards.pi]\naddress = 'h'\naddress = 'g'\n", "line 3: not TOML: cannot overwrite"),
        ("[boards.pi\n", "line 1: not TOML"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_named_with_file_line_and_key(text, message, tmp_path):
    assert message in refused(write(tmp_path, text))


HOSTILE = [
    "-oProxyCommand=touch /tmp/x",
    "--help",
    "x;reboot",
    "$(reboot)",
    "`reboot`",
    "a b",
    "a\tb",
    "a\nb",
    "a\x00b",
    "a\x1b[2J",
    "a'b",
    'a"b',
    "a|b",
    "a&b",
    "a>b",
    "a*b",
    "a\\b",
    "${HOME}",
    "~root/x",
    "é",
    "",
    "A=b",
    "#x",
    "!x",
]

# A URL is handed to no shell, and these have their place in one.
HARMLESS_IN_A_URL = ("", "--help", "a&b", "A=b", "~root/x")


def toml(text):
    """Return any text as a basic string of TOML."""
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("key", ["address", "python", "ssh_config", "profile"])
def test_no_field_can_smuggle_an_option_or_a_command(key, hostile, tmp_path):
    lines = {"address": toml("pi@h"), key: toml(hostile)}
    body = "".join(f"{name} = {value}\n" for name, value in lines.items())
    text = refused(write(tmp_path, f"[boards.pi]\n{body}"))
    assert f"key 'boards.pi.{key}'" in text
    assert text.isprintable()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nor_can_an_interpreter_a_name_or_a_meter(hostile, tmp_path):
    interpreter = f"[boards.pi.interpreters]\ntorch = {toml(hostile)}\n"
    assert "interpreters.torch" in refused(write(tmp_path, BOARD + interpreter))
    assert "cannot be a board's name" in refused(
        write(tmp_path, f"[boards.{toml(hostile)}]\naddress = 'h'\n")
    )
    path = f"power_path = {toml(hostile)}\n"
    assert "meter.power_path" in refused(write(tmp_path, JSON + path))
    if hostile not in HARMLESS_IN_A_URL:
        for start in ("http://h/", "http://h", "http://h?"):
            meter = METER.replace('"http://h"', toml(start + hostile))
            assert "meter.url" in refused(write(tmp_path, meter))


@pytest.mark.parametrize(
    "url",
    ["h", "ftp://h", "file:///etc/passwd", "http://", "http:///x", "http://a:b@h", "http://h:x/",
     "http://h:99999", "http://[::1", "javascript:x", "http://-h/", "http://?x", "HTTP//h"],
)  # fmt: skip
def test_what_is_no_http_address_is_refused(url):
    with pytest.raises(UsageError):
        address.url(url)


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.9", "https://meter.example:8443/a/b?c=d&e=f", "http://[2001:db8::7]:80/",
     "http://h/rpc/Switch.GetStatus?id=0", "http://h/cm?cmnd=Status%208"],
)  # fmt: skip
def test_http_addresses(url):
    assert address.url(url) == url


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("bench@192.0.2.7:22", "bench", "192.0.2.7", 22),
        ("pi@board.example", "pi", "board.example", None),
        ("board", None, "board", None),
        ("board:2222", None, "board", 2222),
        ("pi@[2001:db8::7]:22", "pi", "2001:db8::7", 22),
        ("[fe80::1%eth0]", None, "fe80::1%eth0", None),
        ("a.b-c_d@h_1.local", "a.b-c_d", "h_1.local", None),
    ],
)
def test_addresses(text, user, host, port):
    found = address.parse(text)
    assert (found.user, found.host, found.port) == (user, host, port)
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    ["", "@h", "pi@", "h:", "h:0", "h:65536", "h:22x", "h:²", "h:-1", "a@b@c", "2001:db8::7",
     "[2001:db8::7", "[h]", "[::1%]", "[::1%a;b]", "pi@-h", "-pi@h", "h-", ".h", "h:22:23",
     "ssh://h", "u" * 33 + "@h", "h" * 300],
)  # fmt: skip
def test_what_is_no_address(text):
    with pytest.raises(UsageError):
        address.parse(text)


@given(st.text(max_size=40))
def test_what_is_taken_for_an_address_holds_nothing_a_shell_or_ssh_reads(text):
    try:
        found = address.parse(text)
    except UsageError as error:
        assert str(error).isprintable()
        return
    assert not set(text) & set(" \t\n;|&$`'\"\\<>*?!#~(){}=")
    assert not found.host.startswith("-")
    assert not (found.user or "").startswith("-")
    assert address.parse(str(found)) == found


@given(st.text(max_size=40))
def test_a_path_that_is_taken_is_one_word_and_no_option(text):
    try:
        address.path(text)
    except UsageError:
        return
    assert text
    assert not text.startswith("-")
    assert not set(text) & set(" \t\n;|&$`'\"\\<>*?!#~(){}=")


def test_where_the_lab_file_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("BOARDMARK_LAB", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(lab.places, "checkout", lambda: tmp_path / "checkout")
    monkeypatch.chdir(tmp_path)
    assert lab.find() is None
    last = tmp_path / "config" / "boardmark" / "lab.toml"
    second = tmp_path / "checkout" / "lab.toml"
    for path in (last, second):
        path.parent.mkdir(parents=True)
        path.write_text("")
        assert lab.find() == path
    write(tmp_path, "")
    assert lab.find().absolute() == tmp_path / "lab.toml"
    monkeypatch.setenv("BOARDMARK_LAB", "/no/such/lab.toml")
    assert lab.find() == Path("/no/such/lab.toml")
    with pytest.raises(UsageError, match=r"cannot read the lab file /no/such/lab\.toml: no such"):
        lab.load(lab.find())


def test_what_a_reached_board_is_called(tmp_path):
    """By its profile where the lab does so too, else as the lab calls it: two boards, two names."""
    identity = identify(boards.root("pi4"))
    text = "".join(
        f'[boards.{name}]\naddress = "pi@192.0.2.7"\nprofile = "{profile}"\n'
        for name, profile in (("pi4b", "pi4"), ("shelf-2", "pi4"), ("nano", "jetson"))
    )
    found = lab.load(write(tmp_path, text)).boards
    assert reached(found["pi4b"], identity).name == "raspberry-pi-4b"
    assert reached(found["shelf-2"], identity).name == "shelf-2"
    assert reached(found["shelf-2"], identity).title == "Raspberry Pi 4B"
    with pytest.raises(
        DeviceError, match=r"board 'nano' is no Jetson Nano 4GB: it is Raspberry Pi"
    ):
        reached(found["nano"], identity)


def test_a_lab_file_nested_beyond_reason_is_a_sentence(tmp_path):
    assert "nested too deeply" in refused(write(tmp_path, "a = " + "[" * 5000 + "]" * 5000))


@given(st.integers(0, 5), st.integers(0, 3))
def test_the_line_of_a_key_in_a_list_of_tables(count, wanted):
    text = "".join(f"[[rows]]\n# {number}\nkey = {number}\n\n" for number in range(count))
    expected = wanted * 4 + 3 if wanted < count else None
    assert line_of(text, ("rows", wanted, "key")) == expected


def test_the_line_is_right_in_a_file_of_another_system(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_bytes(b'[boards.pi]\r\naddress = "pi@pi.lan"\r\n\r\ncolour = "red"\r\n')
    with pytest.raises(UsageError, match=r"line 4: unknown key 'boards\.pi\.colour'"):
        lab.load(path)
