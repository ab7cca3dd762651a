"""Meters on the loopback: each kind is read, and whatever else an answer may be is a gap."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from meter_servers import Device, meter, reply, served

from harness.transport import meters
from harness.transport.meters import Gap, fetch, json_path, reading
from harness.transport.meters.sampler import Sampler


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def url(device: Device) -> Iterator[str]:
    with served(device) as address:
        yield address


def test_a_shelly_tells_power_energy_and_voltage_of_its_channel(device: Device, url: str) -> None:
    found = meters.read(meter("shelly", url))
    assert (found.power_w, found.voltage_v) == (5.0, 230.1)
    assert found.energy_wh == pytest.approx(device.energy_wh(), abs=0.01)
    assert device.paths == ["/rpc/Switch.GetStatus?id=2"]


def test_a_tasmota_counts_in_kilowatt_hours(device: Device, url: str) -> None:
    found = meters.read(meter("tasmota", url + "/"))
    assert (found.power_w, found.voltage_v) == (5.0, 229.0)
    assert found.energy_wh == pytest.approx(device.energy_wh(), abs=0.01)
    assert device.paths == ["/cm?cmnd=Status%208"]


def test_any_other_meter_is_read_at_its_path(url: str) -> None:
    found = meters.read(meter("http-json", url + "/all"))
    assert (found.power_w, found.energy_wh, found.voltage_v) == (5.0, None, None)
    counting = meter("http-json", url + "/all", energy_path="phases[0].watts")
    assert meters.read(counting).energy_wh == 1.0
    with pytest.raises(Gap, match=r"has no 'phases\[0\]\.wh'"):
        meters.read(meter("http-json", url + "/all", energy_path="phases[0].wh"))


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("phases[2].watts", "phases[2]"),
        ("phases[0].volts", "phases[0].volts"),
        ("phases.watts", "phases.watts"),
        ("switch", "switch"),
        ("phases[0][0]", "phases[0][0]"),
    ],
)
def test_a_path_that_leads_nowhere_names_its_step(url: str, path: str, step: str) -> None:
    with pytest.raises(Gap, match="has no") as gap:
        meters.read(meter("http-json", url + "/all", power_path=path))
    assert repr(step) in str(gap.value)


@pytest.mark.parametrize(
    "path", ["", ".", "a..b", "a[", "a[-1]", "a]", "a[x]", ".a", "a.[0]", "a "]
)
def test_what_is_no_path_finds_nothing(path: str) -> None:
    with pytest.raises(Gap):
        json_path.at({"a": [{"b": 1}]}, path)


def test_a_path_may_begin_in_a_list() -> None:
    assert json_path.at([{"a": [[1, 2]]}], "[0].a[0][1]") == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"apower": "5.0"}', "the power in its answer is no number but text"),
        (b'{"apower": true}', "no number but true or false"),
        (b'{"apower": null}', "no number but null"),
        (b'{"apower": {}}', "no number but an object"),
        (b'{"apower": NaN}', "cannot be one: nan"),
        (b'{"apower": -Infinity}', "cannot be one: -inf"),
        (b'{"apower": 1e999}', "cannot be one: inf"),
        (b'{"apower": 1%s}' % (b"0" * 400), "cannot be one: a number of many digits"),
        (b'{"apower": -40}', "it shows -40 W, which no running board draws"),
        (b'{"apower": 1e6}', "cannot be one"),
        (b'{"apower": 5, "aenergy": {"total": "7"}}', "the energy in its answer is no number"),
        (b'{"apower": 5, "aenergy": {"total": -7}}', "the energy in its answer cannot be one"),
        (b'{"apower": 5, "aenergy": [7]}', "has no 'aenergy.total'"),
        (b'{"apower": 5, "voltage": 1e9}', "the voltage in its answer cannot be one"),
        (b'{"apower": 5', "its answer is no JSON"),
        (b"[" * 100_000, "its answer is no JSON"),
        (b"<html>", "its answer is no JSON"),
        (b"\xff\xfe\x00", "its answer is no JSON"),
        (b"", "its answer is no JSON"),
        (b"[]", "has no 'apower'"),
        (b"7", "has no 'apower'"),
    ],
)
def test_an_answer_that_tells_no_power_is_a_gap_with_its_reason(
    device: Device, url: str, body: bytes, reason: str
) -> None:
    device.fault = lambda handler: reply(handler, body)
    with pytest.raises(Gap) as gap:
        meters.read(meter("shelly", url))
    assert reason in str(gap.value)
    assert "127.0.0.1" not in str(gap.value)


@pytest.mark.parametrize("total", ['"1"', "true", "-1", "NaN", "1e400", "[]"])
def test_a_tasmota_counter_that_is_none_is_a_gap(device: Device, url: str, total: str) -> None:
    body = b'{"StatusSNS": {"ENERGY": {"Power": 5, "Total": %s}}}' % total.encode()
    device.fault = lambda handler: reply(handler, body)
    with pytest.raises(Gap, match="the energy in its answer"):
        meters.read(meter("tasmota", url))


def test_a_meter_that_shows_no_power_is_not_the_boards() -> None:
    for none in (0, 0.0, -0.4, -3):
        with pytest.raises(Gap, match="W, which no running board draws: is the board behind it"):
            reading.of(none)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_error_of_the_meter_is_a_gap(device: Device, url: str, status: int) -> None:
    device.fault = lambda handler: reply(handler, b'{"apower": 5}', status)
    with pytest.raises(Gap, match=f"answers with the status {status}$"):
        meters.read(meter("shelly", url))


def test_nobody_is_followed_elsewhere(device: Device, url: str) -> None:
    with served(Device(power_w=9.0)) as other:
        device.fault = lambda handler: reply(handler, b"", 302, Location=other + "/all")
        with pytest.raises(Gap, match="status 302: write the address it leads to"):
            meters.read(meter("http-json", url + "/all"))


def test_an_answer_without_end_is_refused(device: Device, url: str) -> None:
    device.fault = lambda handler: reply(handler, b" " * 1_000_001)
    with pytest.raises(Gap, match="larger than 1 MB"):
        fetch.answer(url)
    device.fault = lambda handler: reply(handler, b" " * 999_999 + b"7")
    assert fetch.answer(url) == 7


@pytest.mark.parametrize("drip", [b"", b" "])
def test_a_slow_answer_is_given_up_in_time_even_if_it_drips(
    device: Device, url: str, drip: bytes
) -> None:
    def slowly(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(30):
            time.sleep(0.05)
            try:
                handler.wfile.write(drip)
            except OSError:
                return

    device.fault = slowly
    began = time.monotonic()
    with pytest.raises(Gap, match=r"did not answer within 0\.3 s"):
        fetch.answer(url, timeout_s=0.3)
    assert time.monotonic() - began < 1.0


def test_a_meter_that_is_gone_or_speaks_no_http_is_a_gap(device: Device) -> None:
    with served(device) as address:
        gone = address
    with pytest.raises(Gap, match="it cannot be reached: connection refused"):
        fetch.answer(gone)
    device.fault = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    with served(device) as address, pytest.raises(Gap, match="breaks off or is no HTTP"):
        fetch.answer(address)
    device.fault = lambda handler: reply(handler, b"", 200, **{"Content-Length": "10"})
    with served(device) as address, pytest.raises(Gap):
        fetch.answer(address)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,5", "x"])
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(Gap, match="neither http nor https"):
        fetch.answer(url)


def test_a_proxy_of_the_environment_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        assert meters.read(meter("tasmota", url)).power_w == 5.0


def test_a_sampler_reads_at_its_rate_and_counts_what_failed(device: Device, url: str) -> None:
    sampler = Sampler(meter("shelly", url), 0.05)
    sampler.start()
    time.sleep(0.42)
    device.fault = lambda handler: reply(handler, b"", 500)
    time.sleep(0.2)
    device.fault = None
    sampler.stop()
    asked = len(device.paths)
    assert 10 <= asked <= 14
    assert 3 <= sampler.missed <= 5
    assert len(sampler.samples) + sampler.missed == asked
    assert sampler.reason == "it answers with the status 500"
    moments = [sample.at_s for sample in sampler.samples]
    assert moments == sorted(moments)
    time.sleep(0.15)
    assert len(device.paths) == asked, "nothing is read after the end"


def test_a_sampler_does_not_make_up_for_what_a_slow_answer_cost(device: Device, url: str) -> None:
    def late(handler: Any) -> None:
        time.sleep(0.3)
        device.fault = None
        reply(handler, b"{}")

    device.fault = late
    sampler = Sampler(meter("shelly", url), 0.05)
    sampler.start()
    time.sleep(0.47)
    sampler.stop()
    assert 2 <= len(device.paths) <= 5, "one slow read, then the usual rate"
