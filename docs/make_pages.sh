#!/usr/bin/env bash
# The pages of docs/explorer.md: the packaged twins, vision and language, from small dictionaries, on material that needs no download.
#   docs/make_pages.sh FOLDER [MORE OPTIONS]
set -euo pipefail
folder=${1:?"docs/make_pages.sh FOLDER: where the pages go"}
shift
small="--n-features 2x --active 8 --rows 200k --most-rows 40000"
brodmann features page twin-language-topographic twin-language-baseline --layer transformer.h.1.mlp.gelu \
  --licence "PSF licence" --text "the capital of france is" $small \
  --property is_digit,is_punctuation,sentence_start,in_parentheses,is_determiner,is_python_code,is_question "$@" --folder "$folder/language"
brodmann features page twin-vision-topographic twin-vision-baseline --layer layer4.0.conv1 \
  --licence "drawn by brodmann, MIT licence" $small --property drawn_is_face,drawn_is_body,drawn_is_place,drawn_is_word "$@" --folder "$folder/vision"
rm -rf "$folder/language.work" "$folder/vision.work"
