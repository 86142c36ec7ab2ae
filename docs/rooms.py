"""Print the import structure of the code: modules of each room, imports between rooms, layers and import cycles.

Use::

    python docs/rooms.py [--modules]

A room is a folder of a layer (``app/engine``), or a file beside its folders (``app/status``). Imports at module load
and inside functions count; imports for type checking only do not.
"""

from __future__ import annotations

import argparse
from collections import Counter

import grimp

LAYERS = ("app", "devices", "pipeline", "kernels")


def room(module: str) -> str:
    """Return the room of a module: its folder within the layer, or its own name."""
    return "/".join(module.split(".")[1:3])


def components(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components, each after those that it imports (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(one: str) -> None:
        index[one] = low[one] = len(index)
        stack.append(one)
        for other in sorted(arrows[one]):
            if other not in index:
                visit(other)
            if other in stack:
                low[one] = min(low[one], low[other])
        if low[one] == index[one]:
            circle = set(stack[stack.index(one) :])
            del stack[stack.index(one) :]
            found.append(circle)

    for one in sorted(arrows):
        if one not in index:
            visit(one)
    return found


def report(name: str, arrows: dict[str, set[str]]) -> str:
    """Return the numbers of nodes, levels, imports and cycles of a graph, in a line, and its cycles."""
    parts = components(arrows)
    floor: dict[str, int] = {}
    for part in parts:
        below = [floor[other] for one in part for other in arrows[one] if other not in part]
        floor |= dict.fromkeys(part, 1 + max(below, default=0))
    circles = [sorted(part) for part in parts if len(part) > 1]
    line = f"{name}: {len(arrows)} on {max(floor.values(), default=0)} levels, "
    line += f"{sum(map(len, arrows.values()))} imports, {len(circles)} cycles"
    return "\n".join([line, *(f"    cycle: {', '.join(circle)}" for circle in circles)])


def main() -> None:
    """Print the import structure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", action="store_true", help="also list the imports between rooms by module")
    given = parser.parse_args()
    graph = grimp.build_graph(*(f"earmark.{layer}" for layer in LAYERS), exclude_type_checking_imports=True)
    rooms = {module: room(module) for module in sorted(graph.modules)}
    modules = {module: graph.find_modules_directly_imported_by(module) for module in rooms}
    between = Counter((rooms[module], rooms[other]) for module, others in modules.items() for other in others)
    size = Counter(rooms.values())
    for name in sorted(size):
        into = [f"{b} ({n})" for (a, b), n in sorted(between.items()) if a == name != b]
        print(f"{name}: {size[name]} modules -> {', '.join(into) or 'none'}")  # noqa: T201
    print()  # noqa: T201
    for layer in LAYERS:
        inside = {name: set() for name in size if name.split("/")[0] == layer}
        for a, b in between:
            if a != b and a in inside and b in inside:
                inside[a].add(b)
        print(report(f"rooms of {layer}", inside))  # noqa: T201
    print(report("modules", modules))  # noqa: T201
    if given.modules:
        for module, others in modules.items():
            for other in sorted(others):
                if rooms[module] != rooms[other]:
                    print(f"{module} -> {other}")  # noqa: T201


if __name__ == "__main__":
    main()
