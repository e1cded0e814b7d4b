"""restanted.conf: every error is told, where it is, and what was expected."""
import subprocess

import pytest

from conftest import BUILD, TOP

RESTANTED = BUILD / "src/supervisor/restanted"


@pytest.fixture
def check(tmp_path):
    (tmp_path / "accounts").write_text("joe:{PLAIN}x\n")
    base = f'accounts = "{tmp_path}/accounts"\nlisten = "127.0.0.1:0"\n'

    def run(text, option="-t", whole=False):
        conf = tmp_path / "conf"
        conf.write_bytes((("" if whole else base) + text).encode("latin-1"))
        r = subprocess.run([RESTANTED, option, "-c", conf], capture_output=True, text=True, errors="replace")
        errors = [line.removeprefix(f"{conf}:") for line in r.stderr.splitlines()]
        assert (r.returncode == 78) == bool(errors), r.stderr
        return r.stdout if option == "-p" else errors
    return run


def test_no_errors(check):
    assert check("") == []
    assert check("idle-timeout = 15m # more\n// and\nlisten-tls = {}\n") == []


@pytest.mark.parametrize("line, error", [
    ("idle-timeout = 30", '3: idle-timeout: "30" is too small (seconds, or a time like 10m or 1h, from 600 to '
                          '86400; RFC 1939: at least ten minutes)'),
    ("idle-timout = 600", '3: idle-timout: there is no such setting (did you mean "idle-timeout"?)'),
    ("xyzzy = 1", "3: xyzzy: there is no such setting (restanted.conf(5) lists them)"),
    ("apop = maybe", '3: apop: "maybe" is neither yes nor no (true or false)'),
    ("max-failures = ten", '3: max-failures: "ten" is not a number (a number from 1 to 100)'),
    ("max-failures = 99999999999999999999", "3: max-failures: \"99999999999999999999\" is too large "
                                            "(a number from 1 to 100)"),
    ("max-failures = 101", '3: max-failures: "101" is too large (a number from 1 to 100)'),
    ('maildrop = "/m/%x"', '3: maildrop: "/m/%x" has a % with something else behind it (%u, %n, %d, %h or %%)'),
    ('maildrop = "m"', '3: maildrop: "m" does not begin at the root (/... or %h/...)'),
    ("expire = soon", '3: expire: "soon" is not a number of days ("never", or 0 to 3650)'),
    ('listen-tls = "127.0.0.1:0"', '3: listen-tls: there is no certificate for it (set "certificate")'),
    ('certificate = "/nowhere"', '3: certificate: "/nowhere" No such file or directory (a file that can be read)'),
    ("log = journald", '3: log: "journald" is not known (one of: stderr syslog journal; did you mean "journal"?)'),
    ('mechanisms = {"PLAIN", "SCRAM"}', '3: mechanisms: "SCRAM" is not known (one of: SCRAM-SHA-256-PLUS '
     'SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5)'),
    ('listen = "127.0.0.1:0"', "3: listen: is set a second time (line 2 had it; say it once)"),
    ('greeting = "<x>"', '3: greeting: "<x>" cannot stand in a greeting (less than 200 ASCII characters, none of '
                         '< > [ ])'),
    ('tls-name "a" { certificat = "x" }', '3: certificat: there is no such setting (did you mean "certificate"?)'),
    ('tls-name "a" { }', '3: tls-name: "a" has no certificate (certificate = "file")'),
])
def test_one_error(check, line, error):
    assert check(line + "\n") == [error]


def test_every_error_is_told(check):
    errors = check("apop = maybe\n# a comment\nidle-timout = 5\n\nexpire = soon\napop = true\n")
    assert [e.split(":")[0] for e in errors] == ["3", "5", "7", "8"]


def test_the_example_lacks_only_the_files_that_it_names(check):
    example = (TOP / "packaging/restanted.conf.example").read_text()
    assert "\nmail-user" in example
    for error in check(example, whole=True):
        assert "No such file or directory" in error, error


def test_nobody_could_log_in(check):
    assert check('listen = "127.0.0.1:0"\n', whole=True)[0].endswith(
        'accounts: nobody could log in (set "accounts", or "pam = true")')


def test_garbage(check):
    for text in ("}", "{", '"', "=", "a = {", 'accounts = "', "\x00", "\xff\xfe", "x" * 100000, "a=b=c\n" * 200):
        assert check(text)


def test_what_is_printed_can_be_read(check, tmp_path):
    printed = check('login-delay = 1h\nutf8-headers = refuse\nmechanisms = {"plain"}\n', "-p")
    assert "login-delay = 3600\n" in printed and "utf8-headers = refuse\n" in printed
    assert 'mechanisms = {"PLAIN"}\n' in printed
    assert check(printed, "-p", whole=True) == printed


def test_a_file_that_is_not_there(tmp_path):
    r = subprocess.run([RESTANTED, "-t", "-c", tmp_path / "none"], capture_output=True, text=True)
    assert r.returncode == 78 and "No such file" in r.stderr
