#!/usr/bin/env bash
# The pages of docs/explorer.md: the packaged twins, vision and language, from small dictionaries, on material that needs no download.
#   docs/make_pages.sh FOLDER [MORE OPTIONS]
set -euo pipefail
folder=${1:?"make_pages.sh FOLDER: where the pages go"}
shift
small="--n-features 2x --active 8 --rows 200k --seeds 2 --most-rows 40000"
brodmann features page twin-language-topographic twin-language-baseline --layer transformer.h.1.mlp.gelu \
  --licence "PSF licence" --text "the capital of france is" $small "$@" --folder "$folder/language"
brodmann features page twin-vision-topographic twin-vision-baseline --layer layer4.0.conv1 \
  --licence "drawn by brodmann, MIT licence" $small "$@" --folder "$folder/vision"
rm -rf "$folder/language.work" "$folder/vision.work"
