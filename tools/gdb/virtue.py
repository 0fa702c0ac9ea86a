"""Commands for gdb on a running Virtue (./virtue gdb, make gdb):

  virtue symbols FILE       symbols of an image, at its linked address
  virtue boot               run to the kernel's C code
  virtue cpus               what each CPU runs
  virtue domains            the tree of domains, with frames, contexts and capabilities
  virtue frames             frames of each owner by type
  virtue frame PFN          one frame's entry
  virtue caps DOMAIN        a domain's capabilities
  virtue pt ADDRESS [ROOT]  the page-table walk of an address (ROOT: pfn, default the CPU's)
  virtue map [ROOT]         all that a root maps, outside the kernel's slots

Structures and enumerations come from the kernel's debug information, so they are not repeated
here. Only reads; everything reads through the kernel's direct map.
"""

import os
import re
import struct

import gdb

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
PAGE = 4096
PRESENT, WRITE, LARGE, NX = 1, 2, 1 << 7, 1 << 63
FRAME_BITS = 0x000FFFFFFFFFF000
KERNEL_SLOTS = range(257, 264)
MOST_DOMAINS = 100000
TREE_DEPTH = 64


def direct_base():
    with open(os.path.join(TOP, "exo/arch/layout.h"), encoding="utf-8") as file:
        return int(re.search(r"#define DIRECT_BASE\s+(0x[0-9a-f]+)", file.read())[1], 16)


DIRECT_BASE = direct_base()


def value(expression):
    return gdb.parse_and_eval(expression)


def object_at(pfn, kind):
    """The kernel object in a frame."""
    pointer = gdb.lookup_type("struct " + kind).pointer()
    return gdb.Value(DIRECT_BASE + pfn * PAGE).cast(pointer).dereference()


def name_of(enum, number, prefix):
    """An enumerator's name without its prefix, in small letters."""
    for field in gdb.lookup_type("enum " + enum).fields():
        if field.enumval == int(number):
            return field.name[len(prefix):].lower()
    return str(int(number))


def table_at(pfn):
    memory = gdb.selected_inferior().read_memory(DIRECT_BASE + pfn * PAGE, PAGE)
    return struct.unpack("<512Q", bytes(memory))


def current_root():
    return int(value("(unsigned long)$cr3")) // PAGE


