"""Make a command's text from its JSON document alone: nothing of the text may be missing there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

HEX_KEYS = ("sig_key", "signature")


def lsmod(document: str) -> str:
    lines = ["Module                  Size  Used by"]
    for module in json.loads(document)["modules"]:
        count = -2 if module["refcnt"] is None else module["refcnt"]
        line = f"{module['name']:<19} {module['size']:8}  {count} {','.join(module['holders'])}"
        lines.append(line.rstrip())
    return "".join(f"{line}\n" for line in lines)


def modinfo(document: str) -> str:
    """Return the lines of modinfo, those of each module sorted: keys may be mixed in the file."""
    text = ""
    for module in json.loads(document)["modules"]:
        rows = [("name", module["name"])] if module["builtin"] else []
        rows.append(("filename", module["path"] or "(builtin)"))
        if "error" not in module:
            rows += [(key, value) for key, values in module["fields"].items() for value in values]
            if module["build_id"] is not None:
                rows.append(("build-id", hexadecimal(module["build_id"])))
            rows += [
                (key, hexadecimal(value) if key in HEX_KEYS else value)
                for key, value in (module["signature"] or {}).items()
            ]
            for each in module["parameters"]:
                told = each["description"] or each["type"] or ""
                kind = f" ({each['type']})" if each["description"] and each["type"] else ""
                rows.append(("parm", f"{each['name']}:{told}{kind}"))
        text += "".join(sorted(f"{key + ':':<16}{value}\n" for key, value in rows))
    return text


def hexadecimal(digits: str) -> str:
    pairs = [digits[at : at + 2].upper() + ":" for at in range(0, len(digits), 2)]
    rows = ["".join(pairs[at : at + 20]) for at in range(0, len(pairs), 20)]
    return "\n\t\t".join(rows).removesuffix(":")


def modinfo_field(document: str) -> str:
    modules = json.loads(document)["modules"]
    return "".join(
        f"{value}\n"
        for module in modules
        for values in module["fields"].values()
        for value in values
    )


def plan(document: str) -> str:
    """Return what ``modprobe -D`` and ``-n`` print."""
    lines = []
    for made in json.loads(document)["plans"]:
        for step in made["steps"]:
            action = step["action"]
            if action == "insert":
                lines.append(f"insmod {step['path']} {step['params']}")
            elif action == "run-install":
                lines.append(f"install {step['command']} {step['params']}")
            elif action == "builtin":
                lines.append(f"builtin {step['module']}")
            elif action == "remove" and not (step["if_unused"] and step["refcnt"]):
                lines.append(f"rmmod {step['module']}")
            elif action == "run-remove":
                lines.append(f"remove {step['command'].replace('$CMDLINE_OPTS', '')}")
    return "".join(f"{line}\n" for line in lines)


def lookup(document: str) -> str:
    words = json.loads(document)["words"]
    return "".join(f"{module['name']}\n" for word in words for module in word["modules"])


def config(document: str) -> str:
    whole = json.loads(document)
    lines = []
    for kind in ("blacklist", "install", "remove", "alias", "options", "softdep", "weakdep"):
        for each in whole["directives"]:
            if each["kind"] == kind:
                subject = each["module"] if "pattern" not in each else each["pattern"]
                lines.append(f"{kind} {subject}{_rest(each)}")
    lines += ["", "# End of configuration files. Dumping indexes now:", ""]
    for index in ("aliases", "symbols"):
        lines += [f"alias {each['alias']} {each['module']}" for each in whole[index]]
    return "".join(f"{line}\n" for line in lines)


def _rest(directive: Mapping[str, Iterable[str]]) -> str:
    if directive["kind"] == "blacklist":
        return ""
    if directive["kind"] == "softdep":
        pre = f"pre: {' '.join(directive['pre'])}" if directive["pre"] else ""
        post = f"post: {' '.join(directive['post'])}" if directive["post"] else ""
        return f" {pre}{post}"
    if directive["kind"] == "weakdep":
        return f" {' '.join(directive['modules'])}"
    key = {"alias": "module", "options": "params"}.get(str(directive["kind"]), "command")
    return f" {directive[key]}"


def symbols(document: str) -> str:
    rows = json.loads(document)["symbols"]
    return "".join(f"{row['crc'] or '0x00000000'}\t{row['name']}\n" for row in rows)


def depmod(document: str) -> str:
    """Return what ``depmod -n -v`` prints."""
    whole = json.loads(document)
    uses = [
        f'{use["user"]} needs "{use["symbol"]}": {use["owner"]}\n' for use in whole["uses"] or ()
    ]
    return "".join([*uses, *(file["text"] or "" for file in whole["files"])])


def static_nodes(document: str) -> str:
    return "".join(
        f"Module: {node['module']}\n\tDevice node: {node['device']}\n"
        f"\t\tType: {node['type']} device\n\t\tMajor: {node['major']}\n\t\tMinor: {node['minor']}\n"
        for node in json.loads(document)["nodes"]
    )


def messages(document: str, program: str) -> list[str]:
    """Return the lines that the document says were on stderr."""
    said = json.loads(document)["messages"]
    return [f"{program}: {each['level']}: {each['text']}" for each in said]


Retelling = Callable[[str], str]
