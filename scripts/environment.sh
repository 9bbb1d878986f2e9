# Sourced by demo, test and check: a virtual environment with vidstyle in it, made on first use and kept.
# VIDSTYLE_VENV names another place for it than .venv.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${VIDSTYLE_VENV:-.venv}
unset PYTHONDONTWRITEBYTECODE # tests start many processes, each of which would compile vidstyle anew

# With a single message, because pip and venv explain themselves at length already.
fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# Name a Python of 3.11 or newer that runs; a name on PATH alone may be a stub.
find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3.14 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none was found; install one, such as the package python3.11, and try again."
}

make_venv() {
    local python options=()
    if [[ -x $venv/bin/python ]] && "$venv/bin/python" -m pip --version > /dev/null 2>&1; then
        return
    fi
    if [[ -e $venv && -n $(ls -A "$venv") ]]; then
        [[ -f $venv/pyvenv.cfg ]] || fail "$venv is not a virtual environment; remove it or name another with VIDSTYLE_VENV."
        options=(--clear) # broken: its Python has gone, or it was never finished
    fi
    python=$(find_python)
    echo "making the virtual environment $venv with $("$python" --version)"
    "$python" -m venv ${options[@]+"${options[@]}"} "$venv" ||
        fail "$python cannot make virtual environments; install its venv module, such as the package python3-venv."
}

# opencv-python links desktop libraries (libGL, glib) that a server may lack; the headless build does without.
ensure_opencv() {
    local reason
    if reason=$("$venv/bin/python" -c 'import cv2' 2>&1); then
        return
    fi
    echo "OpenCV cannot be loaded ($(tail -n 1 <<< "$reason")): putting opencv-python-headless in its place"
    "$venv/bin/python" -m pip uninstall --quiet --yes opencv-python opencv-python-headless
    "$venv/bin/python" -m pip install --quiet opencv-python-headless
    "$venv/bin/python" -c 'import cv2' || fail "OpenCV cannot be loaded, not even opencv-python-headless; see the lines above."
}

# prepare [EXTRA]: vidstyle, and the packages of an extra, in the environment. Quick where nothing is to be done.
prepare() {
    local extra=${1:-} stamp wanted sources=(pyproject.toml) quiet=(--quiet)
    [[ -t 1 ]] && quiet=() # someone is watching: show how far the download is
    make_venv
    # One stamp an extra, holding what was installed for it: an unfinished or outdated installation is done again.
    stamp=$venv/vidstyle-installed${extra:+-$extra}
    [[ $extra == dev ]] || sources+=(scripts/build_kernels.py vidstyle/temporal/kernels/*.[ch]) # compiled below for dev
    wanted="$PWD $(cat "${sources[@]}" | cksum)"
    if [[ $(cat "$stamp" 2> /dev/null) != "$wanted" ]]; then
        echo "installing vidstyle${extra:+ and its '$extra' packages} into $venv; the first time this takes minutes"
        "$venv/bin/python" -m pip install ${quiet[@]+"${quiet[@]}"} --disable-pip-version-check --editable ".${extra:+[$extra]}"
        ensure_opencv
        echo "$wanted" > "$stamp"
    fi
    ensure_opencv
    if [[ $extra == dev ]]; then # the sources are worked on: done in no time where they have not changed
        "$venv/bin/python" scripts/build_kernels.py > /dev/null || true # it says why, and vidstyle runs without
    fi
}
