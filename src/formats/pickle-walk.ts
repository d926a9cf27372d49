/**
 * Walks the opcodes of a pickle: nothing in it is ever executed, imported or built. Large strings, and the arrays that
 * joblib puts between the opcodes, are stepped over, not read, so that a pickle of any size costs little time and flat memory.
 */
import {
  bytearrayNode,
  bytesNode,
  heavy,
  joblibArray,
  longText,
  Machine,
  type Node,
  none,
  numberNode,
  rawArrayOf,
  type Slot,
  tupleOf,
  unknown,
} from './pickle-machine.ts'
import { Cut, keptText, malformed, type RandomRead, Stop, Window } from './pickle-window.ts'

export interface PickleLimits {
  /** The most bytes that are read; what is stepped over does not count. */
  readonly read: number
  /** The most entries of the machine's stack and of its memo. */
  readonly entries: number
  /** Bytes of one read. */
  readonly piece: number
}

export interface PickleWalk {
  /** The pickled object; undefined where the end was not reached. */
  readonly root: Slot | undefined
  /** Why it did not come to the end. */
  readonly why?: string
  /** The bytes end before the pickle does. */
  readonly cut: boolean
  /** Up to where the walk came, in bytes from the beginning of the file. */
  readonly end: number
  readonly machine: Machine
}

