# shellcheck shell=bash
# The demo's machines: two nodes and six pods, each a network namespace; sourced by demo.sh.
#
#   mn-demo-a  10.240.0.1  fd00:240::1  ─── veth ───  mn-demo-b  10.240.0.2  fd00:240::2
#     mn-demo-web     10.240.1.10  fd00:240:0:1::10     mn-demo-api    10.240.2.10  fd00:240:0:2::10   nginx
#     mn-demo-batch   10.240.1.11  fd00:240:0:1::11     mn-demo-cache  10.240.2.11  fd00:240:0:2::11   redis
#     mn-demo-legacy  10.240.1.12  fd00:240:0:1::12     mn-demo-mail   10.240.2.12  fd00:240:0:2::12   SMTP
#
# Nothing answers for the services' addresses (10.240.100.x, fd00:240:0:100::x): only the mesh knows them.

# Pods as NAME:NODE:NUMBER; a pod's addresses follow from its node and its number.
demo_pods=(web:1:10 batch:1:11 legacy:1:12 api:2:10 cache:2:11 mail:2:12)

# Runs a command in the network namespace mn-demo-$1. (`ip netns exec` would also remount /sys and hide the cgroups.)
in_namespace() {
    local name=$1
    shift
    nsenter --net="/run/netns/mn-demo-$name" "$@"
}

# The names of the demo's namespaces that exist.
demo_namespaces() {
    local path
    for path in /run/netns/mn-demo-*; do
        [[ -e $path ]] && echo "${path##*/}"
    done
}

# Makes all of it; ends at the first command that fails.
make_topology() {
    make_nodes || return 1
    local pod name node number
    for pod in "${demo_pods[@]}"; do
        IFS=: read -r name node number <<<"$pod"
        make_pod "$name" "$node" "$number" || return 1
    done
}

make_nodes() {
    ip netns add mn-demo-a && ip netns add mn-demo-b || return 1
    local node
    for node in a b; do
        # The kernel's files of a namespace show through whoever is in it.
        in_namespace "$node" sh -c '
            echo 1 >/proc/sys/net/ipv4/ip_forward &&
            echo 1 >/proc/sys/net/ipv6/conf/all/forwarding' || return 1
        ip -n "mn-demo-$node" link set lo up || return 1
    done
    ip -n mn-demo-a link add uplink type veth peer name uplink netns mn-demo-b &&
        ip -n mn-demo-a -batch - <<-'BATCH' && ip -n mn-demo-b -batch - <<-'BATCH'
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

make_pod() {
    local name=$1 node=$2 number=$3 host=mn-demo-a
    ((node == 2)) && host=mn-demo-b
    local v4="10.240.$node" v6="fd00:240:0:$node"
    ip netns add "mn-demo-$name" &&
        ip -n "$host" link add "to-$name" type veth peer name eth0 netns "mn-demo-$name" &&
        ip -n "$host" -batch - <<-BATCH && ip -n "mn-demo-$name" -batch - <<-BATCH
			addr add $v4.1/32 dev to-$name
			addr add $v6::1/128 dev to-$name nodad
			link set to-$name up
			route add $v4.$number/32 dev to-$name
			route add $v6::$number/128 dev to-$name
		BATCH
			link set lo up
			addr add $v4.$number/32 dev eth0
			addr add $v6::$number/128 dev eth0 nodad
			link set eth0 up
			route add $v4.1/32 dev eth0
			route add default via $v4.1
			route add $v6::1/128 dev eth0
			route add default via $v6::1
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
