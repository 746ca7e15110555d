"""Where a webhook may go: the URL when it is registered, the address when it is connected to.

A name may point anywhere and change between two look-ups, so the URL check keeps honest mistakes out and the guard
at the socket keeps everything else out.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from hubkit.errors import FieldError, InvalidError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def _networks(*texts: str) -> _Networks:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Own list, since `is_global` differs between Python versions and knows nothing of metadata services.
# Source: IANA special-purpose address registries for IPv4 and IPv6; cloud providers' documentation.
_NEVER: Final = _networks(
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "100.100.100.200/32", "168.63.129.16/32",  # metadata services outside 169.254/16
    "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32", "fd20:ce::/32", "64:ff9b::/96", "64:ff9b:1::/48",
    "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
)  # fmt: skip
_PRIVATE: Final = _networks(
    "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "::1/128"
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out; ::/96 and the like fall outside

blocked_addresses: ContextVar[list[str] | None] = ContextVar("blocked_addresses", default=None)


class BlockedAddressError(OSError):
    """The guard refused an address. Its message does not name it."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


class AddressGuard:
    """Allows or refuses the concrete address of a connection; given to aiohttp as its socket factory.

    Parameters
    ----------
    allow_private
        Development only: loopback and private ranges are allowed. Link-local and metadata addresses never are.
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private

    def permits(self, address: str) -> bool:
        """Return whether a connection to the IP address may be opened; anything unreadable may not."""
        try:
            ip = _unmapped(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any(ip in network for network in _NEVER):
            return False
        if any(ip in network for network in _PRIVATE):
            return self._allow_private
        return ip.version == 4 or ip in _GLOBAL_V6

    def __call__(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for one result of `getaddrinfo`.

        Raises
        ------
        BlockedAddressError
            When the address is not permitted.
        """
        family, kind, protocol, _, address = addr_info
        if not self.permits(str(address[0])):
            seen = blocked_addresses.get()
            if seen is not None:
                seen.append(str(address[0]))
            raise BlockedAddressError
        return socket.socket(family=family, type=kind, proto=protocol)


def _unmapped(ip: IPAddress) -> IPAddress:
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


_MAX_URL: Final = 2048
_VISIBLE = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r'[\\<>"{}|^`]')
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS: Final = {"https": {443, 8443}, "http": {80, 8080}}
_DEFAULT_PORT: Final = {"https": 443, "http": 80}
# Cyrillic, Greek and Armenian letters that read as Latin ones. A word of such letters alone is a Latin one in disguise.
# Source: the whole-script checks of Chromium, components/url_formatter/spoof_checks/idn_spoof_checker.cc.
_LOOKALIKES: Final = frozenset(
    "\u0430\u044b\u0441\u0501\u0435\u050d\u04bb\u0456\u044e\u043a\u0458\u04cf\u043c\u043d\u043e\u0440\u0517\u051b\u0455"
    "\u051d\u0443\u0445\u044a\u044c\u04bd\u043f\u0433\u0475\u0461"
    "\u03b1\u03b9\u03ba\u03bd\u03c1\u03c5\u03c9\u03b7\u03bf\u03c4"
    "\u0561\u0563\u0566\u0567\u056c\u0570\u0575\u0578\u0579\u057a\u057d\u0582\u0585\u0559"
)
# Dotless i and the letters of phonetic alphabets: Latin, and made to look like Latin letters.
_PHONETIC: Final = frozenset(map(chr, (0x131, *range(0x250, 0x2B0), *range(0x1D00, 0x1DC0))))
_LOOPBACK_HOSTS: Final = {"127.0.0.1", "[::1]"}


