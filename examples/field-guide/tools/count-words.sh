#!/bin/sh
# Counts the words of every chapter, and of all of them together.
set -eu
cd "$(dirname "$0")/.."
find . -name .cas -prune -o -name '*.md' ! -name '*.summary.md' -type f -print \
    | LC_ALL=C sort \
    | while read -r file; do
        printf '%6d  %s\n' "$(wc -w < "$file")" "${file#./}"
    done \
    | awk '{ total += $1; print } END { printf "%6d  in all\n", total }'
