#!/usr/bin/env python3
"""Generates everything that follows from calls.abi.

usage: gen.py KIND < calls.abi > file      KIND: header | dispatch | manual | grammar
header    numbers, status codes and user stubs (calls.h)
dispatch  the kernel's table: X(number, name, number of arguments)
manual    docs/abi.md
grammar   the fuzzer's table of argument kinds (C)
"""
import re
import sys

REGISTERS = 6


def parse(text):
    statuses, calls = [], []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "status":
            code, name, meaning = rest.split(None, 2)
            statuses.append((int(code), name, meaning))
        elif word == "call":
            number, name = rest.split()
            calls.append({"number": int(number), "name": name, "args": [], "value": "", "doc": "", "units": "",
                          "stub": ""})
        elif word == "args":
            for arg in rest.split():
                name, _, kind = arg.partition(":")
                calls[-1]["args"].append((name, kind))
        elif word in ("value", "doc", "units", "stub"):
            calls[-1][word] = rest
        else:
            sys.exit(f"calls.abi: unknown word '{word}'")
    for i, call in enumerate(calls):
        if call["number"] != i:
            sys.exit(f"calls.abi: call {call['name']} has number {call['number']}, expected {i}")
        if len(call["args"]) > REGISTERS:
            sys.exit(f"calls.abi: call {call['name']} has too many arguments")
    return statuses, calls


def c_type(kind):
    match = re.match(r"(in|out|io):(\w+)\*", kind)
    if not match:
        return "uint64_t "
    base = match.group(2).replace("struct_", "struct ")
    base = {"u64": "uint64_t"}.get(base, base)
    return ("const " if match.group(1) == "in" else "") + base + " *"


def header(statuses, calls):
    out = ["/* Generated from exo/abi/calls.abi. */", "#ifndef EXO_CALLS_H", "#define EXO_CALLS_H", "",
           '#include "exo/abi/abi.h"', "", "enum exo_status {"]
    out += [f"\tEXO_{name} = {code},\t/* {meaning} */" for code, name, meaning in statuses]
    out += ["};", f"#define EXO_STATUS_COUNT {len(statuses)}",
            "#define EXO_CODE(s)\t((s) & 0xff)\t/* the code of a status */",
            "#define EXO_AT(s)\t((s) >> 8)\t/* which argument is at fault, 0 = none */", "",
            "enum exo_call {"]
    out += [f"\tEXO_CALL_{c['name'].upper()} = {c['number']}," for c in calls]
    out += ["\tEXO_CALL_COUNT", "};", "",
            "/* X(code, name, meaning) for each status; X(number, name, arguments) for each call. */",
            "#define EXO_STATUS_TABLE(X) \\"]
    out += [f'\tX({code}, {name}, "{meaning}") \\' for code, name, meaning in statuses] + [""]
    out += ["#define EXO_CALL_TABLE(X) \\"]
    out += [f"\tX({c['number']}, {c['name']}, {len(c['args'])}) \\" for c in calls] + [""]
    out += ["#ifdef EXO_STUBS",
            "/* What a call returns: RAX and RDX. */",
            "struct exo_result { uint64_t status, value; };", ""]
    for call in calls:
        if call["stub"] != "none":
            out += stub(call)
    out += ["#endif", "#endif"]
    return "\n".join(out)


def stub(call):
    regs = ["rdi", "rsi", "rdx", "r10", "r8", "r9"]
    params = ", ".join(c_type(kind) + name for name, kind in call["args"]) or "void"
    lines = [f"/* {call['doc']}", f" * Value: {call['value']}. */",
             f"static inline struct exo_result exo_{call['name']}({params})", "{",
             "\tstruct exo_result r;"]
    inputs = [f'"a"((uint64_t)EXO_CALL_{call["name"].upper()})']
    third = None
    for i, (name, _) in enumerate(call["args"]):
        if i < 3:
            if i == 2:
                third = name
            else:
                inputs.append(f'"{"DS"[i]}"({name})')
        else:
            lines.append(f'\tregister uint64_t a{i} __asm__("{regs[i]}") = (uint64_t){name};')
            inputs.append(f'"r"(a{i})')
    if third:
        lines.append(f"\tr.value = (uint64_t){third};")
        outs = '"=a"(r.status), "+d"(r.value)'
    else:
        outs = '"=a"(r.status), "=d"(r.value)'
    lines += [f'\t__asm__ volatile("syscall" : {outs}',
              f'\t\t: {", ".join(inputs)} : "rcx", "r11", "memory");',
              "\treturn r;", "}", ""]
    return lines


