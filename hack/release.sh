# shellcheck shell=bash
# How meshnode is built for use; sourced by the scripts that need it so, which set `root`.
# shellcheck disable=SC2154

# Swift's own libraries are linked into the program: a node needs none of them, and calls to them are direct.
release_options=(-c release --static-swift-stdlib)

# Builds the products "$@" of the package at $root.
build_release() {
    local product
    for product; do
        (cd "$root" && swift build "${release_options[@]}" --product "$product") || return 1
    done
}

# The folder of what was built.
release_folder() { (cd "$root" && swift build "${release_options[@]}" --show-bin-path); }
