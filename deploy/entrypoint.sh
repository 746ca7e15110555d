#!/bin/sh
# Bring the deployable's schema up to date (one replica does, the others wait), then serve.
set -eu
case "$SERVICE" in
    gateway) module=gateway ;;
    *) module=services.$SERVICE ;;
esac
python -m hubkit.migrations "$module"
exec python -m hubkit.serve "$module.app:create" --host 0.0.0.0 --port "$PORT"
