#!/bin/sh
# Every row of the table of speed that needs a graphics card, in one run of less than ten minutes.
#
#   tests/performance/on_a_card.sh OUT [WHEELS] [options of on_a_card.py]
#
# From an unpacked copy of the repository. It needs torch, numpy, scipy and scikit-learn; himalaya and lazy_loader are
# taken from WHEELS, a folder of wheels that was carried along, where they are not installed. OUT receives on_a_card.json and on_a_card.md.
# On a machine without a card: tests/performance/on_a_card.sh OUT --small --device cpu
set -eu
[ $# -ge 1 ] || { echo "usage: $0 OUT [WHEELS] [--small] [--device cpu]" >&2; exit 2; }
out=$1
shift
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
ln -s "$root" "$site/brodmann"
python=${PYTHON:-python3}
if [ $# -ge 1 ] && [ -d "$1" ]; then
    for package in himalaya lazy_loader; do
        "$python" -c "import $package" 2>/dev/null ||
            "$python" -m pip install --quiet --no-index --no-deps --find-links "$1" --target "$site" "$package"
    done
    shift
fi
PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" "$python" "$root/tests/performance/on_a_card.py" "$out" "$@"
