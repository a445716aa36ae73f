#!/usr/bin/env bash
# Writes docs/screens.md from a mesh that runs: what status, explain, edges and the others really print.
set -uo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'USAGE'
usage: hack/screens.sh --binary FILE --client SOCKET --server SOCKET [--allowed SRC DST] [--denied SRC DST]

Prints docs/screens.md to standard output; run it while the demo is kept:
    sudo hack/demo.sh --keep
    hack/screens.sh --binary ... --client ... --server ... > docs/screens.md

  --binary FILE      the meshnode to run
  --client SOCKET    agent.sock of the client's node
  --server SOCKET    agent.sock of the server's node
  --allowed SRC DST  a connection that is allowed (default: shop/web api.pay:80)
  --denied SRC DST   a connection that is not (default: shop/batch api.pay:80)
  -h, --help         this text

Exit status: 0 written, 1 an agent did not answer, 64 usage.
USAGE
}

binary="" client="" server=""
allowed=(shop/web api.pay:80) denied=(shop/batch api.pay:80)
while (($#)); do
    case $1 in
        --binary) binary=${2:-}; shift ;;
        --client) client=${2:-}; shift ;;
        --server) server=${2:-}; shift ;;
        --allowed) allowed=("${2:-}" "${3:-}"); shift 2 ;;
        --denied) denied=("${2:-}" "${3:-}"); shift 2 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "hack/screens.sh: unknown argument '$1'" >&2
            usage >&2
            exit 64
            ;;
    esac
    shift
done
if [[ ! -x $binary || -z $client || -z $server ]]; then
    echo "hack/screens.sh: --binary, --client and --server are needed" >&2
    exit 64
fi

failed=0

# A screen: its heading, what it answers, the socket that is asked, and the command line.
screen() {
    local title=$1 text=$2 socket=$3 output status=0
    shift 3
    output=$("$binary" "$@" --socket "$socket" 2>&1) || status=$?
    # 0 is yes and 2 is no; everything else is no answer.
    ((status == 0 || status == 2)) || failed=1
    # shellcheck disable=SC2016  # the backquotes are Markdown's
    printf '\n## %s\n\n%s\n\n```console\n$ meshnode %s\n%s\n```\n\nExit status %d.\n' \
        "$title" "$text" "$*" "$output" "$status"
}

cat <<'HEAD'
# Screens

What the commands print, taken from the demo by [hack/screens.sh](../hack/screens.sh). Nothing is edited.
HEAD
screen "Is the mesh well?" "All nodes, as the controller last heard of them." "$client" status
screen "Is this node well?" "From its own agent; needs no controller." "$client" status --local
screen "Would it be allowed?" "The same code answers that decides about connections." "$client" explain "${allowed[@]}"
screen "Why not?" "The first field that missed, what it wants and what the connection has." "$client" \
    explain "${denied[@]}"
screen "And without an identity?" "As a client outside the mesh would be answered." "$client" \
    explain "${allowed[@]}" --plaintext
screen "What was refused?" "On the server's node. The ids are in the access log, too." "$server" connections --denied
id=$("$binary" connections --denied -o name --socket "$server" 2>/dev/null | tail -n 1)
id=${id#connection/}
[[ -z $id ]] || screen "Why was it refused?" "What was decided then, on what, and whether it would be still." "$server" \
    explain --id "$id"
screen "Who talks to whom?" "Secured, or why not." "$client" edges
screen "Which services are there?" "Endpoints are ready/all." "$client" services
screen "Is what is wanted enforced?" "Configuration, pods, certificates, policies, other nodes." "$client" diff
screen "Does all of it run?" "Each part as a line, with what to do." "$client" check
((failed == 0)) || echo "hack/screens.sh: an agent did not answer" >&2
exit "$failed"
