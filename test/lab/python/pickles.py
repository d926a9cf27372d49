"""Writes pickles and damaged copies of them to --out, one after the other, and prints for each a line {at, bytes, kind,
end}: `end` is where Python's own pickletools sees it end, null where it calls it no pickle. Nothing is unpickled."""

import argparse
import collections
import datetime
import decimal
import fractions
import io
import json
import pickle
import pickletools
import random

import cloudpickle
import numpy
import pandas


def value(r, depth):
    """A random object of what pickles usually hold."""
    pick = r.randrange(26 if depth > 0 else 14)
    if pick == 0:
        return r.choice([None, True, False, 0, 1, 255, 256, 65535, 65536, -1, 2**31, -(2**31), 2**200, -(2**2100)])
    if pick == 1:
        return r.choice([0.0, -1.5, float("inf"), float("nan"), 1e300, 1j])
    if pick == 2:
        return "".join(r.choice("ab\n'\"\\\x00\u20ac\U0001f600") for _ in range(r.choice([0, 1, 5, 255, 256, 300])))
    if pick == 3:
        return bytes(r.randbytes(r.choice([0, 1, 255, 256, 70000])))
    if pick == 4:
        return bytearray(r.randbytes(r.choice([0, 1, 300, 70000])))
    if pick == 5:
        return numpy.zeros(r.choice([0, 1, 10, 20000]), dtype=r.choice(["i1", "f8", "c16", "M8[s]"]))
    if pick == 6:
        return datetime.datetime(2024, 1, 2, 3, 4, 5, 6)
    if pick == 7:
        return decimal.Decimal("1.25")
    if pick == 8:
        return range(3)
    if pick == 9:
        return pandas.DataFrame({"a": numpy.arange(r.choice([3, 9000])), "b": "x"})
    if pick == 10:
        return numpy.array([None, "a", 3], dtype=object)
    if pick == 11:
        return fractions.Fraction(1, 3)
    if pick == 12:
        return r.choice([int, len, collections.OrderedDict, datetime.timedelta])
    if pick == 13:
        return "x" * 100000
    members = [value(r, depth - 1) for _ in range(r.choice([0, 1, 2, 3, 4, 9]))]
    if pick in (14, 15):
        return tuple(members)
    if pick in (16, 17):
        return members
    if pick == 18:
        return {r.choice([str(i), i, (i, "k")]): one for i, one in enumerate(members)}
    if pick == 19:
        return {f"k{i}": one for i, one in enumerate(members)}
    if pick == 20:
        return collections.OrderedDict((f"k{i}", one) for i, one in enumerate(members))
    if pick == 21:
        return set(range(r.choice([0, 1, 2000])))
    if pick == 22:
        return frozenset(range(r.choice([0, 3])))
    if pick == 23:
        around = [members]
        around.append((around,))
        return around
    if pick == 24:
        return [members, members, {"again": members}]
    return collections.defaultdict(list, {"k": members})


def function(r):
    """What cloudpickle writes out by value: a closure over data, with globals of its own."""
    held = value(r, 2)
    namespace = {"data": value(r, 1), "__name__": "__main__"}
    exec("def made(x):\n    return data, x", namespace)
    inner = namespace["made"]

    class Made:
        kept = held

        def predict(self):
            return inner(self), held

    Made.__module__ = "__main__"
    one = Made()
    one.state = value(r, 2)
    return one


def end(data):
    try:
        with io.StringIO() as out:
            pickletools.dis(data, out=out)
        position = None
        for opcode, _, at in pickletools.genops(data):
            position = at
        return position + 1
    except Exception:
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    args = parser.parse_args()
    r = random.Random(args.seed)
    with open(args.out, "wb") as out:

        def put(data, kind, protocol):
            print(json.dumps({"at": out.tell(), "bytes": len(data), "kind": kind, "protocol": protocol, "end": end(data)}))
            out.write(data)

        for i in range(args.count):
            by_value = i % 3 == 0
            made = function(r) if by_value else value(r, 3)
            for protocol in range(6):
                try:
                    data = (cloudpickle if by_value else pickle).dumps(made, protocol=protocol)
                except Exception:
                    continue
                put(data, "whole", protocol)
                if i % 7 == 0 and len(data) < 100000:
                    put(pickletools.optimize(data), "optimized", protocol)
                put(data + b"more", "longer", protocol)
                cut = r.randrange(len(data))
                put(data[:cut], "cut", protocol)
                for _ in range(3):
                    changed = bytearray(data)
                    for _ in range(r.choice([1, 1, 4])):
                        changed[r.randrange(min(len(data), 4000))] = r.randrange(256)
                    put(bytes(changed), "changed", protocol)


main()
