"""The agent's tests that need no more than the standard library, on this Python or an older one."""

import sys
from pathlib import Path

import pytest
import ssh_server
from oldest import interpreter
from oldest.run import run

from harness.transport import ssh


def test_the_agent_on_the_oldest_python_there_is():
    """`make test-oldest` fetches 3.6; without it this Python shows that the tests hold."""
    python = interpreter.present()
    done = run(python, interpreter.environment()) if python else run(sys.executable)
    assert done.returncode == 0, done.stdout
    here = f"python {sys.version_info.major}.{sys.version_info.minor}."
    assert done.stdout.startswith("python 3.6." if python else here)


def test_packages_with_another_content_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreter, "folder", lambda: tmp_path)
    package = tmp_path / "work/packages/libffi6_3.2.1-8_amd64.deb"
    monkeypatch.setattr(interpreter, "PACKAGES", {"libffi6": "0" * 64})
    monkeypatch.setattr(
        interpreter, "_run", lambda words, where, settings: package.write_bytes(b"something")
    )
    with pytest.raises(interpreter.Unavailable, match="is not the file whose digest is known"):
        interpreter.fetch()
    assert interpreter.present() is None
    assert not (tmp_path / "work").exists()


def test_a_session_over_ssh_with_an_agent_on_python_3_6(tmp_path, null_request):
    """Arriving, holding the board, keeping files and measuring, as on a stock JetPack 4.6."""
    python = interpreter.present()
    if python is None:
        pytest.skip("no Python 3.6 in the cache: make test-oldest fetches it")
    with ssh_server.served(tmp_path / "sshd") as server:
        board = ssh.connector(server.place, "a" * 16)(str(python))
        assert board.identify()["python"].startswith("3.6.")
        assert board.probe("null")["status"] == "ok"
        request = null_request()
        (there,) = board.put([Path(request["artifact"])])
        assert there.startswith(str(server.cache))
        *_, last = board.run(dict(request, artifact=there))
        assert last["status"] == "ok", last
        assert len(last["result"]["samples_ns"]) >= 50
        board.close()
        ssh_server.wait_for(lambda: not server.agents() and not server.children())
