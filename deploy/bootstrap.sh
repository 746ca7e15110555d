#!/bin/sh
# bootstrap.sh LOCK: make .venv and install exactly what LOCK pins, unless that has been done already.
#
# Needs a Python of 3.11 or newer with venv; no compiler, because only binary packages are taken.
# `ONWARD_PYTHON` chooses another Python than the newest one on the path.
set -eu
cd "$(dirname "$0")/.."
lock=$1

say() { echo "onward: $*" >&2; }

usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for python in ${ONWARD_PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if usable "$python"; then
            echo "$python"
            return
        fi
    done
    say "Python 3.11 or newer with venv is needed; python3 here is: $(python3 --version 2>&1 || true)"
    say "on Debian or Ubuntu: sudo apt-get install python3 python3-venv"
    exit 1
}

# The stamp names the pinned set that is installed. The development lock holds everything that the plain one pins.
stamp=.venv/.installed-$lock
wanted=$(cksum "$lock")
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

started=$(date +%s)
if ! usable .venv/bin/python; then
    python=$(find_python)
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
say "installing the $(grep -c '^[a-z].*==' "$lock") packages of $lock (once; a minute or so)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r "$lock"
echo "$wanted" >"$stamp"
if [ "$lock" = requirements-dev.txt ]; then
    cksum requirements.txt >.venv/.installed-requirements.txt
fi
say "ready after $(($(date +%s) - started)) s"
