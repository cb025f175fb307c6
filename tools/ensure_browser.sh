#!/bin/sh
# Finds a Chromium for the browser tests, or installs one where that is possible. Never fails: without a browser the
# browser tests skip and say so.
set -u
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then echo "browser tests: using $(command -v "$name")"; exit 0; fi
done
if command -v apt-get >/dev/null 2>&1; then
    run=""
    if [ "$(id -u)" != 0 ]; then run="sudo -n"; fi
    echo "browser tests: no browser found, installing Chromium with apt-get"
    if $run apt-get update -qq </dev/null && DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq \
        --no-install-recommends chromium fonts-dejavu-core </dev/null; then
        command -v chromium >/dev/null 2>&1 && exit 0
    fi
fi
echo "browser tests: no system package, trying Playwright's own build"
if [ -x "$1/bin/playwright" ] && timeout 300 "$1/bin/playwright" install chromium; then exit 0; fi
echo "browser tests: no browser could be installed; the browser tests will be skipped"
exit 0
