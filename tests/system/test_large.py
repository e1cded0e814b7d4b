"""Much mail, large mail, and no room for mail."""
import os
import pathlib
import subprocess

import pytest

from conftest import BUILD, DOTS, ROOT


def peak_memory(server, program):
    """The most that any process of that name had in memory, in octets."""
    peaks = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if command.startswith(program) and int(fields["PPid"]) == server.process.pid:
            peaks.append(int(fields["VmHWM"].split()[0]) * 1024)
    assert peaks
    return max(peaks)


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True])
def test_a_gigabyte_passes_in_constant_memory(server, tls):
    path = server.put(b"Subject: large\n\n.", "1700000001.M1P1.h")
    os.truncate(path, 1 << 30)  # the rest is NULs
    server.start()
    c = server.login(tls=tls)
    size = int(c.command("LIST 1").split()[2])
    assert size == (1 << 30) + 4  # two LFs, and the last line's end
    c.send("RETR 1\r\n")
    assert c.line() == b"+OK %d octets\r\n" % size
    got, tail = len(c.buffer), c.buffer[-5:]
    c.buffer = b""
    while got < size + 1 + 3:
        data = c.sock.recv(1 << 20)
        got += len(data)
        tail = (tail + data)[-5:]
    assert got == size + 1 + 3 and tail == b"\r\n.\r\n"  # one stuffed dot
    assert c.command("NOOP").startswith(b"+OK")
    assert peak_memory(server, "restante-maildrop") < 24 << 20
    assert peak_memory(server, "restante-login") < 24 << 20


@pytest.mark.slow
def test_a_hundred_thousand_messages(server):
    folder = server.maildir() / "new"
    for i in range(100000):
        with open(folder / f"17{i:08}.M{i}P1.h,S=9,W=11", "wb") as f:
            f.write(b"A: b\n\nc\n\n"[:9])
    server.start()
    c = server.login()
    assert c.command("STAT") == b"+OK 100000 1100000\r\n"
    uids = c.multi("UIDL")[1]
    assert len(uids) == 100000
    assert uids[99999] == b"100000 1700099999.M99999P1.h,S=9,W=11\r\n"
    assert c.multi("LIST")[1][54321] == b"54322 11\r\n"
    assert c.multi("RETR 77777")[1][0] == b"A: b\r\n"
    c.send("".join(f"DELE {i}\r\n" for i in range(2, 100001)))
    for _ in range(99999):
        assert c.line().startswith(b"+OK")
    assert c.command("QUIT").startswith(b"+OK")
    assert [p.name for p in folder.iterdir()] == ["1700000000.M0P1.h,S=9,W=11"]
    assert peak_memory(server, "restante-maildrop") < 48 << 20


@pytest.mark.skipif(not ROOT, reason="needs root to mount a small disk")
def test_a_full_disk(server):
    server.maildir()
    disk = server.mail / "example.org/joe"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", disk],
                      capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        server.two_messages()
        with open(disk / "filler", "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
        server.start()
        c = server.login()
        assert c.command("STAT") == b"+OK 2 84\r\n"
        assert b"..hidden\r\n" in c.multi("RETR 1")[1]
        assert c.command("DELE 1").startswith(b"+OK")
        assert c.command("QUIT").startswith(b"+OK")
        c.rest()
        assert server.login().command("STAT") == b"+OK 1 14\r\n"
    finally:
        server.stop()
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif(not ROOT, reason="is what the other tests do then")
def test_as_an_ordinary_user(server):
    uid = 61005
    if subprocess.run(["test", "-x", BUILD / "src/supervisor/restanted"], user=uid).returncode:
        pytest.skip("other users cannot come to this folder")
    server.two_messages()
    for key in ("certificate", "certificate-key"):
        file = server.folder / f"{key}.pem"
        file.write_bytes(pathlib.Path(server.settings[key].strip('"')).read_bytes())
        server.settings[key] = f'"{file}"'
    server.write_settings()
    for path in (server.folder, *server.folder.rglob("*")):
        os.chown(path, uid, uid)
    server.run_as = {"user": uid, "group": uid, "extra_groups": []}
    server.start()
    for tls in (False, True):
        c = server.login(tls=tls)
        assert c.multi("RETR 1")[0] == b"+OK %d octets\r\n" % (len(DOTS) + DOTS.count(b"\n"))
        assert c.command("QUIT").startswith(b"+OK")
        c.rest()
    server.expect(f"restante-login: serving: .*landlock|restante-login: serving: .*seccomp")
