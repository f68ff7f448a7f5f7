#!/usr/bin/env bash
# Runs the full forms of the trials of reliability, one after the other, and makes docs/reliability.md of what
# they measured. Fails where a trial is missing or something did not hold. `make reliability` calls it; the
# machine should do nothing else meanwhile.
#
#   build/reliability.sh        runs them, 35 min, and makes the page
#   build/reliability.sh page   makes the page of what was measured last
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The chapters of the suite that hold trials, and the names trials record their figures under.
chapters=(door:: classroom:: crash:: power:: schema::)
trials=(slow-heads slow-bodies slow-reads descriptors page-beside-answers classroom crash power schemathesis)
page=docs/reliability.md

failed=''
run() {
    rm -rf target/reliability
    mkdir -p target/reliability
    RELIABILITY_TRIALS=1 cargo test --release --locked --test tests -- "${chapters[@]}" --nocapture --test-threads 1 \
        > >(tee target/reliability/log | grep --line-buffered -E '^(test |[a-z-]+: |NOT CHECKED)') 2>&1 ||
        failed=" a test failed, target/reliability/log says which;"
}
[[ ${1:-} == page ]] || run

changes=$(git status --porcelain --untracked-files=no -- src build.rs build tests Cargo.lock)
commit=$(git rev-parse --short HEAD)${changes:+ with changes}
{
    cat <<END
# Reliability

What must hold of a box that stands in a classroom, and what was measured when it was tried. \`make reliability\` runs
these trials and makes this page; the suite runs a short form of each.

$(date +%F), commit $commit, $(nproc) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r).

| trial | must hold | measured |
|---|---|---|
END
    for trial in "${trials[@]}"; do
        if [[ -s target/reliability/$trial.json ]]; then
            python3 -c '
import json, sys
for row in map(json.loads, open(sys.argv[1])):
    measured = row["measured"] if row["held"] else "**does not hold:** " + row["measured"]
    print("|", row["trial"], "|", row["must_hold"], "|", measured, "|")
' "target/reliability/$trial.json"
        else
            echo "| $trial | | **did not run** |"
        fi
    done
} >target/reliability/page
cp target/reliability/page "$page"
sed -n '/^|/p' "$page"

for trial in "${trials[@]}"; do
    [[ -s target/reliability/$trial.json ]] || failed+=" $trial did not run;"
done
! grep -F '**does not hold' "$page" >/dev/null || failed+=" something does not hold;"
[[ -z $failed ]] || {
    printf 'solverbox: the trials of reliability failed:%s\n%s\n' "${failed%;}" "The table above says what was measured." >&2
    exit 1
}
