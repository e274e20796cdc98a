#!/usr/bin/env bash
# The pictures of docs/gallery.md: on the embedded data, and on real data where BRODMANN_TEST_DATA names its folder.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models="twin-vision-topographic twin-vision-baseline gabor-pyramid random-convnet pixels"
benchmarks="simulated-cortex.V1-ridge simulated-cortex.IT-rsa"
if [ -d "${BRODMANN_TEST_DATA:-}/kriegeskorte2008-92" ]; then
  brodmann data add kriegeskorte2008 --from "$BRODMANN_TEST_DATA/kriegeskorte2008-92"
  benchmarks="$benchmarks kriegeskorte2008.hIT-rsa"
fi
for model in $models; do
  for benchmark in $benchmarks; do brodmann score "$model" "$benchmark" --run "$work/gallery" > /dev/null; done
done
for model in twin-vision-topographic:layer4.0.conv1 twin-vision-baseline:layer4.0.conv1 gabor-pyramid:pooled random-convnet:conv5; do
  brodmann analyze "${model%%:*}" --layer "${model##*:}" --folder "$work/layouts" > /dev/null
done
brodmann compare "$work/gallery" "$work/layouts" --folder "$work/out" --no-pdf
mkdir -p docs/gallery
python - "$work/out/figures" docs/gallery <<'P'
import sys
from pathlib import Path
from PIL import Image

for path in sorted(Path(sys.argv[1]).glob("*.png")):
    picture = Image.open(path).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(Path(sys.argv[2]) / path.name, optimize=True)
P
