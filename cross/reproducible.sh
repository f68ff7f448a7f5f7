#!/usr/bin/env bash
# Checks that builds of the last commit are reproducible: clones it into two folders, builds both with
# cross/build.sh, and compares the binaries. The second build runs without ccache.
#
#   cross/reproducible.sh [TRIPLE]   default: this machine's own
#
# The clones share only cargo's home with its downloads. If the binaries differ, both are kept in
# target/TRIPLE/reproducible/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

section_at() { # section_at FILE OFFSET: prints the section that contains the byte
    readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] *//p' | while read -r name type _ offset size _; do
        [[ $name == .* && $type != NOBITS ]] || continue
        ((16#$offset > $2 || $2 >= 16#$offset + 16#$size)) || echo "in $name"
    done
}

compare() { # compare FILE: fails with the first difference between the two builds
    local byte where
    byte=$(cmp "$first/$1" "$second/$1" 2>&1) && return
    [[ -f $first/$1 && -f $second/$1 ]] ||
        fail "cannot compare '$1': a build did not produce it" "Run cross/build.sh $triple to see why."
    byte=$(grep -o 'byte [0-9]*' <<<"$byte") # "differ: byte N, line M", "EOF on FILE after byte N"
    where=$(section_at "$first/$1" $((${byte#byte } - 1)))
    local keep=target/$triple/reproducible
    rm -rf "$keep"
    install -D "$first/$1" "$keep/first"
    install -D "$second/$1" "$keep/second"
    fail "two builds differ in '$1': first at $byte, ${where:-in no section}" \
        "Compare $keep/first with $keep/second there: look for an embedded path, a time stamp or an unstable order."
}

triple=${1:-$(uname -m)-unknown-linux-gnu}
changed=$(git status --porcelain | head -1)
[[ -z $changed ]] || fail "cannot build the last commit twice: '${changed:3}' has uncommitted changes" \
    "Commit or stash all changes (git status lists them), then try again."

# Outside this clone, whose .cargo/config.toml cargo would read as well.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
first=$work/one
second=$work/another-folder/with-a-longer-name
for clone in "$first" "$second"; do
    git -c init.defaultBranch=main -c advice.detachedHead=false clone -q --no-hardlinks . "$clone"
done
"$first/cross/build.sh" "$triple"
CCACHE_DISABLE=1 "$second/cross/build.sh" "$triple"
compare "target/$triple/release/solverbox"
compare "target/$triple/dist/solverbox"
echo "solverbox: both builds for $triple are identical"
