# shellcheck shell=bash disable=SC2154  # netns_prefix is set by demo.sh
# The demo's machines: two nodes, each a network namespace with a bridge for its pods; sourced by demo.sh.
#
#   mn-demo-a  10.240.0.1  fd00:240::1  ─── veth ───  mn-demo-b  10.240.0.2  fd00:240::2
#     cni0   10.240.1.1   fd00:240:0:1::1               cni0   10.240.2.1   fd00:240:0:2::1
#       web     10.240.1.10  fd00:240:0:1::10             api      10.240.2.10  fd00:240:0:2::10   nginx
#       batch   10.240.1.11  fd00:240:0:1::11             cache    10.240.2.11  fd00:240:0:2::11   redis
#       legacy  10.240.1.12  fd00:240:0:1::12             mail     10.240.2.12  fd00:240:0:2::12   SMTP
#                                                         archive  10.240.2.13  fd00:240:0:2::13   HTTP
#
# The nodes are made here, the pods by pods.sh, which calls CNI plugins as a container runtime does.
# Nothing answers for the services' addresses (10.240.100.x, fd00:240:0:100::x): only the mesh knows them.

# Runs a command in the network namespace $netns_prefix-$1. (`ip netns exec` would also remount /sys and hide the cgroups.)
in_namespace() {
    local name=$1
    shift
    nsenter --net="/run/netns/$netns_prefix-$name" "$@"
}

# The names of the demo's namespaces that exist.
demo_namespaces() {
    local path
    for path in "/run/netns/$netns_prefix-"*; do
        [[ -e $path ]] && echo "${path##*/}"
    done
}

make_nodes() {
    local node
    for node in a b; do
        ip netns add "$netns_prefix-$node" || return 1
        # The kernel's files of a namespace show through whoever is in it. Without duplicate address detection the
        # bridge's addresses can be used at once.
        in_namespace "$node" sh -c '
            echo 1 >/proc/sys/net/ipv4/ip_forward &&
            echo 1 >/proc/sys/net/ipv6/conf/all/forwarding &&
            echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' || return 1
        ip -n "$netns_prefix-$node" link set lo up || return 1
    done
    ip -n "$netns_prefix-a" link add uplink type veth peer name uplink netns "$netns_prefix-b" &&
        ip -n "$netns_prefix-a" -batch - <<-'BATCH' && ip -n "$netns_prefix-b" -batch - <<-'BATCH'
			addr add 10.240.0.1/24 dev uplink
			addr add fd00:240::1/64 dev uplink nodad
			link set uplink up
			route add 10.240.2.0/24 via 10.240.0.2
			route add fd00:240:0:2::/64 via fd00:240::2
		BATCH
			addr add 10.240.0.2/24 dev uplink
			addr add fd00:240::2/64 dev uplink nodad
			link set uplink up
			route add 10.240.1.0/24 via 10.240.0.1
			route add fd00:240:0:1::/64 via fd00:240::1
		BATCH
}

# Ends every process that is still in one of the demo's namespaces, and deletes the namespaces.
delete_topology() {
    local name pids
    for name in $(demo_namespaces); do
        mapfile -t pids < <(ip netns pids "$name" 2>/dev/null)
        ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null
    done
    for name in $(demo_namespaces); do
        ip netns del "$name" 2>/dev/null
    done
    [[ -z $(demo_namespaces) ]]
}