def dispatch(_, calls):
    return "\n".join(["/* Generated from exo/abi/calls.abi. */"] +
                     [f"X({c['number']}, {c['name']}, {len(c['args'])})" for c in calls])


def manual(statuses, calls):
    out = ["# The kernel interface", "", "Generated from `exo/abi/calls.abi` by `make docs`; structures and constants are in `exo/abi/abi.h`.", "",
           "A call is the `syscall` instruction inside the context's registered libOS text: RAX holds the number, "
           "RDI RSI RDX R10 R8 R9 the arguments; RAX returns the status, RDX the value. RCX and R11 are destroyed, "
           "everything else is preserved.", "",
           "A status is its code plus 256 times the index of the argument at fault (first = 1, 0 = none). "
           "A call has a budget of 4,096 units of work; past it, it returns AGAIN or fewer items than asked, and is called again. "
           "A batch is not atomic: `value` tells how many items were done, the status is that of the first that was not.", "",
           "## Status codes", "", "| code | name | meaning |", "| --- | --- | --- |"]
    out += [f"| {code} | {name} | {meaning} |" for code, name, meaning in statuses]
    out += ["", "## Argument kinds", "",
            "| kind | meaning |", "| --- | --- |",
            "| `dom` | 0 = the caller, else a domain capability with MANAGE: the call acts for that domain |",
            "| `dom2` | 0 = the caller, else a domain capability with GIVE |",
            "| `cap:T` | a capability of type T; with `?`, 0 = none |",
            "| `slot` | a slot index of the destination table; 0 = any free one |",
            "| `in:T*n`, `out:T*n`, `io:T*n` | user array that is read, written, both |", "",
            "## Calls", ""]
    for c in calls:
        args = ", ".join(f"{name}: `{kind}`" for name, kind in c["args"]) or "none"
        out += [f"### {c['number']} {c['name']}", "", c["doc"], "", f"- arguments: {args}",
                f"- value: {c['value']}", f"- units: {c['units']}", ""]
    return "\n".join(out)


def grammar(_, calls):
    kinds = {"dom": "K_DOM", "dom2": "K_DOM", "slot": "K_SLOT", "pfn": "K_PFN", "phys": "K_PHYS", "n": "K_COUNT",
             "flags": "K_FLAGS", "ns": "K_TIME", "va": "K_VA", "u64": "K_ANY"}
    out = ["/* Generated from exo/abi/calls.abi: what each argument of each call is. */"]
    for c in calls:
        args = []
        for _, kind in c["args"]:
            if kind.startswith("cap:"):
                args.append("K_CAP_" + kind[4:].rstrip("?").upper())
            elif kind.startswith("op:"):
                args.append("K_OP")
            elif re.match(r"(in|out|io):", kind):
                args.append("K_BUF_" + re.match(r"\w+:(\w+)\*", kind).group(1).replace("struct_exo_", "").upper())
            else:
                args.append(kinds[kind])
        args += ["K_NONE"] * (REGISTERS - len(args))
        out.append(f'{{ "{c["name"]}", {len(c["args"])}, {{ {", ".join(args)} }} }},')
    return "\n".join(out)


if __name__ == "__main__":
    makers = {"header": header, "dispatch": dispatch, "manual": manual, "grammar": grammar}
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        sys.exit(__doc__)
    print(makers[sys.argv[1]](*parse(sys.stdin.read())))
