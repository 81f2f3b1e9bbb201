# Makes or mends .venv; sourced by the commands beside it, which call
#   make_environment          for all that training and stylizing need
#   make_environment test     for what the tests need too
# and then have "$venv/bin/python". Nothing is done where nothing has changed: scripts/stamp.py knows.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
case $OSTYPE in
  linux*) needed_gb=9 ;;  # torch brings CUDA, also without a GPU: 6 GB installed, 2.7 GB of downloads until then
  *) needed_gb=2 ;;
esac
pip_cache_gb=3  # as much again, where pip may keep the downloads

say() { printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2; }
fail() { say "$*"; exit 1; }

make_environment() {
  local extra=${1:-} python=""
  if stamp usable 2>/dev/null; then
    if stamp current "$extra" 2>/dev/null; then return; fi
  else
    python=$(find_python)  # before the old one goes: where .venv is activated, it comes first on PATH
    remove_old
  fi
  check_disk
  if [[ -n $python ]]; then
    "$python" -m venv --without-pip "$venv"
  fi
  install "$extra"
}

stamp() { "$venv/bin/python" -I "$root/scripts/stamp.py" "$1" "$root" "${@:2}"; }

# Prints the first Python that will do. python3 comes first: it is the one that the user has chosen. A newer one than
# torch has wheels for is only taken where there is no other.
find_python() {
  local name answer problems="" newer=""
  for name in python3 python python3.{14,13,12,11}; do
    answer=$("$name" -c "$ask_python" 2>/dev/null) || continue
    case $answer in
      /*)
        printf '%s\n' "$answer"
        return
        ;;
      newer*) newer=${newer:-$answer} ;;
      *) problems+="${problems:+, }$name $answer" ;;
    esac
  done
  if [[ -n $newer ]]; then
    newer=${newer#newer }
    say "taking Python ${newer%% *}, as 3.11 to 3.14 are not there; torch may have no wheels for it yet"
    printf '%s\n' "${newer#* }"
    return
  fi
  fail "Python 3.11 or newer is needed: ${problems:-there is no python3 on PATH}"
}

# For any Python, however old. It names the one behind a virtual environment: that may be .venv, about to go.
ask_python='
import sys
version = "%d.%d.%d" % sys.version_info[:3]
if sys.version_info < (3, 11):
    print("is " + version)
else:
    try:
        import ensurepip, venv
        path = getattr(sys, "_base_executable", None) or sys.executable
        print(path if sys.version_info < (3, 15) else "newer " + version + " " + path)
    except ImportError:
        print("(" + version + ") lacks its venv module (on Debian and Ubuntu: apt install python3-venv)")
'

remove_old() {
  if [[ -e $venv || -L $venv ]]; then
    say "making .venv anew: its Python is missing, too old or another one, or the folder was moved"
    rm -rf -- "$venv"
  fi
}

check_disk() {
  local free_kb free_gb
  if compgen -G "$venv/lib/python*/site-packages/torch/version.py" >/dev/null; then
    return
  fi
  free_kb=$(df -Pk "$root" | sed -En '2s/.* ([0-9]+) +[0-9]+% .*/\1/p')
  free_gb=$((${free_kb:-0} * 1024 / 1000 / 1000 / 1000))
  if ((free_gb < needed_gb)); then
    fail "the installation needs $needed_gb GB of disk, $root has $free_gb GB left"
  fi
  if ((free_gb < needed_gb + pip_cache_gb)); then
    export PIP_NO_CACHE_DIR=1
  fi
}

install() {
  local extra=$1
  local -x TMPDIR=$venv/tmp  # pip's downloads: /tmp is often small, and what a killed pip has left there would stay
  say "installing into .venv; the first time takes some minutes"
  stamp begin
  rm -rf -- "$TMPDIR"
  mkdir -- "$TMPDIR"
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf -- "$venv"/lib/python*/site-packages/pip{,-*.dist-info}  # or ensurepip believes what is left of it
    "$venv/bin/python" -m ensurepip >/dev/null
  fi
  pip_install pip  # the tested one: older ones do not know --build-constraint
  # For tests Python compiles what is imported as it comes, which is a quarter of all that is installed.
  pip_install ${extra:+--no-compile} --build-constraint "$root/scripts/constraints.txt" \
    --editable "$root${extra:+[$extra]}"
  stamp finish "$extra"
  rm -rf -- "$TMPDIR"
}

pip_install() {
  local code=0
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check -c "$root/scripts/constraints.txt" "$@" || code=$?
  if ((code != 0)); then
    say "pip could not install what is needed (see above); run this again to go on"
    exit "$code"
  fi
}
