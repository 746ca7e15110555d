#!/bin/bash
# Run once by PostgreSQL's image on an empty volume: a role and a database for each deployable, closed to the others.
set -euo pipefail

for owner in gateway intake triage routing partners; do
    url=$(cat "/run/secrets/$owner-database-url") # postgresql+asyncpg://owner:password@postgres:5432/owner
    password=${url#*://*:}
    password=${password%%@*}
    psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d postgres -v owner="$owner" -v password="$password" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'password';
CREATE DATABASE :"owner" OWNER :"owner";
REVOKE ALL ON DATABASE :"owner" FROM PUBLIC;
SQL
done
