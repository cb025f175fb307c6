#!/bin/sh
# Prints a Python >= 3.11 that works on this computer, or says what to install. $1, then $PYTHON, are tried first.
set -u
works() { "$1" -c 'import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else 1)' >/dev/null 2>&1; }
for candidate in ${1:-} ${1:+"$HOME"/.pyenv/versions/3.12.*/bin/python3.12} ${PYTHON:-} \
    python3 python python3.13 python3.12 python3.11; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if works "$path"; then echo "$path"; exit 0; fi
done
echo "No Python >= 3.11 with the venv module was found. Install one (Debian: apt-get install python3 python3-venv)" \
     "or name it: make PYTHON=/path/to/python3.12 ..." >&2
exit 1
