#!/usr/bin/env bash
# Runs psk-v2.vp under Verifpal (cargo install verifpal), as it stands and with parts of it broken, and holds what
# is found to what psk-v2.md claims.
set -euo pipefail
cd "$(dirname "$0")"
command -v verifpal >/dev/null || { echo "verify: install verifpal first" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

readonly NO_X25519='s/gx = PUBKEY(/gx = PUBKEY[weak](/; s/gy = PUBKEY(/gy = PUBKEY[weak](/'
readonly NO_MLKEM='s/KEM_ENCAP(/KEM_ENCAP[weak](/'
readonly PSK_KEPT='s/leaks id_i, psk/leaks id_i/'
# The former PSK is the attacker's from the start.
readonly PSK_STOLEN="$PSK_KEPT"'; 0,/knows private psk/{/knows private psk/s/$/\n\tleaks psk/}'

check() { # check NAME SED FAILS: queries that fail, by name, in the order of the model
  sed "$2" psk-v2.vp >"$work/$1.vp"
  ! cmp -s psk-v2.vp "$work/$1.vp" || [[ $1 == as-designed ]] || { echo "verify: $1 changes nothing" >&2; exit 1; }
  local found
  found=$(verifpal verify "$work/$1.vp" | sed -n 's/^ *FAIL x \([a-z]*? [^(]*[^( ]\) *$/\1/p' | sort -u | paste -sd';' -)
  [[ $found == "$3" ]] && printf '%-24s as claimed%s\n' "$1" "${3:+ (fails: $3)}" && return
  printf '%-24s DIFFERS: expected "%s", found "%s"\n' "$1" "$3" "$found"
  exit 1
}

readonly TWO_ANSWERS='authentication? Responder -> Initiator: sig_r'
check as-designed '' ''
check x25519-broken "$NO_X25519" "$TWO_ANSWERS"
check mlkem-broken "$NO_MLKEM" ''
check both-broken-psk-kept "$NO_X25519; $NO_MLKEM; $PSK_KEPT" "$TWO_ANSWERS"
check psk-stolen-before "$PSK_STOLEN" ''
# That the model can fail: nothing is left that would protect.
check nothing-left "$NO_X25519; $NO_MLKEM" \
  "$TWO_ANSWERS;confidentiality? next_i;confidentiality? packet_i;confidentiality? packet_r"
