#!/usr/bin/env bash
# Installs or upgrades a relay on this machine, from the checkout that this script lies in.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: install.sh --region CODE --jwks URL --certificate FILE --private-key FILE [options]

  --region CODE        the region's code in the relay map
  --jwks URL           the control plane's /.well-known/jwks.json
  --certificate FILE   chain in PEM for the region's host name
  --private-key FILE   its key
  --report-key FILE    what it reports its clients to the control plane with; without it nothing is
  --python PROGRAM     Python 3.11 or newer (python3)
  --root DIR           install below DIR instead of /, and start nothing
  --no-start           install, and start nothing

Run again without the four settings to upgrade: settings, certificate and key stay as they are.
EOF
}

say() { printf '· %s\n' "$*" >&2; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

region='' jwks='' certificate='' private_key='' report_key='' python=python3 root='' start=yes
while (($#)); do
  case $1 in
  --region | --jwks | --certificate | --private-key | --report-key | --python | --root)
    [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value"
    name=${1#--}
    printf -v "${name//-/_}" '%s' "$2"
    shift 2 ;;
  --no-start) start=no; shift ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; die "unknown option $1" ;;
  esac
done

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
source=$(cd "$here/../.." && pwd)
etc=$root/etc/quickztna-relay
opt=$root/opt/quickztna-relay
unit=$root/etc/systemd/system/quickztna-relay.service

# Everything is looked at before anything is changed.
[[ -n $root || $EUID -eq 0 ]] || die "run it as root"
for part in relay wire requirements/relay.txt; do
  [[ -e $source/$part ]] || die "$source is not a checkout: $part is missing"
done
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || die "$python is not Python 3.11 or newer"
"$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python cannot make environments; on Debian: apt-get install python3-venv"
if [[ ! -f $etc/relay.env ]]; then
  [[ $region && $jwks && $certificate && $private_key ]] || { usage >&2; die "the first installation needs all four settings"; }
fi
[[ -z $region || $region =~ ^[A-Za-z0-9-]{2,16}$ ]] || die "--region: 2 to 16 letters, digits and hyphens"
[[ -z $jwks || $jwks =~ ^https://[^[:space:]]+$ ]] || die "--jwks: must be an https address"
for file in "$certificate" "$private_key" "$report_key"; do
  [[ -z $file || -r $file ]] || die "cannot read $file"
done
if [[ $certificate && $private_key ]]; then
  "$python" - "$certificate" "$private_key" <<'EOF' || die "certificate and key do not belong together"
import ssl, sys
try:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*sys.argv[1:])
except (OSError, ValueError) as error:
    sys.exit(str(error))
EOF
fi

# A release of its own beside the old one: what runs is not touched until the new one is whole.
mkdir -p "$opt/releases" "$etc" "$(dirname "$unit")"
chmod 755 "$etc"
release=$opt/releases/$(date -u +%Y%m%dT%H%M%S)-$$
trap 'rm -rf "$release"' ERR INT TERM
say "installing into $release"
mkdir -p "$release"
cp -R "$source/relay" "$source/wire" "$release/"
cp "$here/README.md" "$release/"
find "$release" -name __pycache__ -type d -prune -exec rm -rf {} +
"$python" -m venv "$release/venv"
"$release/venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --no-deps \
  -r "$source/requirements/relay.txt"
"$release/venv/bin/python" -m compileall -q "$release/relay" "$release/wire"
(cd "$release" && venv/bin/python -c 'import relay.run') || die "the new release does not import"
trap - ERR INT TERM

if [[ $region || $jwks ]]; then
  umask 077
  {
    printf 'QZRELAY_REGION=%s\n' "$region"
    printf 'QZRELAY_JWKS=%s\n' "$jwks"
    [[ ! -f $etc/relay.env ]] || grep -v -e '^QZRELAY_REGION=' -e '^QZRELAY_JWKS=' "$etc/relay.env" || true
  } >"$etc/relay.env.new"
  [[ $region && $jwks ]] || die "--region and --jwks go together"
  mv "$etc/relay.env.new" "$etc/relay.env"
fi
[[ -z $certificate ]] || install -m 644 "$certificate" "$etc/relay.pem"
[[ -z $private_key ]] || install -m 600 "$private_key" "$etc/relay.key"
install -m 644 "$here/quickztna-relay.service" "$unit"
if [[ $report_key ]]; then
  install -m 600 "$report_key" "$etc/report.key"
  # Beside the unit, since a credential that is missing would stop the start of every relay without one.
  install -d -m 755 "$unit.d"
  install -m 644 "$here/report.conf" "$unit.d/report.conf"
fi
ln -sfn "${release#"$root"}" "$opt/current.new"
mv -T "$opt/current.new" "$opt/current"

# The one before stays for the way back; older ones go.
find "$opt/releases" -mindepth 1 -maxdepth 1 -type d | sort | head -n -2 | xargs -r rm -rf

if [[ $root || $start == no ]]; then
  say "installed; start it with: systemctl enable --now quickztna-relay"
  exit 0
fi
systemctl daemon-reload
systemctl enable -q quickztna-relay
systemctl restart quickztna-relay
say "the relay runs: systemctl status quickztna-relay"