def check_webhook_url(url: str, *, allow_http: bool = False, allow_private: bool = False) -> str:
    """Return `url` in its normal form (lower-case scheme and host, no default port, at least `/` as its path).

    Parameters
    ----------
    allow_http, allow_private
        Development only: plain HTTP; any port, single-label names and the loopback addresses `127.0.0.1`, `[::1]`.

    Raises
    ------
    InvalidError
        With one `FieldError` at `/url`: `too_long`, `bad_character`, `not_ascii`, `not_a_url`, `scheme_not_allowed`,
        `userinfo_not_allowed`, `fragment_not_allowed`, `port_not_allowed`, `ip_address_not_allowed`, `host_invalid`,
        `host_misleading`.
    """
    _check_text(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("not_a_url", "This is not a URL") from None
    if parts.scheme not in (("https", "http") if allow_http else ("https",)):
        raise _refused("scheme_not_allowed", "The URL must begin with https://")
    _check_parts(url, parts)
    host = _host(parts)
    _check_host(host, allow_private)
    port = _DEFAULT_PORT[parts.scheme] if port is None else port
    if port not in _PORTS[parts.scheme] and not (allow_private and port > 0):
        raise _refused("port_not_allowed", "The port must be 443 or 8443")
    where = host if port == _DEFAULT_PORT[parts.scheme] else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{where}{parts.path or '/'}{query}"


def _check_text(url: str) -> None:
    if len(url) > _MAX_URL:
        raise _refused("too_long", f"A URL has at most {_MAX_URL} characters")
    if not url.isascii():
        raise _refused("not_ascii", "Write an international domain name in its ASCII form (xn--)")
    # urlsplit drops tabs and newlines silently, and others read a backslash as a slash.
    if not _VISIBLE.fullmatch(url) or _UNSAFE.search(url):
        raise _refused("bad_character", "The URL contains a character that must be percent-encoded")


def _check_parts(url: str, parts: SplitResult) -> None:
    if not url.lower().startswith(f"{parts.scheme}://"):
        raise _refused("not_a_url", "This is not a URL")
    if "@" in parts.netloc:
        raise _refused("userinfo_not_allowed", "The URL must not contain a user name or password")
    if "#" in url:
        raise _refused("fragment_not_allowed", "The URL must not contain a fragment (#)")


def _host(parts: SplitResult) -> str:
    """Return the host as it was written, lower case, with the brackets of an IPv6 literal."""
    netloc = parts.netloc.lower()
    if netloc.startswith("["):
        return netloc[: netloc.find("]") + 1]
    return netloc.partition(":")[0]


def _check_host(host: str, allow_private: bool) -> None:
    if allow_private and host in _LOOPBACK_HOSTS:
        return
    labels = host.split(".")
    # A last label that is a number makes the whole an IPv4 address for some readers: 127.1, 0x7f.1, 2130706433, 0.
    if host.startswith("[") or _NUMERIC_LABEL.fullmatch(labels[-1] or (labels[-2] if len(labels) > 1 else "")):
        raise _refused("ip_address_not_allowed", "The host must be a name, not an IP address")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("host_invalid", "The host is not a valid name")
    if len(labels) < 2 and not allow_private:
        raise _refused("host_invalid", "The host must be a full domain name")
    if not all(_is_plain(label) for label in labels if label.startswith("xn--")):
        raise _refused("host_misleading", "The international name mixes scripts or is not in its normal form")


def host_of(url: str) -> str:
    """Return the host of a URL that `check_webhook_url` has returned."""
    return _host(urlsplit(url))


def is_under(host: str, domains: Iterable[str]) -> bool:
    """Return whether `host` is one of these domains or lies below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def check_domain(domain: str) -> str:
    """Return a domain in its normal form: lower case, ASCII, no full stop at the end.

    Raises
    ------
    InvalidError
        As `check_webhook_url` for the host.
    """
    host = host_of(check_webhook_url(f"https://{domain}/"))
    if host != domain.lower():
        raise _refused("host_invalid", "The domain stands alone, without port or path")
    return host


def _is_plain(label: str) -> bool:
    """Return whether an `xn--` label decodes to letters of one script, in the only form that encodes so.

    Nor may it be made of letters alone that look like Latin ones.
    Source: Unicode Technical Standard 39 sections 4.1, "Whole-Script Confusables", and 5.2, "Single Script".
    """
    try:
        text = label[4:].encode().decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return False
    canonical = unicodedata.normalize("NFKC", text).casefold()
    if text.isascii() or canonical != text or text.encode("punycode").decode() != label[4:]:
        return False
    letters = {character for character in text if character.isalpha()}
    if letters & _PHONETIC or (letters and letters <= _LOOKALIKES):
        return False
    scripts = {unicodedata.name(character, "?").split()[0] for character in letters}
    return all(unicodedata.category(character)[0] in "LMN" or character == "-" for character in text) and (
        len(scripts) <= 1 or scripts <= {"CJK", "HIRAGANA", "KATAKANA"}
    )


def _refused(code: str, detail: str) -> InvalidError:
    return InvalidError("The webhook URL is not allowed", errors=[FieldError("/url", code, detail)])