/** Walks the pickle that begins at `start`. @throws what `read` throws. */
export const walkPickle = async (from: RandomRead, start: number, limits: PickleLimits): Promise<PickleWalk> => {
  const window = new Window(from, start, limits.read, limits.piece)
  const machine = new Machine(limits.entries)
  try {
    for (;;) {
      if (!window.ready) await window.fill()
      const did = step(window, machine)
      if (did === 'built') await stepOverArray(window, machine, limits)
      else if (did instanceof Promise) await did
      else if (did) return { root: did, cut: false, end: window.position, machine }
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    return { root: undefined, why: error.message, cut: error instanceof Cut, end: window.position, machine }
  }
}

/** The raw bytes of an array follow its description without an opcode (`joblib/numpy_pickle.py`, `write_array`). */
const stepOverArray = async (window: Window, machine: Machine, limits: PickleLimits): Promise<void> => {
  const { node } = machine.top()
  const array = rawArrayOf(node)
  if (array === undefined) throw new Stop('joblib has put its arrays between the opcodes')
  const start = window.position
  if (array.objects) {
    // Objects are a pickle of their own, in which joblib has no part.
    const inner = new Machine(limits.entries)
    for (;;) {
      if (!window.ready) await window.fill()
      const did = step(window, inner)
      if (did === 'built') throw new Stop('joblib has put its arrays into each other')
      if (did instanceof Promise) await did
      else if (did) break
    }
  } else {
    if (array.padded) {
      if (!window.ready) await window.fill()
      window.skip(window.u8())
    }
    window.skip(array.count * array.bytes)
  }
  const bytes = window.position - start
  node.name = 'numpy.ndarray'
  machine.top().weight += bytes
  machine.claim(node.name, bytes >= heavy ? bytes : 0)
}

/** Executes one opcode; gives what was pickled when that was STOP, and `built` where joblib's array follows. A promise where a line reaches beyond the window. */
const step = (window: Window, machine: Machine): Slot | 'built' | undefined | void | Promise<void> => {
  const op = window.u8()
  switch (op) {
    case 0x28: // MARK
      machine.mark()
      return
    case 0x2e: // STOP
      return machine.pop()
    case 0x30: // POP
      machine.discard(1)
      return
    case 0x31: // POP_MARK
      machine.sinceMark()
      return
    case 0x32: {
      // DUP
      const { node } = machine.top()
      machine.push(node, 1)
      return
    }
    case 0x46: // FLOAT
    case 0x49: // INT
    case 0x4c: // LONG
      return window.line((text, bytes) => {
        machine.push(numberNode(/^-?\d{1,15}L?$/.test(text) ? Number.parseInt(text, 10) : Number.NaN), bytes + 2)
      })
    case 0x4a: // BININT
      machine.push(numberNode(window.i32()), 5)
      return
    case 0x4b: // BININT1
      machine.push(numberNode(window.u8()), 2)
      return
    case 0x4d: // BININT2
      machine.push(numberNode(window.u16()), 3)
      return
    case 0x47: // BINFLOAT
      window.skip(8)
      machine.push(numberNode(), 9)
      return
    case 0x8a: {
      // LONG1
      const length = window.u8()
      machine.push(numberNode(window.integer(length)), 2 + length)
      return
    }
    case 0x8b: // LONG4
      skipped(window, machine, numberNode(), window.i32(), 5)
      return
    case 0x4e: // NONE
    case 0x88: // NEWTRUE
    case 0x89: // NEWFALSE
      machine.push(none, 1)
      return
    case 0x53: // STRING
    case 0x56: // UNICODE
      return window.line((text, bytes) => {
        pushText(machine, op === 0x53 ? text.replace(/^(['"])(.*)\1$/s, '$2') : text, bytes, 2)
      })
    case 0x54: // BINSTRING
      pushString(window, machine, window.i32(), 5)
      return
    case 0x55: // SHORT_BINSTRING
    case 0x8c: // SHORT_BINUNICODE
      pushString(window, machine, window.u8(), 2)
      return
    case 0x58: // BINUNICODE
      pushString(window, machine, window.u32(), 5)
      return
    case 0x8d: // BINUNICODE8
      pushString(window, machine, window.u64(), 9)
      return
    case 0x42: // BINBYTES
      skipped(window, machine, bytesNode, window.u32(), 5)
      return
    case 0x43: // SHORT_BINBYTES
      skipped(window, machine, bytesNode, window.u8(), 2)
      return
    case 0x8e: // BINBYTES8
      skipped(window, machine, bytesNode, window.u64(), 9)
      return
    case 0x96: // BYTEARRAY8
      skipped(window, machine, bytearrayNode, window.u64(), 9)
      return
    case 0x97: // NEXT_BUFFER: it lies outside of the stream
      machine.push(unknown, 1)
      return
    case 0x98: // READONLY_BUFFER
      machine.top()
      return
    case 0x5d: // EMPTY_LIST
      machine.push({ kind: 'object', name: 'list' }, 1)
      return
    case 0x7d: // EMPTY_DICT
      machine.push({ kind: 'object', name: 'dict' }, 1)
      return
    case 0x8f: // EMPTY_SET
      machine.push({ kind: 'object', name: 'set' }, 1)
      return
    case 0x29: // EMPTY_TUPLE
      machine.tuple([], 1)
      return
    case 0x6c: // LIST
    case 0x91: {
      // FROZENSET
      const members = machine.sinceMark()
      machine.push({ kind: 'object', name: op === 0x6c ? 'list' : 'frozenset' }, 1)
      machine.add(members, 1)
      return
    }
    case 0x64: {
      // DICT
      const items = machine.sinceMark()
      machine.push({ kind: 'object', name: 'dict' }, 1)
      machine.setItems(items, 1)
      return
    }
    case 0x74: // TUPLE
      machine.tuple(machine.sinceMark(), 2)
      return
    case 0x85: // TUPLE1
    case 0x86: // TUPLE2
    case 0x87: {
      // TUPLE3
      const members = Array.from({ length: op - 0x84 }, () => machine.pop()).reverse()
      machine.tuple(members, 1)
      return
    }
    case 0x61: {
      // APPEND
      const member = machine.pop()
      machine.add([member], 1)
      return
    }
    case 0x65: // APPENDS
    case 0x90: // ADDITEMS
      machine.add(machine.sinceMark(), 2)
      return
    case 0x73: {
      // SETITEM
      const value = machine.pop()
      const key = machine.pop()
      machine.setItems([key, value], 1)
      return
    }
    case 0x75: // SETITEMS
      machine.setItems(machine.sinceMark(), 2)
      return
    case 0x70: // PUT
      return window.line((text) => machine.memoize(indexOf(text)))
    case 0x71: // BINPUT
      machine.memoize(window.u8())
      return
    case 0x72: // LONG_BINPUT
      machine.memoize(window.u32())
      return
    case 0x94: // MEMOIZE
      machine.memoizeNext()
      return
    case 0x67: // GET
      return window.line((text, bytes) => machine.get(indexOf(text), bytes + 2))
    case 0x68: // BINGET
      machine.get(window.u8(), 2)
      return
    case 0x6a: // LONG_BINGET
      machine.get(window.u32(), 5)
      return
    case 0x82: // EXT1
      window.skip(1)
      machine.push(unknown, 2)
      return
    case 0x83: // EXT2
      window.skip(2)
      machine.push(unknown, 3)
      return
    case 0x84: // EXT4
      window.skip(4)
      machine.push(unknown, 5)
      return
    case 0x63: // GLOBAL
      return twoLines(window, (node, weight) => machine.push(node, weight))
    case 0x93: {
      // STACK_GLOBAL
      const name = machine.pop()
      const module = machine.pop()
      machine.push(global_(module.node.text ?? '?', name.node.text ?? '?'), 1 + name.weight + module.weight)
      return
    }
    case 0x52: {
      // REDUCE
      const args = machine.pop()
      const callable = machine.pop()
      machine.reduce(callable, args, 1)
      return
    }
    case 0x81: {
      // NEWOBJ
      const args = machine.pop()
      const made = machine.pop()
      machine.reduce(made, args, 1)
      return
    }
    case 0x92: {
      // NEWOBJ_EX
      const keywords = machine.pop()
      const args = machine.pop()
      const made = machine.pop()
      const members = [...(args.node.members ?? []), keywords]
      const node: Node = { kind: 'tuple', name: 'tuple', members }
      machine.reduce(made, { node, weight: args.weight + keywords.weight, loose: args.loose + keywords.loose }, 1)
      return
    }
    case 0x6f: {
      // OBJ
      const [made, ...args] = machine.sinceMark()
      if (made === undefined) throw malformed()
      machine.reduce(made, tupleOf(args, 1), 1)
      return
    }
    case 0x69: // INST
      return twoLines(window, (node, weight) => {
        machine.reduce({ node, weight, loose: 0 }, tupleOf(machine.sinceMark(), 0), 1)
      })
    case 0x62: // BUILD
      machine.build(1)
      return machine.top().node.name === joblibArray ? 'built' : undefined
    case 0x50: // PERSID
      return window.line((_, bytes) => machine.push(unknown, bytes + 2))
    case 0x51: {
      // BINPERSID
      const id = machine.pop()
      machine.refer(id)
      return
    }
    case 0x80: // PROTO
      if (window.u8() > 5) throw new Stop('its protocol is newer than 5')
      return
    case 0x95: // FRAME
      window.skip(8)
      return
    default:
      throw malformed()
  }
}

const global_ = (module: string, name: string): Node => ({ kind: 'global', name: `${module}.${name}` })

/** PUT and GET write their index in decimals. */
const indexOf = (text: string): number => {
  if (!/^\d{1,15}$/.test(text)) throw malformed()
  return Number(text)
}

const skipped = (window: Window, machine: Machine, node: Node, length: number, head: number): void => {
  window.skip(length)
  machine.push(node, head + length, length >= heavy ? length : 0)
}

const pushText = (machine: Machine, text: string, length: number, head: number): void => {
  const node: Node = length <= keptText ? { kind: 'text', name: 'str', text } : longText
  machine.push(node, head + length, length >= heavy ? length : 0)
}

const pushString = (window: Window, machine: Machine, length: number, head: number): void => {
  pushText(machine, window.text(length), length, head)
}

/** A module and a name in it, each on a line. */
const twoLines = async (window: Window, take: (node: Node, weight: number) => void): Promise<void> => {
  let module = ''
  let size = 3
  await window.line((text, bytes) => {
    module = text
    size += bytes
  })
  await window.line((text, bytes) => take(global_(module, text), size + bytes))
}
