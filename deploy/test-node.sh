#!/bin/sh
# test-node.sh: make sure that the tests can run the JavaScript example, with exactly what its lock pins.
#
# Installs Node.js on Debian or Ubuntu when run as root. Anywhere else says what is missing.
set -eu
cd "$(dirname "$0")/../examples"

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "onward: the JavaScript example is tested with Node.js 18 or newer and npm; install them" >&2
        echo "onward: (Debian or Ubuntu: sudo apt-get install nodejs npm)" >&2
        exit 1
    fi
    echo "onward: installing nodejs and npm for the tests" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
wanted=$(cksum package-lock.json)
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$wanted" ]; then
    npm ci --silent
    echo "$wanted" >node_modules/.installed
fi
