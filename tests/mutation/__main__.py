"""Print the figures of a mutation run; `make mutants` pipes the results of mutmut into it."""

import sys

from tests.mutation.report import report

lines, is_good = report(sys.stdin)
sys.stdout.write("\n".join(lines) + "\n")
sys.exit(not is_good)
