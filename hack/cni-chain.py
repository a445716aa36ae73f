#!/usr/bin/env python3
"""Runs a chain of CNI plugins as a container runtime does.

    cni-chain.py [options] CONFLIST add|del|check CONTAINER NETNS
    cni-chain.py [options] CONFLIST gc [CONTAINER ...]      (those that are still valid)
    cni-chain.py [options] CONFLIST status|version

It does what libcni does: each plugin of the list gets the network's name and version and, from the second on, the
result of the one before as prevResult; the result of an ADD is kept, and given to CHECK and DEL; DEL goes through the
list backwards. GC and STATUS, which came with version 1.1.0, go to the plugins that speak it, in that version. Prints the
result of an ADD, or the error of the plugin that refused; ends with 0, or with 1 if a plugin refused. An ADD that fails is followed by a DEL, as a runtime does it, unless --keep is given.

Options:
    --path DIR[:DIR]     where plugins are (default: CNI_PATH, or /opt/cni/bin:/usr/lib/cni)
    --state DIR          where results are kept (default: /var/lib/cni/results)
    --ifname NAME        the interface (default: eth0)
    --pod NAMESPACE/NAME the pod, for CNI_ARGS
    --uid UID            its UID
    --keep               after an ADD that fails, leave what the plugins before made
    --time               print the time of each call on the standard error
"""

import argparse
import json
import os
import subprocess
import sys
import time


NEWEST = "1.1.0"


class Refusal(Exception):
    """A plugin that said no: its error object."""

    def __init__(self, plugin, error):
        super().__init__(plugin)
        self.plugin = plugin
        self.error = error


class Chain:
    def __init__(self, options):
        self.options = options
        with open(options.conflist, encoding="utf-8") as file:
            self.network = json.load(file)
        self.path = options.path.split(":")

    def environment(self, command, container="", netns=""):
        environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "CNI_COMMAND": command,
                       "CNI_PATH": ":".join(self.path)}
        if container:
            environment.update(CNI_CONTAINERID=container, CNI_NETNS=netns, CNI_IFNAME=self.options.ifname)
        arguments = ["IgnoreUnknown=1"]
        if self.options.pod:
            namespace, _, name = self.options.pod.partition("/")
            arguments += [f"K8S_POD_NAMESPACE={namespace}", f"K8S_POD_NAME={name}",
                          f"K8S_POD_INFRA_CONTAINER_ID={container}"]
            if self.options.uid:
                arguments.append(f"K8S_POD_UID={self.options.uid}")
        if container:
            environment["CNI_ARGS"] = ";".join(arguments)
        return environment

    def find(self, plugin):
        for directory in self.path:
            program = os.path.join(directory, plugin)
            if os.access(program, os.X_OK):
                return program
        sys.exit(f"cni-chain: there is no plugin {plugin} in {':'.join(self.path)}")

    def call(self, configuration, environment, result=None, more=None):
        configuration = dict(configuration, name=self.network["name"], cniVersion=self.network["cniVersion"])
        if result is not None:
            configuration["prevResult"] = result
        configuration.update(more or {})
        plugin = configuration["type"]
        began = time.monotonic()
        done = subprocess.run([self.find(plugin)], input=json.dumps(configuration).encode(), env=environment,
                              stdout=subprocess.PIPE, check=False)
        if self.options.time:
            elapsed = (time.monotonic() - began) * 1000
            print(f"{environment['CNI_COMMAND']} {plugin}: {elapsed:.1f} ms", file=sys.stderr)
        try:
            answer = json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            answer = {"code": 0, "msg": f"no JSON: {done.stdout[:200]!r}"}
        if done.returncode != 0:
            raise Refusal(plugin, answer or {"code": 0, "msg": f"ended with {done.returncode} and said nothing"})
        return answer

    # Results, as libcni keeps them.

    def result_path(self, container):
        return os.path.join(self.options.state, f"{self.network['name']}-{container}-{self.options.ifname}")

    def kept_result(self, container):
        try:
            with open(self.result_path(container), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def keep_result(self, container, result):
        os.makedirs(self.options.state, exist_ok=True)
        with open(self.result_path(container), "w", encoding="utf-8") as file:
            json.dump(result, file)

    def forget_result(self, container):
        try:
            os.remove(self.result_path(container))
        except FileNotFoundError:
            pass

    # Commands.

    def add(self, container, netns):
        environment = self.environment("ADD", container, netns)
        result = None
        try:
            for plugin in self.network["plugins"]:
                result = self.call(plugin, environment, result)
        except Refusal:
            if not self.options.keep:
                self.delete(container, netns, quietly=True)
            raise
        self.keep_result(container, result)
        print(json.dumps(result))

    def delete(self, container, netns, quietly=False):
        environment = self.environment("DEL", container, netns)
        result = self.kept_result(container)
        for plugin in reversed(self.network["plugins"]):
            try:
                self.call(plugin, environment, result)
            except Refusal:
                if not quietly:
                    raise
        self.forget_result(container)

    def check(self, container, netns):
        result = self.kept_result(container)
        if result is None:
            sys.exit(f"cni-chain: there is no result of an ADD for {container}")
        for plugin in self.network["plugins"]:
            self.call(plugin, self.environment("CHECK", container, netns), result)

    def new_plugins(self):
        for plugin in self.network["plugins"]:
            if NEWEST in self.call(plugin, self.environment("VERSION"))["supportedVersions"]:
                yield plugin

    def gc(self, valid):
        attachments = [{"containerID": container, "ifname": self.options.ifname} for container in valid]
        more = {"cni.dev/valid-attachments": attachments, "cni.dev/attachments": attachments, "cniVersion": NEWEST}
        for plugin in self.new_plugins():
            self.call(plugin, self.environment("GC"), more=more)

    def status(self):
        for plugin in self.new_plugins():
            self.call(plugin, self.environment("STATUS"), more={"cniVersion": NEWEST})

    def version(self):
        for plugin in self.network["plugins"]:
            print(plugin["type"], json.dumps(self.call(plugin, self.environment("VERSION"))))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("conflist")
    parser.add_argument("command", choices=["add", "del", "check", "gc", "status", "version"])
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--path", default=os.environ.get("CNI_PATH", "/opt/cni/bin:/usr/lib/cni"))
    parser.add_argument("--state", default="/var/lib/cni/results")
    parser.add_argument("--ifname", default="eth0")
    parser.add_argument("--pod", default="")
    parser.add_argument("--uid", default="")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--time", action="store_true")
    options = parser.parse_intermixed_args()
    chain = Chain(options)
    try:
        if options.command in ("add", "del", "check"):
            if len(options.rest) != 2:
                parser.error("CONTAINER and NETNS are needed")
            command = {"add": chain.add, "del": chain.delete, "check": chain.check}[options.command]
            command(*options.rest)
        elif options.command == "gc":
            chain.gc(options.rest)
        else:
            {"status": chain.status, "version": chain.version}[options.command]()
    except Refusal as refusal:
        print(json.dumps(dict(refusal.error, plugin=refusal.plugin)))
        sys.exit(1)


if __name__ == "__main__":
    main()
