#!/bin/sh
# Hook of mmdebstrap: lets the new root file system, $1, reach the package indexes that this machine reaches, so that
# an image can be built on it where certificates of the site's own are needed.
set -eu
mkdir -p "$1/usr/local/share/ca-certificates" "$1/etc/uv"
for certificate in /usr/local/share/ca-certificates/*.crt; do
  [ -e "$certificate" ] && cp "$certificate" "$1/usr/local/share/ca-certificates/"
done
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "$1/etc/pip.conf"
printf 'system-certs = true\n' > "$1/etc/uv/uv.toml"
