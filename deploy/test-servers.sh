#!/bin/sh
# test-servers.sh: make sure that the tests can start their own PostgreSQL and RabbitMQ.
#
# Installs the programs on Debian or Ubuntu when run as root; no daemon is started and none is touched.
# Anywhere else says what is missing. With ONWARD_TEST_POSTGRES_URL and ONWARD_TEST_AMQP_URL those servers are used,
# and only the tests that kill servers need the programs.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${ONWARD_TEST_POSTGRES_URL:-}" ] && [ -n "${ONWARD_TEST_AMQP_URL:-}" ]; then
    exit 0
fi
missing=$(.venv/bin/python -m tests.support.programs)
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "onward: the tests run against real servers, and these programs are missing: $missing" >&2
    echo "onward: install them (sudo apt-get install $missing; nothing has to be started), or set" >&2
    echo "onward: ONWARD_TEST_POSTGRES_URL and ONWARD_TEST_AMQP_URL to servers for the tests" >&2
    exit 1
fi

echo "onward: installing $missing for the tests" >&2
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # Debian asks this program before it starts a daemon; 101 means no
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
missing=$(.venv/bin/python -m tests.support.programs)
if [ -n "$missing" ]; then
    echo "onward: still missing after the installation: $missing" >&2
    exit 1
fi
