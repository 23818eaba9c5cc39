#!/bin/sh
# Take a change bundle in: `local-import.sh BUNDLE [options]` is `ecluse import BUNDLE [options]`.
if command -v ecluse >/dev/null 2>&1; then
	exec ecluse import "$@"
fi
echo '[ERROR] Ecluse is not installed here.' >&2
echo '  next: python3 -m pip install ecluse (Python 3.11+)' >&2
exit 1
