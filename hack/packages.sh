# shellcheck shell=bash disable=SC2034  # the lists are for those who source this
# Debian packages by name; sourced by demo.sh and test.sh.

# What the build links against.
build_packages=(libssl-dev libnftnl-dev libmnl-dev libnghttp2-dev pkg-config)
# What the demo shows the mesh with.
demo_packages=(iproute2 util-linux procps curl tcpdump openssl nginx redis-server redis-tools python3 python3-aiosmtpd
    containernetworking-plugins)
# The peers that hack/interop.sh holds the mesh against; Envoy is none of Debian's packages.
interop_packages=(nghttp2-client prometheus python3-cryptography python3-h2 python3-hyperframe python3-venv)
# What the tests and the checks need besides.
test_packages=(nftables shellcheck)

# The packages among "$@" that are not installed, one per line.
missing_packages() {
    local package
    for package in "$@"; do
        # shellcheck disable=SC2016  # the format is dpkg's
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# Installs those packages among "$@" that are missing. No service is started: the demo starts its own, in namespaces.
install_missing() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) && return 0
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "These Debian packages are missing: ${missing[*]}" >&2
        echo "Install them: sudo apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    local policy=/usr/sbin/policy-rc.d status=0 is_ours=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && is_ours=1
    fi
    {
        apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
    } >/tmp/meshnode-apt.$$.log 2>&1 </dev/null || status=$?
    ((is_ours)) && rm -f "$policy"
    ((status == 0)) || tail -n 20 /tmp/meshnode-apt.$$.log >&2
    rm -f /tmp/meshnode-apt.$$.log
    return "$status"
}
