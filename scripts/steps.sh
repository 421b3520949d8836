# Sourced by .ci/run and scripts/check: runs named steps one after another, says what each took, and fails at the end if any failed.
failed=()

# step NAME COMMAND [ARGUMENT …]
step() {
    local name=$1 started=$SECONDS status=0
    shift
    printf '\n=== %s\n' "$name"
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        printf -- '--- %s: ok, %d s\n' "$name" $((SECONDS - started))
    else
        printf -- '--- %s: FAILED with exit status %d, %d s\n' "$name" "$status" $((SECONDS - started))
        failed+=("$name")
    fi
}

# Says which steps failed; exit status 1 if there were any.
finish() {
    printf '\n=== %d s in all\n' "$SECONDS"
    if [ ${#failed[@]} -gt 0 ]; then
        printf 'FAILED: %s\n' "${failed[@]}"
        return 1
    fi
    echo 'every step ok'
}
