#!/usr/bin/env bash
# Builds the one static file for a machine, this one or another: the same bytes from the same commit
# and compilers, wherever the clone lies (cross/reproducible.sh tries it).
#
#   cross/build.sh [TRIPLE]              aarch64-unknown-linux-gnu unless told, or x86_64-unknown-linux-gnu
#   cross/build.sh --provision [TRIPLE]  installs what that needs on Debian 12, as root or with sudo
#
# target/TRIPLE/release/solverbox is what was built, with line tables for backtraces;
# target/TRIPLE/dist/solverbox is what to hand out: stripped, checked by cross/dist.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

provision=
[[ ${1:-} != --provision ]] || { provision=yes && shift; }
triple=${1:-aarch64-unknown-linux-gnu}
[[ $# -le 1 && $triple =~ ^(aarch64|x86_64)-unknown-linux-gnu$ ]] ||
    fail "build.sh: '$*' is not a machine to build for" \
        "Say cross/build.sh [--provision] aarch64-unknown-linux-gnu, or x86_64-unknown-linux-gnu."
[[ -z $provision ]] || exec build/prepare.sh cross "$triple"

found=$(cross/rust.sh "$triple")
mapfile -t rust <<<"$found" # version, cargo, rustc
build/prepare.sh check-cross "$triple"
echo "solverbox: building for $triple with ${rust[0]} (${rust[2]})"

root=$PWD
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
[[ $root$CARGO_HOME =~ ^[A-Za-z0-9/._+@~-]+$ ]] ||
    fail "cannot build in '$root' with '$CARGO_HOME': a compiler flag cannot carry such a path" \
        "Move the clone to a folder whose path has only letters, digits and ._+@~- in it."

# What the shell happens to carry would replace our flags or reach the compilers beside them.
shell=${triple//-/_}
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS "CARGO_TARGET_${shell^^}_RUSTFLAGS" \
    CFLAGS CXXFLAGS CPPFLAGS LDFLAGS TARGET_CFLAGS TARGET_CXXFLAGS "${!CMAKE_@}" "${!GGML_@}" "${!LLAMA_@}"
export RUSTC=${rust[2]} PATH=${rust[2]%/*}:$PATH

# The compilers, by the target's name: what runs on this machine (build scripts) keeps this machine's.
tools='' # this machine's own
if [[ ${triple%%-*} != "$(uname -m)" ]]; then
    tools=${triple%%-*}-linux-gnu-
    # bindgen reads the C headers with clang, which does not know where Debian keeps the others.
    declare -x "BINDGEN_EXTRA_CLANG_ARGS_$shell=--sysroot=/usr/${tools%-}"
fi
declare -x "CC_$shell=${tools}gcc" "CXX_$shell=${tools}g++" "CARGO_TARGET_${shell^^}_LINKER=${tools}gcc"

# The same bytes everywhere. __FILE__ (GGML_ASSERT) and panics carry source paths: name them alike. ccache
# needs no help: it hashes these flags and the files' own paths, so another folder finds nothing wrong.
maps="-ffile-prefix-map=$root=/solverbox -ffile-prefix-map=$CARGO_HOME=/cargo"
declare -x "CFLAGS_$shell=$maps" "CXXFLAGS_$shell=$maps"
# cargo joins this with .cargo/config.toml's flags; RUSTFLAGS would replace them. The last one undoes
# rustc's own mapping of the standard library to where rustup's rust-src lies, if it is installed.
sysroot=${rust[2]%/bin/rustc}
commit=$("$RUSTC" -vV | sed -n 's/^commit-hash: //p')
remaps="'--remap-path-prefix=$root=/solverbox', '--remap-path-prefix=$CARGO_HOME=/cargo',
    '--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit'"
# ggml asks git for a commit to carry; it must not find a repository around cargo's home.
export GIT_CEILING_DIRECTORIES=$CARGO_HOME
export LC_ALL=C TZ=UTC
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory="$root" log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}
export SOURCE_DATE_EPOCH

# Apart from what `make run` builds: CMake keeps the flags it was first configured with.
"${rust[1]}" build --release --locked --target "$triple" --target-dir target/cross \
    --config "target.$triple.rustflags = [${remaps//$'\n'/}]"
install -D "target/cross/$triple/release/solverbox" "target/$triple/release/solverbox"
cross/dist.sh "$triple"
