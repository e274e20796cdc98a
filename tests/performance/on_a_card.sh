#!/bin/sh
# Every row of the table of speed that needs a graphics card, in one run of less than ten minutes.
#
#   tests/performance/on_a_card.sh OUT [WHEELS] [options of on_a_card.py]
#
# From an unpacked copy of the repository. It needs torch, numpy, scipy and scikit-learn; himalaya is taken from WHEELS,
# a folder of wheels that was carried along, where it is not installed. OUT receives on_a_card.json and on_a_card.md.
# On a machine without a card: tests/performance/on_a_card.sh OUT --small --device cpu
set -eu
[ $# -ge 1 ] || { echo "usage: $0 OUT [WHEELS] [--small] [--device cpu]" >&2; exit 2; }
out=$1
shift
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
ln -s "$root" "$site/brodmann"
if [ $# -ge 1 ] && [ -d "$1" ]; then
    python3 -c 'import himalaya' 2>/dev/null ||
        python3 -m pip install --quiet --no-index --no-deps --find-links "$1" --target "$site" himalaya
    shift
fi
PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" python3 "$root/tests/performance/on_a_card.py" "$out" "$@"
