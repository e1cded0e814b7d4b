"""TLS: by STLS and from the start, certificates by name, and what must not work."""
import socket
import ssl
import subprocess

import pytest


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


# Holds: P2595-04 P2595-09 P2595-10 P2595-11 P2595-03
def test_stls_forgets_what_was_said_in_the_clear(joe):
    c = joe.connect()
    assert c.command("USER joe@example.org").startswith(b"+OK")
    assert c.command("LANG de").startswith(b"+OK de ")
    assert c.command("STLS").startswith(b"+OK")
    c.start_tls()
    # no new greeting, and USER is forgotten, and so is the language
    assert c.command("PASS correct horse") == b"-ERR USER first\r\n"
    assert b"STLS\r\n" not in c.multi("CAPA")[1]
    assert c.command("STLS").startswith(b"-ERR")
    assert c.command("USER joe@example.org").startswith(b"+OK")
    assert c.command("PASS correct horse").startswith(b"+OK 2 ")
    assert c.command("STLS").startswith(b"-ERR")


# Holds: P2595-05 Q-M04
@pytest.mark.parametrize("behind", [b"USER joe@example.org\r\n", b"X", b"\n"])
def test_plaintext_behind_stls_ends_the_session(joe, behind):
    c = joe.connect()
    c.send(b"STLS\r\n" + behind)
    assert c.rest().startswith(b"+OK")
    joe.expect("plaintext behind STLS")


# Holds: P2595-16 Q-M05
def test_failed_handshake_ends_the_connection(joe):
    c = joe.connect()
    assert c.command("STLS").startswith(b"+OK")
    c.send(b"CAPA\r\n")
    assert b"PIPELINING" not in c.rest()
    joe.expect("TLS handshake")


# Holds: P2595-13 P2595-14 P5034-21 P4616-04 P8314-05 Q-C06
def test_plaintext_passwords_need_tls(server):
    server.settings["plaintext-passwords"] = "never"
    server.start()
    c = server.connect()
    says = c.command("USER joe@example.org")
    assert says.startswith(b"-ERR [AUTH] ")
    assert c.command("PASS correct horse") == says
    assert c.command("PASS wrong") == says
    assert c.command("AUTH PLAIN AGpvZUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl") == says
    assert c.command("AUTH PLAIN AG5vYm9keQB4") == says
    capa = c.multi("CAPA")[1]
    assert b"USER\r\n" not in capa
    assert b"SASL SCRAM-SHA-256 SCRAM-SHA-1\r\n" in capa
    assert server.login(tls=True).greeting.startswith(b"+OK")


# Holds: P8314-03 P8996-01
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_versions(joe, version):
    context = joe.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    sock = socket.create_connection(("127.0.0.1", joe.tls_port), 60)
    if version in ("TLSv1", "TLSv1_1"):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(sock, server_hostname="localhost")
        return
    sock = context.wrap_socket(sock, server_hostname="localhost")
    assert sock.recv(100).startswith(b"+OK")
    assert sock.version() == version.replace("_", ".")


def test_alpn(joe):
    context = joe.context()
    context.set_alpn_protocols(["pop3"])
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", joe.tls_port)),
                               server_hostname="localhost")
    assert sock.selected_alpn_protocol() == "pop3"
    context = joe.context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(socket.create_connection(("127.0.0.1", joe.tls_port)),
                            server_hostname="localhost")


def test_certificate_by_name(server):
    for name in ("other.example.org", "*.wild.example.org"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", server.folder / "both.pem", "-out", server.folder / "cert.pem", "-days", "2",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"], check=True,
            capture_output=True)
        both = (server.folder / "both.pem").read_text() + (server.folder / "cert.pem").read_text()
        file = server.folder / f"{name.strip('*.')}.pem"
        file.write_text(both)
        server.extra += f'tls-name "{name}" {{ certificate = "{file}" }}\n'
    server.start()
    for name, want in (("other.example.org", "other.example.org"), ("localhost", "localhost"),
                       ("a.wild.example.org", "*.wild.example.org"), ("a.b.wild.example.org", "localhost"),
                       ("unknown.example.org", "localhost")):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port)),
                                   server_hostname=name)
        der = sock.getpeercert(binary_form=True)
        text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der,
                              capture_output=True, check=True).stdout.decode()
        assert text.strip().endswith(want)


# Holds: P8314-07
def test_close_alert_is_said(joe):
    c = joe.login(tls=True)
    assert c.command("QUIT").startswith(b"+OK")
    # without a close alert, this would raise for the unexpected end
    c.sock.suppress_ragged_eofs = False
    assert c.sock.recv(10) == b""


# Holds: P2595-08 P8314-04
def test_no_stls_without_a_certificate(server):
    for key in ("certificate", "certificate-key", "listen-tls"):
        server.settings[key] = None
    server.start()
    c = server.connect()
    assert b"STLS\r\n" not in c.multi("CAPA")[1]
    assert c.command("STLS").startswith(b"-ERR")


@pytest.mark.slow
def test_large_message_under_tls(server):
    line = b"0123456789" * 7 + b"\n"
    server.put(b"Subject: large\n\n" + line * 300000, "1700000001.M1P1.h")
    server.start()
    c = server.login(tls=True)
    first, lines = c.multi("RETR 1")
    size = int(first.split()[1])
    assert sum(map(len, lines)) == size
    assert c.command("NOOP").startswith(b"+OK")
