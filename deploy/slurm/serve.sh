#!/usr/bin/env bash
# Once:   install -d -m 750 /shared/delocal /var/lib/delocal      (the second as root, given to who serves)
#         delocal tls make --out /shared/delocal/tls
# Then:   deploy/slurm/serve.sh        (in tmux, or by deploy/systemd/delocal.service)
set -euo pipefail
cd "$(dirname "$0")"
while IFS='=' read -r name value; do
    case "$name" in DELOCAL_*) export "$name=$value" ;; esac
done < delocal.env
exec delocal serve --host 127.0.0.1 --port 8000
