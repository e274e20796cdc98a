#!/bin/sh
# Every row of the table of speed that needs a graphics card, in one run of less than ten minutes.
#
#   tests/performance/on_a_card.sh OUT [WHEELS] [options of on_a_card.py]
#
# From an unpacked copy of the repository. It needs torch, numpy, scipy and scikit-learn, for the peer himalaya, for
# extraction pandas, xarray, pillow and tqdm. What is not installed is taken from WHEELS, a folder of wheels that was
# carried along. OUT receives on_a_card.json and on_a_card.md.
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
    for wheel in "$1"/*.whl; do
        [ -e "$wheel" ] || continue
        name=$(basename "$wheel" | cut -d - -f 1)
        "$python" -c "import importlib.metadata, sys; importlib.metadata.version(sys.argv[1])" "$name" 2>/dev/null ||
            "$python" -m pip install --quiet --no-index --no-deps --target "$site" "$wheel"
    done
    shift
fi
export BRODMANN_HOME="$site/home"
PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" "$python" "$root/tests/performance/on_a_card.py" "$out" "$@"
