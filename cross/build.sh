#!/usr/bin/env bash
# Builds the static binary for a target, this machine or another. The same commit and compilers give the same
# bytes wherever the clone is (cross/reproducible.sh checks this).
#
#   cross/build.sh [TRIPLE]              aarch64-unknown-linux-gnu (default) or x86_64-unknown-linux-gnu
#   cross/build.sh --provision [TRIPLE]  installs the required packages on Debian 12, as root or with sudo
#
# target/TRIPLE/release/solverbox has line tables for backtraces; target/TRIPLE/dist/solverbox is the one to
# distribute: stripped, and checked by cross/dist.sh.
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
    fail "build.sh: '$*' is not a supported target" \
        "Use cross/build.sh [--provision] aarch64-unknown-linux-gnu, or x86_64-unknown-linux-gnu."
[[ -z $provision ]] || exec build/prepare.sh cross "$triple"

found=$(cross/rust.sh "$triple")
mapfile -t rust <<<"$found" # version, cargo, rustc
build/prepare.sh check-cross "$triple"
echo "solverbox: building for $triple with ${rust[0]} (${rust[2]})"

root=$PWD
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
[[ $root$CARGO_HOME =~ ^[A-Za-z0-9/._+@~-]+$ ]] ||
    fail "cannot build in '$root' with CARGO_HOME '$CARGO_HOME': a compiler flag cannot contain such a path" \
        "Use paths that contain only letters, digits and ._+@~- for both."

# Flags inherited from the shell would replace ours or be added to them.
shell=${triple//-/_}
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS "CARGO_TARGET_${shell^^}_RUSTFLAGS" \
    CFLAGS CXXFLAGS CPPFLAGS LDFLAGS TARGET_CFLAGS TARGET_CXXFLAGS "${!CMAKE_@}" "${!GGML_@}" "${!LLAMA_@}"
export RUSTC=${rust[2]} PATH=${rust[2]%/*}:$PATH

# Compilers are set by target name, so that build scripts, which run here, keep this machine's compilers.
tools='' # no prefix: this machine's own compilers
if [[ ${triple%%-*} != "$(uname -m)" ]]; then
    tools=${triple%%-*}-linux-gnu-
    # bindgen reads the C headers with clang, which does not know Debian's path for the target's headers.
    declare -x "BINDGEN_EXTRA_CLANG_ARGS_$shell=--sysroot=/usr/${tools%-}"
fi
declare -x "CC_$shell=${tools}gcc" "CXX_$shell=${tools}g++" "CARGO_TARGET_${shell^^}_LINKER=${tools}gcc"

# Source paths end up in the binary through __FILE__ (GGML_ASSERT) and panics: map them to fixed names. ccache
# is safe with this: it hashes these flags and the source paths, so another folder gets no wrong cache hit.
maps="-ffile-prefix-map=$root=/solverbox -ffile-prefix-map=$CARGO_HOME=/cargo"
declare -x "CFLAGS_$shell=$maps" "CXXFLAGS_$shell=$maps"
# cargo adds these to the flags of .cargo/config.toml; RUSTFLAGS would replace them. The last one reverts
# rustc's mapping of the standard library to rustup's rust-src, if that is installed.
sysroot=${rust[2]%/bin/rustc}
commit=$("$RUSTC" -vV | sed -n 's/^commit-hash: //p')
remaps="'--remap-path-prefix=$root=/solverbox', '--remap-path-prefix=$CARGO_HOME=/cargo',
    '--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit'"
# ggml records the commit git reports; git must not find a repository that contains cargo's home.
export GIT_CEILING_DIRECTORIES=$CARGO_HOME
export LC_ALL=C TZ=UTC
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory="$root" log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)}
export SOURCE_DATE_EPOCH

# A separate target directory from `make run`, because CMake keeps the flags of its first configuration.
"${rust[1]}" build --release --locked --target "$triple" --target-dir target/cross \
    --config "target.$triple.rustflags = [${remaps//$'\n'/}]"
install -D "target/cross/$triple/release/solverbox" "target/$triple/release/solverbox"
cross/dist.sh "$triple"
