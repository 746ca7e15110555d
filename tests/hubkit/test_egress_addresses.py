import socket

import pytest

from hubkit.egress import AddressGuard, BlockedAddressError, check_webhook_url
from hubkit.errors import InvalidError

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"]
PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "",
    "localhost",
    "127.1",
    "0x7f.1",
    "2130706433",
    "1.1.1.1.1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert AddressGuard().permits(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_permitted_in_development_only(address: str) -> None:
    assert not AddressGuard().permits(address)
    assert AddressGuard(allow_private=True).permits(address)


@pytest.mark.parametrize("address", NEVER)
def test_special_addresses_are_never_permitted(address: str) -> None:
    """Row 38 of the bad-input matrix."""
    assert not AddressGuard().permits(address)
    assert not AddressGuard(allow_private=True).permits(address)


def test_the_guard_makes_no_socket_for_a_refused_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))
    with pytest.raises(BlockedAddressError) as refusal:
        AddressGuard()(info)
    assert "127" not in str(refusal.value)
    AddressGuard(allow_private=True)(info).close()


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://hooks.example.org", "https://hooks.example.org/"),
        ("HTTPS://Hooks.Example.ORG:443/A?b=C%20", "https://hooks.example.org/A?b=C%20"),
        ("https://hooks.example.org:8443/a", "https://hooks.example.org:8443/a"),
        ("https://xn--bcher-kva.example.org/a", "https://xn--bcher-kva.example.org/a"),
        ("https://xn--e1afmkfd.example.org/", "https://xn--e1afmkfd.example.org/"),
        ("https://xn--dr-bva.example.org/", "https://xn--dr-bva.example.org/"),
        ("https://xn--wgv71a119e.example.org/", "https://xn--wgv71a119e.example.org/"),
    ],
)
def test_an_ordinary_webhook_url_is_normalised(url: str, normal: str) -> None:
    assert check_webhook_url(url) == normal
    assert check_webhook_url(normal) == normal


BAD_URLS = {
    "": "bad_character", "hooks.example.org": "scheme_not_allowed", "http://hooks.example.org": "scheme_not_allowed",
    "ftp://hooks.example.org": "scheme_not_allowed", "javascript:alert(1)": "scheme_not_allowed",
    "//hooks.example.org/": "scheme_not_allowed", "https:hooks.example.org": "not_a_url", "https:///a": "host_invalid",
    "https://": "host_invalid", "https://[::1": "not_a_url", "https://hooks.example.org:port/": "not_a_url",
    "https://hooks.example.org:70000/": "not_a_url", "https://user@hooks.example.org": "userinfo_not_allowed",
    "https://u:p@hooks.example.org": "userinfo_not_allowed", "https://@hooks.example.org": "userinfo_not_allowed",
    "https://hooks.example.org/#a": "fragment_not_allowed", "https://hooks.example.org/#": "fragment_not_allowed",
    "https://hooks.example.org:22/": "port_not_allowed", "https://hooks.example.org:0/": "port_not_allowed",
    "https://hooks.example.org:80/": "port_not_allowed", "https://hooks.example.org/" + "a" * 2048: "too_long",
    "https://hooks.example.org\\@evil.example.org/": "bad_character", "https://hooks.example.org/a b": "bad_character",
    "https://hooks.exa\tmple.org/": "bad_character", "https://hooks.example.org/\n": "bad_character",
    "https://hooks.example.org/\x00": "bad_character", "https://höoks.example.org/": "not_ascii",
    "https://hooks.example。org/": "not_ascii", "https://hooks.example.org./": "host_invalid",
    "https://127.0.0.1./": "ip_address_not_allowed", "https://localhost/": "host_invalid",
    "https://hooks..example.org/": "host_invalid", "https://-a.example.org/": "host_invalid",
    "https://a_b.example.org/": "host_invalid", "https://%31.example.org/": "host_invalid",
    "https://127.0.0.1/": "ip_address_not_allowed", "https://1.1.1.1/": "ip_address_not_allowed",
    "https://2130706433/": "ip_address_not_allowed", "https://0x7f.1/": "ip_address_not_allowed",
    "https://0X7F.0.0.0x1/": "ip_address_not_allowed", "https://127.1/": "ip_address_not_allowed",
    "https://0/": "ip_address_not_allowed", "https://0177.0.0.1/": "ip_address_not_allowed",
    "https://[::1]/": "ip_address_not_allowed", "https://[::ffff:7f00:1]/": "ip_address_not_allowed",
    "https://xn--pple-43d.example.org/": "host_misleading", "https://xn--ppl-bwa42e.example.org/": "host_misleading",
    # аррӏе, раураӏ and ορα of Cyrillic and Greek letters alone, gıthub without its dot, ɡoogle with a phonetic g
    "https://xn--80ak6aa92e.example.org/": "host_misleading",
    "https://xn--80aa0cbo65f.example.org/": "host_misleading",
    "https://xn--mxa1ag.example.org/": "host_misleading",
    "https://xn--gthub-n4a.example.org/": "host_misleading",
    "https://xn--oogle-qmc.example.org/": "host_misleading",
    "https://xn--a.example.org/": "host_misleading", "https://xn--.example.org/": "host_invalid",
    "https://xn--abc-.example.org/": "host_invalid", "https://xn--zzzzzzzzzzzzzzzzzz.example.org/": "host_misleading",
    "https://0/a": "ip_address_not_allowed", "https://[::]/": "ip_address_not_allowed",
    "https://[fe80::1%25lo]/": "ip_address_not_allowed", "https://[64:ff9b::7f00:1]/": "ip_address_not_allowed",
}  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_wrong_webhook_url_is_refused_with_a_code(url: str) -> None:
    """Row 37 of the bad-input matrix."""
    with pytest.raises(InvalidError) as refusal:
        check_webhook_url(url)
    (fault,) = refusal.value.errors
    assert (fault.pointer, fault.code) == ("/url", BAD_URLS[url])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/a", "http://[::1]:9000/", "http://partner:8080/a", "https://localhost:9443/"]
)
def test_development_allows_plain_http_and_canonical_loopback(url: str) -> None:
    assert check_webhook_url(url, allow_http=True, allow_private=True) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/",
        "http://127.1/",
        "http://0/",
        "http://169.254.169.254/",
        "http://[::ffff:7f00:1]/",
        "http://10.0.0.1/",
    ],
)
def test_development_allows_no_other_address(url: str) -> None:
    with pytest.raises(InvalidError):
        check_webhook_url(url, allow_http=True, allow_private=True)