class Verb(gdb.Command):
    """One `virtue VERB`: the function gets the words after it."""

    def __init__(self, function, verb):
        self.function = function
        self.__doc__ = function.__doc__
        super().__init__("virtue " + verb, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        try:
            self.function(*gdb.string_to_argv(argument))
        except TypeError:
            raise gdb.GdbError(f"usage: {self.__doc__}") from None
        except gdb.error as error:
            raise gdb.GdbError(f"{error} (has the kernel started? see `virtue boot`)") from None


# Symbols and start

def symbols(file):
    """virtue symbols FILE: adds an image's symbols at its linked address"""
    verb = "file" if os.path.basename(file) == "kernel.elf" else "add-symbol-file"
    gdb.execute(f"with confirm off -- {verb} {file}", to_string=True)
    print(f"symbols of {file}")


def boot():
    """virtue boot: runs to kernel_main"""
    gdb.execute("thbreak kernel_main")
    gdb.execute("continue")


# Kernel objects

def cpus():
    """virtue cpus: what each CPU runs"""
    thread = gdb.selected_thread()
    for other in sorted(gdb.selected_inferior().threads(), key=lambda one: one.num):
        other.switch()
        where = gdb.selected_frame()
        print(f"cpu {other.num - 1}: {where.name() or '?'} at {where.pc():#x}, "
              f"privilege {int(value('$cs')) & 3}, root {current_root():#x}")
    thread.switch()


def first_domain():
    """Its pfn: the ancestor of any owner of a frame."""
    pfn = next((owner for owner, _ in frame_entries() if owner), None)
    if not pfn:
        raise gdb.GdbError("there is no domain yet")
    for _ in range(MOST_DOMAINS):
        parent = int(object_at(pfn, "domain")["parent"])
        if not parent:
            return pfn
        pfn = parent
    raise gdb.GdbError("the domains' parents form a circle")


def domains():
    """virtue domains: the tree of domains"""
    print("domain    state    frames contexts slices capabilities")
    todo, seen = [(first_domain(), 0)], 0
    while todo and seen < MOST_DOMAINS:
        pfn, depth = todo.pop()
        domain = object_at(pfn, "domain")
        seen += 1
        state = name_of("exo_domain_state", domain["state"], "EXO_DS_")
        held = sum(1 for _ in slots(domain))
        print(f"{'  ' * depth}{pfn:<10}{state:<8}{int(domain['frames']):>7}"
              f"{int(domain['contexts']):>9}{int(domain['slices']):>7}{held:>13}")
        if int(domain["next_sibling"]):
            todo.append((int(domain["next_sibling"]), depth))
        if int(domain["first_child"]) and depth < TREE_DEPTH:
            todo.append((int(domain["first_child"]), depth + 1))


def slots(domain):
    """(index, slot) of all capabilities of a domain."""
    per_frame = PAGE // gdb.lookup_type("struct slot").sizeof
    slot_array = gdb.lookup_type("struct slot").array(per_frame - 1).pointer()
    for number in range(int(domain["table_frames"])):
        pfn = int(domain["table"][number])
        array = gdb.Value(DIRECT_BASE + pfn * PAGE).cast(slot_array).dereference()
        for index in range(per_frame):
            if int(array[index]["type"]):
                yield number * per_frame + index, array[index]


def caps(domain):
    """virtue caps DOMAIN: its capabilities"""
    pfn = int(domain, 0)
    domain = object_at(pfn, "domain")
    if int(domain["id"]) != pfn:
        raise gdb.GdbError(f"{pfn} is no domain (see `virtue domains`)")
    print("slot   type     rights gen        base      count        aux  parent")
    for index, slot in slots(domain):
        kind = name_of("exo_type", slot["type"], "EXO_T_")
        dying = " dying" if int(slot["gen"]) & 0x8000 else ""
        print(f"{index:<7}{kind:<9}{int(slot['rights']):#04x}{int(slot['gen']) & 0xfff:>6}"
              f"{int(slot['base']):>12}{int(slot['count']):>11}{int(slot['aux']):>11}"
              f"{int(slot['parent']):>10x}{dying}")


# Frames

def frame_entries():
    """(owner, type) of each frame, read in large pieces."""
    kind = gdb.lookup_type("struct exo_frame")
    offsets = {field.name: field.bitpos // 8 for field in kind.fields()}
    start, count = int(value("(unsigned long)frame_table")), int(value("frame_count"))
    piece = 65536 // kind.sizeof
    for first in range(0, count, piece):
        number = min(piece, count - first)
        memory = bytes(gdb.selected_inferior().read_memory(
            start + first * kind.sizeof, number * kind.sizeof))
        for at in range(0, len(memory), kind.sizeof):
            owner = struct.unpack_from("<I", memory, at + offsets["owner"])[0]
            yield owner, memory[at + offsets["type"]]


def frames():
    """virtue frames: frames of each owner by type"""
    counts = {}
    for owner, kind in frame_entries():
        counts.setdefault(owner, {}).setdefault(kind, 0)
        counts[owner][kind] += 1
    for owner, kinds in sorted(counts.items()):
        text = ", ".join(f"{name_of('exo_frame_type', kind, 'EXO_F_')} {number}"
                         for kind, number in sorted(kinds.items()))
        print(f"{'kernel' if owner == 0 else f'domain {owner}'}: {text}")


def frame(pfn):
    """virtue frame PFN: one frame's entry"""
    entry = value("frame_table")[int(pfn, 0)]
    print(f"frame {int(pfn, 0):#x}: {name_of('exo_frame_type', entry['type'], 'EXO_F_')}")
    for field in entry.type.fields():
        if field.name != "type":
            print(f"  {field.name:<9}{int(entry[field.name])}")


# Page tables

def flags(entry):
    letters = [(WRITE, "w"), (NX, ""), (4, "u"), (1 << 5, "a"), (1 << 6, "d")]
    text = "".join(letter for bit, letter in letters if entry & bit)
    return "r" + text + ("" if entry & NX else "x")


def pt(address, root=None):
    """virtue pt ADDRESS [ROOT]: the page-table walk of an address"""
    address = int(value(f"(unsigned long)({address})"))
    pfn = int(root, 0) if root else current_root()
    for level in (4, 3, 2, 1):
        index = address >> (12 + 9 * (level - 1)) & 511
        entry = table_at(pfn)[index]
        print(f"level {level}: table {pfn:#x}, entry {index}: {entry:#018x} {flags(entry)}")
        if not entry & PRESENT:
            print("not mapped")
            return
        pfn = (entry & FRAME_BITS) // PAGE
        if level > 1 and entry & LARGE:
            break
    size = PAGE << 9 * (level - 1)
    print(f"{address:#x} is physical {pfn * PAGE & -size | address & size - 1:#x}")


def leaves(pfn, level, base):
    """(address, size, flags) of what a table maps."""
    for index, entry in enumerate(table_at(pfn)):
        if not entry & PRESENT or (level == 4 and index in KERNEL_SLOTS):
            continue
        size = PAGE << 9 * (level - 1)
        address = base + index * size
        if level == 4 and index >= 256:
            address |= 0xFFFF << 48
        if level == 1 or entry & LARGE:
            yield address, size, flags(entry)
        else:
            yield from leaves((entry & FRAME_BITS) // PAGE, level - 1, address)


def show_map(root=None):
    """virtue map [ROOT]: all that a root maps, outside the kernel's slots"""
    start = end = None
    for address, size, how in leaves(int(root, 0) if root else current_root(), 4, 0):
        if start is not None and (address, how) == (end, before):
            end += size
            continue
        if start is not None:
            print(f"{start:#018x}-{end:#018x} {before}")
        start, end, before = address, address + size, how
    if start is not None:
        print(f"{start:#018x}-{end:#018x} {before}")


gdb.Command("virtue", gdb.COMMAND_DATA, prefix=True)
for verb, function in {"symbols": symbols, "boot": boot, "cpus": cpus, "domains": domains,
                       "frames": frames, "frame": frame, "caps": caps, "pt": pt,
                       "map": show_map}.items():
    Verb(function, verb)
gdb.execute("set pagination off")
