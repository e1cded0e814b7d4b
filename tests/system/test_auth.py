"""Logging in: who may, who waits, and who learns what."""
import base64
import os
import pathlib
import select
import socket
import subprocess

import pytest

from conftest import ROOT


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


def crypted(method, password="correct horse"):
    return subprocess.run(["openssl", "passwd", f"-{method}", password], check=True, capture_output=True,
                          text=True).stdout.strip()


# Holds: P5034-01 P5034-07 P5034-17
def test_schemes(server):
    stored = {
        "crypt": crypted("6"), "sha256": "{SHA256-CRYPT}" + crypted("5"), "md5": "{MD5-CRYPT}" + crypted("1"),
        "plain": "{PLAIN}correct horse", "clear": "{CLEARTEXT}correct horse",
        "sha1": "{SHA}" + b64(__import__("hashlib").sha1(b"correct horse").digest()),
        "ssha": "{SSHA256.hex}" + (__import__("hashlib").sha256(b"correct horsesalt").digest() + b"salt").hex(),
        "yes": "{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    }
    server.users = {f"{name}@example.org": text for name, text in stored.items()}
    server.start()
    for name in stored:
        password = "test" if name == "yes" else "correct horse"
        if name != "yes":
            assert server.login(f"{name}@example.org", password).greeting.startswith(b"+OK"), name
        assert server.login(f"{name}@example.org", password + "x").greeting.startswith(b"-ERR [AUTH]"), name


# Holds: P4422-01 P4616-01
def test_nobody_acts_for_somebody_else(joe):
    c = joe.connect()
    for authzid in ("", "joe@example.org"):
        d = joe.connect()
        assert d.command("AUTH PLAIN " + b64(f"{authzid}\0joe@example.org\0correct horse")).startswith(b"+OK 2")
        d.command("QUIT")
        d.rest()
    assert c.command("AUTH PLAIN " + b64("ann@example.org\0joe@example.org\0correct horse")).startswith(
        b"-ERR [AUTH]")


# Holds: P4616-02
def test_parts_of_255_octets(server):
    password = "p" * 255
    user = "u" * 180 + "@example.org"
    server.users[user] = "{PLAIN}" + password
    server.start()
    c = server.connect()
    assert c.command("AUTH PLAIN") == b"+ \r\n"
    assert c.command(b64(f"{user}\0{user}\0{password}")).startswith(b"+OK")
    # a longer name is nobody's, and is no error of form
    c = server.connect()
    assert c.command("AUTH PLAIN") == b"+ \r\n"
    assert c.command(b64("a" * 255 + "\0" + "a" * 255 + "\0" + "p" * 255)).startswith(b"-ERR [AUTH]")


# Holds: P2195-01 P2195-02
def test_cram_md5(server):
    import hashlib
    import hmac
    server.settings["mechanisms"] = '{"CRAM-MD5"}'
    server.start()
    c = server.connect()
    challenges = set()
    for password in (b"wrong", b"correct horse"):
        challenge = base64.b64decode(c.command("AUTH CRAM-MD5")[2:])
        assert challenge.startswith(b"<") and challenge.endswith(b">") and b"@" in challenge
        challenges.add(challenge)
        digest = hmac.new(password, challenge, hashlib.md5).hexdigest()
        last = c.command(b64(f"joe@example.org {digest}"))
    assert last.startswith(b"+OK")
    assert len(challenges) == 2


# Holds: P8314-06
def test_no_client_certificate_is_asked_for(joe):
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{joe.tls_port}"],
                       input=b"QUIT\r\n", capture_output=True)
    assert b"No client certificate CA names sent" in r.stdout


# Holds: Q-M11 P1939-43
def test_a_failed_address_waits_and_another_does_not(server):
    server.settings["failure-delay"] = "5"
    server.two_messages()
    server.start()
    c = server.connect()
    c.send("USER joe@example.org\r\nPASS wrong\r\n")
    assert c.line().startswith(b"+OK")
    server.expect("login failed from 127.0.0.1")
    # from elsewhere: at once, while the bad news is still held back
    d = socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0))
    d.sendall(b"USER joe@example.org\r\nPASS correct horse\r\nQUIT\r\n")
    data = b""
    while more := d.recv(4096):
        data += more
    assert b"+OK 2 messages" in data
    assert not c.buffer and not select.select([c.sock], [], [], 0)[0]


def test_a_path_that_leads_elsewhere_is_nobodys(server):
    for name in ("../joe@example.org", ".@example.org", "a/b@example.org", "x@..", "x@"):
        server.users[name] = "{PLAIN}p"
    server.start()
    for name in ("../joe@example.org", ".@example.org", "a/b@example.org", "x@..", "x@"):
        assert server.login(name, "p").greeting.startswith(b"-ERR [SYS/PERM]"), name


@pytest.mark.skipif(not ROOT, reason="only root starts processes as others")
def test_root_and_system_uids_are_not_served(server):
    server.users = {"r@example.org": "{PLAIN}p:0:0::/root", "d@example.org": "{PLAIN}p:1:1::/",
                    "g@example.org": "{PLAIN}p:61002:0::/"}
    server.start()
    for name in server.users:
        assert server.login(name, "p").greeting.startswith(b"-ERR [SYS/PERM]"), name


@pytest.mark.skipif(not ROOT, reason="PAM needs root")
def test_system_users_by_pam(server):
    name = f"restante-test-{os.getpid()}"
    script = server.folder / "password"
    script.write_text("#!/bin/sh\nread -r p\n[ \"$PAM_USER\" != nobody ] && [ \"$p\" = 'system secret' ]\n")
    script.chmod(0o755)
    service = pathlib.Path("/etc/pam.d") / name
    service.write_text(f"auth [success=done default=ignore] pam_exec.so quiet expose_authtok {script}\n"
                       "auth required pam_deny.so\naccount required pam_permit.so\n")
    try:
        home = server.folder / "home"
        server.settings.update({"pam": "true", "pam-service": f'"{name}"', "first-valid-uid": "1",
                                "maildrop": f'"{home}/%u"', "mail-root": f'"{home}"'})
        (home / "games/new").mkdir(parents=True)
        (home / "games/new/1.a").write_bytes(b"Subject: s\n\n")
        import pwd
        games = pwd.getpwnam("games")
        for path in (home, home / "games", home / "games/new", home / "games/new/1.a"):
            os.chown(path, games.pw_uid, games.pw_gid)
        server.start()
        assert server.login("games", "system secret").greeting == b"+OK 1 messages (14 octets)\r\n"
        server.expect(f"restante-maildrop: serving .*uid {games.pw_uid}")
        assert server.login("games", "wrong").greeting.startswith(b"-ERR [AUTH]")
        assert server.login("nobody-such", "x").greeting.startswith(b"-ERR [AUTH]")
        # root is not asked about: his password cannot be guessed here
        assert server.login("root", "system secret").greeting.startswith(b"-ERR [AUTH]")
        # the account file goes on being asked first
        assert server.login().greeting.startswith(b"+OK")
    finally:
        service.unlink()
