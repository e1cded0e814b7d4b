"""Which program may use what: the link and include graph holds the boundaries."""
import re
import subprocess

import pytest

from conftest import BUILD, TOP

PROGRAMS = {
    "supervisor/restanted": "restanted",
    "login/restante-login": "restante-login",
    "auth/restante-auth": "restante-auth",
    "pam/restante-pam": "restante-pam",
    "maildrop/restante-maildrop": "restante-maildrop",
    "client/restante": "restante",
}
# What a process must not be able to do is not even in its image.
FORBIDDEN_LIBRARIES = {
    "supervisor/restanted": ["libssl", "libgsasl", "libpam", "libargon2", "libcrypt."],
    "login/restante-login": ["libgsasl", "libpam", "libargon2", "libcrypt.", "libconfuse", "libsqlite"],
    "auth/restante-auth": ["libssl", "libpam.", "libconfuse", "libsqlite"],
    "pam/restante-pam": ["libssl", "libcrypto", "libgsasl", "libconfuse"],
    "maildrop/restante-maildrop": ["libssl", "libgsasl", "libpam", "libargon2", "libcrypt.", "libconfuse"],
    "client/restante": ["libpam", "libargon2", "libcrypt.", "libconfuse", "libseccomp"],
}
FORBIDDEN_INCLUDES = {
    "pop3": ["base/", "ipc/", "conf/", "sandbox/", "tls/", "sasl/", "store/", "login/", "auth/",
             "maildrop/", "supervisor/", "client/", "openssl/", "sys/socket", "unistd"],
    "login": ["store/", "auth/", "sasl/", "conf/", "maildrop/", "supervisor/", "crypt"],
    "auth": ["store/", "tls/", "conf/", "login/", "maildrop/", "supervisor/", "openssl/ssl"],
    "maildrop": ["tls/", "auth/", "sasl/", "conf/", "login/", "supervisor/", "openssl/"],
    "supervisor": ["tls/", "auth/", "sasl/", "store/", "login/", "maildrop/", "openssl/"],
    "pam": ["tls/", "auth/", "sasl/", "store/", "login/", "maildrop/", "openssl/", "conf/"],
    "store": ["ipc/", "tls/", "auth/", "sasl/", "conf/", "login/", "maildrop/", "supervisor/"],
    "client": ["ipc/", "conf/", "sandbox/", "auth/", "login/", "maildrop/", "supervisor/", "pam/", "openssl/ssl"],
    "ipc": ["tls/", "auth/", "sasl/", "store/", "login/", "maildrop/", "supervisor/", "conf/"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_links_nothing_forbidden(program):
    needed = subprocess.run(["readelf", "-d", BUILD / "src" / program], check=True, capture_output=True,
                            text=True).stdout
    libraries = re.findall(r"NEEDED.*\[(.*)\]", needed)
    assert libraries
    for bad in FORBIDDEN_LIBRARIES[program]:
        assert not [lib for lib in libraries if lib.startswith(bad)], f"{program} links {bad}"


@pytest.mark.parametrize("folder", FORBIDDEN_INCLUDES)
def test_includes_nothing_forbidden(folder):
    sources = list((TOP / "src" / folder).glob("*.[ch]"))
    assert sources
    for source in sources:
        for name in re.findall(r'#include\s+["<]([^">]+)', source.read_text()):
            for bad in FORBIDDEN_INCLUDES[folder]:
                assert not name.startswith(bad), f"{source.name} includes {name}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_is_hardened(program):
    path = BUILD / "src" / program
    header = subprocess.run(["readelf", "-hldW", path], check=True, capture_output=True, text=True).stdout
    assert "DYN (Position-Independent Executable" in header
    assert "GNU_RELRO" in header and "BIND_NOW" in header
    stack = re.search(r"GNU_STACK.*", header).group()
    assert " RW " in stack and "RWE" not in stack


def test_no_banned_function():
    banned = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|strtoul|strtol|alloca)\s*\(")
    for source in [*(TOP / "src").rglob("*.c"), *(TOP / "src").rglob("*.h")]:
        for number, line in enumerate(source.read_text().splitlines(), 1):
            assert not banned.search(line), f"{source.relative_to(TOP)}:{number}: {line.strip()}"
