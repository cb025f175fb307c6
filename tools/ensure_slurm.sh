#!/bin/sh
# Installs SLURM for the cluster tests where that is cheap: Debian packages of a few MB, as root. Never fails: without it
# the cluster tests skip and say so. Nothing is started: the tests run their own daemons, on the loopback address only.
set -u
PATH="$PATH:/usr/sbin:/sbin"
if command -v sbatch >/dev/null 2>&1 && command -v slurmctld >/dev/null 2>&1 && command -v munged >/dev/null 2>&1; then
    echo "cluster tests: using $(sbatch --version 2>/dev/null || echo SLURM)"
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "cluster tests: no SLURM found, installing slurm-wlm and munge with apt-get"
    # packages start their services when installed: here they must not
    policy=/usr/sbin/policy-rc.d
    made=""
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; fi
    { apt-get update -qq </dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends slurm-wlm munge </dev/null; } >/dev/null 2>&1
    if [ -n "$made" ]; then rm -f "$policy"; fi
    command -v slurmctld >/dev/null 2>&1 && exit 0
fi
echo "cluster tests: no SLURM (needs root and apt-get to install); the cluster tests will be skipped"
exit 0
