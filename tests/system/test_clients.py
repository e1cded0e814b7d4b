"""Real clients against our server."""
import os
import poplib
import re
import shutil
import subprocess

import pytest

from conftest import DOTS

WIRE = DOTS.replace(b"\n", b"\r\n")
PASSWORD = "correct horse"


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


# Holds: P2595-01 P2595-08 P2595-12 P8314-01 P8314-02
@pytest.mark.parametrize("how", ["plain", "stls", "tls"])
def test_poplib(joe, how):
    if how == "tls":
        c = poplib.POP3_SSL("localhost", joe.tls_port, context=joe.context())
    else:
        c = poplib.POP3("localhost", joe.port)
    if how == "stls":
        assert "STLS" in c.capa()
        c.stls(joe.context())
    capa = c.capa()
    assert "STLS" not in capa or how == "plain"
    assert "UIDL" in capa and "TOP" in capa and capa["EXPIRE"] == ["NEVER"]
    c.user("joe@example.org")
    c.pass_(PASSWORD)
    assert c.stat() == (2, 84)
    assert c.list()[1] == [b"1 70", b"2 14"]
    assert c.uidl()[1] == [b"1 1700000001.M1P1.h", b"2 1700000002.M1P1.h"]
    assert b"\r\n".join(c.retr(1)[1]) + b"\r\n" == WIRE
    assert c.top(1, 1)[1] == [b"From: a@example.org", b"Subject: dots", b"", b"first"]
    c.dele(1)
    c.rset()
    c.dele(2)
    c.quit()
    assert joe.login().command("STAT") == b"+OK 1 70\r\n"


def test_poplib_utf8(joe):
    c = poplib.POP3("localhost", joe.port)
    assert c.utf8().startswith(b"+OK")
    c.user("joe@example.org")
    c.pass_(PASSWORD)
    assert c.stat() == (2, 84)


# Holds: P5034-01 P5034-06 P5034-20 P5802-10
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "+USER"])
@pytest.mark.parametrize("tls", [False, True])
def test_curl(joe, mechanism, tls):
    need("curl")
    url = f"pops://localhost:{joe.tls_port}/1" if tls else f"pop3://localhost:{joe.port}/1"
    url = url.replace("pops://", "pop3s://")
    option = [] if mechanism.startswith("+") else ["--login-options", f"AUTH={mechanism}"]
    r = subprocess.run(["curl", "-sS", "--cacert", joe.certificate / "cert.pem", "-u",
                        f"joe@example.org:{PASSWORD}", *option, url], capture_output=True, check=True)
    assert r.stdout == WIRE


def test_curl_starttls(joe):
    need("curl")
    r = subprocess.run(["curl", "-sS", "--ssl-reqd", "--cacert", joe.certificate / "cert.pem", "-u",
                        f"joe@example.org:{PASSWORD}", f"pop3://localhost:{joe.port}/"],
                       capture_output=True, check=True)
    assert r.stdout == b"1 70\r\n2 14\r\n"


# Holds: P7677-01 P5802-01 P5802-06 P5802-07 P5802-12 P5802-17 P9266-01 P9266-02
@pytest.mark.parametrize("auth", ["plain", "login", "user", "scram-sha-1", "scram-sha-256",
                                  "scram-sha-1-plus", "scram-sha-256-plus"])
def test_mpop(joe, auth):
    need("mpop")
    version = subprocess.run(["mpop", "--version"], capture_output=True, text=True).stdout
    if auth.endswith("-plus") and "scram-sha-256-plus" not in version:
        pytest.skip("this mpop cannot bind channels")
    folder = joe.folder / "fetched"
    folder.mkdir()
    r = subprocess.run(
        ["mpop", "--host=localhost", f"--port={joe.tls_port}", "--tls=on", "--tls-starttls=off",
         f"--tls-trust-file={joe.certificate}/cert.pem", f"--auth={auth}", "--user=joe@example.org",
         f"--passwordeval=echo '{PASSWORD}'", "--keep=off", "--pipelining=on",
         f"--delivery=mbox,{folder}/mbox", f"--uidls-file={folder}/uids", "-q"],
        capture_output=True, text=True, env={**os.environ, "HOME": str(folder)})
    assert r.returncode == 0, r.stderr
    assert (folder / "mbox").read_bytes().count(b"\nSubject: ") == 2
    assert joe.login().command("STAT") == b"+OK 0 0\r\n"


# Holds: P2449-22 P2449-23 Q-S80
def test_mpop_pipelines_two_thousand_messages(server):
    need("mpop")
    folder = server.folder / "fetched"
    folder.mkdir()
    for i in range(2000):
        server.put(b"Subject: %d\n\n.%d\n" % (i, i), f"1700000000.M{i:06}P1.h")
    server.start()
    r = subprocess.run(
        ["mpop", "--host=127.0.0.1", f"--port={server.port}", "--tls=off", "--auth=user",
         "--user=joe@example.org", f"--passwordeval=echo '{PASSWORD}'", "--keep=off", "--pipelining=on",
         f"--delivery=mbox,{folder}/mbox", f"--uidls-file={folder}/uids", "-q"],
        capture_output=True, text=True, env={**os.environ, "HOME": str(folder)})
    assert r.returncode == 0, r.stderr
    subjects = re.findall(rb"\nSubject: (\d+)", (folder / "mbox").read_bytes())
    assert [int(s) for s in subjects] == list(range(2000))


# Holds: P1939-64 P1939-84
@pytest.mark.parametrize("tls", [False, True])
def test_net_pop3(joe, tls):
    need("perl")
    if tls and subprocess.run(["/usr/bin/perl", "-MIO::Socket::SSL", "-e", "1"], capture_output=True).returncode:
        pytest.skip("IO::Socket::SSL is not installed")
    port = joe.tls_port if tls else joe.port
    script = f"""
        use Net::POP3;
        my $p = Net::POP3->new('localhost', Port => {port}, SSL => {int(tls)},
            SSL_ca_file => '{joe.certificate}/cert.pem') or die "connect: $@";
        defined $p->login('joe@example.org', '{PASSWORD}') or die 'login';
        my ($n, $size) = $p->popstat; die 'stat' unless $n == 2 && $size == 84;
        my $list = $p->list; die 'list' unless $list->{{1}} == 70 && $list->{{2}} == 14;
        my $uids = $p->uidl; die 'uidl' unless $uids->{{1}} eq '1700000001.M1P1.h';
        print join '', @{{$p->get(1)}};
        my $top = $p->top(1, 1); die 'top' unless $top->[-1] =~ /^first\\r?\\n$/;
        $p->delete(1) or die 'delete'; $p->quit or die 'quit';
    """
    r = subprocess.run(["/usr/bin/perl", "-e", script], capture_output=True)
    assert r.returncode == 0, r.stderr
    assert r.stdout.replace(b"\r\n", b"\n") == DOTS
    assert joe.login().command("STAT") == b"+OK 1 14\r\n"
