/**
 * What a pickle holds, told from its opcodes alone: nothing in it is ever executed, imported or built. The walk follows
 * Python's own virtual machine (`pickletools.py`, protocols 0 to 5) over names and weights in place of objects. Large
 * byte strings are stepped over, not read, so that a pickle of any size costs little time and flat memory.
 */

/** Bytes at an address; `read` gives fewer than asked for only where they end. */
export interface RandomRead {
  /** Bytes. */
  readonly size: number
  read(offset: number, length: number): Promise<Uint8Array>
}

export interface PickleHolding {
  /** Where it hangs, from the pickled object on: `config.train_df`; of a function's captured variables their names. Tamed. */
  readonly path: string
  /** `pandas.core.frame.DataFrame`; `list`, `dict`, `bytes` and `str` for plain ones; `?` where the opcodes do not tell. */
  readonly className: string
  /** Bytes of the stream that it was written with; what is referred to from several places counts at the first. */
  readonly bytes: number
}

export interface PickleScan {
  /** `whole`: the walk came to the end of the pickle. `unknown`: it did not, and the figures are of what was walked. */
  readonly verdict: 'whole' | 'unknown'
  /** Why it did not come to the end. */
  readonly why?: string
  /** Up to where the walk came, in bytes. */
  readonly walked: number
  /** The class of the pickled object, as far as the opcodes tell. */
  readonly className: string
  /** What hangs on the pickled object by name and weighs something, heaviest first. Empty where the end was not reached. */
  readonly holdings: readonly PickleHolding[]
  /** Bytes of large strings by the class of the object that they were handed to, heaviest first. */
  readonly blobs: readonly { readonly className: string; readonly bytes: number }[]
}

export interface PickleLimits {
  /** The most bytes that are read; what is stepped over does not count. */
  readonly read: number
  /** The most entries of the machine's stack and of its memo. */
  readonly entries: number
}

/** 64 MiB of opcodes take one to three seconds to walk (measured); real pickles whose weight is in arrays need a few MiB. A million entries take some 100 MB. */
const usual: PickleLimits = { read: 64 * 1024 ** 2, entries: 1_000_000 }

/** Bytes; strings from here on are told as large, and lighter entries are not followed by name. */
const heavy = 64 * 1024
/** Names that are followed in one mapping, and how deep. */
const mostNames = 200
const deepest = 12
/** Bytes of a text that are kept: names of modules and attributes are shorter. */
const keptText = 256
/** Members of a tuple that are kept: arguments of constructors and states. */
const keptMembers = 8
/** Bytes of the longest opcode that takes a value from the memo. */
const longestReference = 17
/** Heavy values that are kept with what lies in them; each costs some 200 bytes of memory. Later ones count, but have no names. */
const keptValues = 200_000
/** Steps over what was kept, when the names are gathered at the end. */
const mostSteps = 20_000
const windowSize = 256 * 1024
/** An opcode, its fixed arguments of at most 8 bytes, and what is kept of a text. */
const longestOpcode = 9 + keptText

/** What the machine knows of a value. */
interface Node {
  /** A class or function is `global` and has its dotted name in `name`; of anything else `name` is its class. */
  kind: 'plain' | 'text' | 'global' | 'tuple' | 'object'
  name: string
  text?: string
  members?: readonly Slot[]
  /** Heavy members of a mapping by name. */
  entries?: Entry[]
  /** The heavy states and arguments that an object was made from: their names are its own. */
  from?: Slot[]
}
interface Entry {
  readonly name: string
  readonly slot: Slot
}

/** A place on the machine's stack. What comes out of the memo weighs no more than the reference. */
interface Slot {
  readonly node: Node
  weight: number
  /** Bytes of large strings that no object has claimed yet. */
  loose: number
}

const plain = (name: string): Node => ({ kind: 'plain', name })
/** A value of which only the class is known. */
const named = (name: string): Node => ({ kind: 'object', name })
const none = plain('NoneType')
const number = plain('number')
const bytesNode = plain('bytes')
const bytearrayNode = plain('bytearray')
const longText = plain('str')
const unknown = plain('?')

/** The walk cannot go on; the message says why. */
class Stop extends Error {}

/** A window over the bytes that moves forward and steps over what is not wanted. */
class Window {
  readonly #from: RandomRead
  readonly #most: number
  #buffer: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #start = 0
  #at = 0
  #read = 0

  constructor(from: RandomRead, most: number) {
    this.#from = from
    this.#most = most
  }

  get position(): number {
    return this.#start + this.#at
  }

  /** True when an opcode with its fixed arguments, and what is kept of a text, are at hand, or else all that is left. */
  get ready(): boolean {
    const left = this.#buffer.length - this.#at
    return left >= longestOpcode || (left > 0 && this.#start + this.#buffer.length >= this.#from.size)
  }

  /** Brings the next bytes in: as many as a window holds, or all that are left. */
  async fill(): Promise<void> {
    const start = this.position
    const length = Math.min(windowSize, this.#from.size - start)
    if (length <= 0) throw new Stop('it ends in the middle')
    if (this.#read + length > this.#most) {
      throw new Stop(`its first ${this.#read} bytes of opcodes are all that is walked`)
    }
    this.#buffer = await this.#from.read(start, length)
    this.#read += this.#buffer.length
    if (this.#buffer.length < length) throw new Stop('it ends in the middle')
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength)
    this.#start = start
    this.#at = 0
  }

  #take(n: number): number {
    const at = this.#at
    if (this.#buffer.length - at < n) throw new Stop('it ends in the middle')
    this.#at = at + n
    return at
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }
  u64(): number {
    const at = this.#take(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }

  skip(n: number): void {
    if (n < 0 || n > this.#from.size - this.position) throw new Stop('it ends in the middle')
    this.#at += n
    if (this.#at > this.#buffer.length) {
      this.#start += this.#at
      this.#at = 0
      this.#buffer = new Uint8Array(0)
    }
  }

  /** A string of `n` bytes: its first ones as text, all of it stepped over. */
  text(n: number): string {
    const held = this.#buffer
    const from = this.#at
    this.skip(n)
    return textIn(held, from, from + Math.min(n, keptText), 'utf8')
  }

  /** What comes before the next newline goes to `take`: how many bytes, and the first of them. */
  line(take: (text: string, bytes: number) => void): void | Promise<void> {
    const end = this.#buffer.indexOf(10, this.#at)
    if (end === -1) return this.#longLine().then(({ text, bytes }) => take(text, bytes))
    const from = this.#at
    this.#at = end + 1
    take(textIn(this.#buffer, from, Math.min(end, from + keptText), 'latin1'), end - from)
  }

  async #longLine(): Promise<{ text: string; bytes: number }> {
    let text = ''
    let bytes = 0
    for (;;) {
      const end = this.#buffer.indexOf(10, this.#at)
      const upTo = end === -1 ? this.#buffer.length : end
      text += textIn(this.#buffer, this.#at, Math.min(upTo, this.#at + keptText - text.length), 'latin1')
      bytes += upTo - this.#at
      this.#at = upTo
      if (end !== -1) {
        this.#at += 1
        return { text, bytes }
      }
      await this.fill()
    }
  }
}

const textIn = (bytes: Uint8Array, from: number, to: number, encoding: 'utf8' | 'latin1'): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(0, to - from)).toString(encoding)

const malformed = () => new Stop('its opcodes make no sense')

/** The stack machine over names and weights. */
class Machine {
  readonly #most: number
  #stack: Slot[] = []
  #marks: number[] = []
  readonly #memo = new Map<number, Node>()
  /** How many values MEMOIZE has numbered; it counts what is kept nowhere, too. */
  #memoized = 0
  #keptValues = 0
  readonly blobs = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  push(node: Node, weight: number, loose = 0): void {
    if (this.#stack.length >= this.#most) throw new Stop(`it piles up more than ${this.#most} values`)
    this.#stack.push({ node, weight, loose })
  }

  pop(): Slot {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw malformed()
    return this.#stack.pop() as Slot
  }

  top(): Slot {
    const top = this.#stack.at(-1)
    if (top === undefined || this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw malformed()
    return top
  }

  mark(): void {
    if (this.#marks.length >= this.#most) throw new Stop(`it piles up more than ${this.#most} values`)
    this.#marks.push(this.#stack.length)
  }

  sinceMark(): Slot[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw malformed()
    return this.#stack.splice(mark)
  }

  /** POP also discards a mark, when that is what lies on top. */
  discard(weight: number): void {
    if (this.#stack.length === (this.#marks.at(-1) ?? -1)) {
      this.#marks.pop()
      return
    }
    const gone = this.pop()
    // How a function's or class's state is set: the result is thrown away, what it refers to stays, below.
    const below = this.#stack.at(-1)
    if (below === undefined) return
    below.weight += gone.weight + weight
    below.loose += gone.loose
  }

  memoize(index: number): void {
    const { node } = this.top()
    this.#memoized += 1
    if (node === number || node === none || node === unknown) return
    if (this.#memo.size < this.#most || this.#memo.has(index)) this.#memo.set(index, node)
  }
  memoizeNext(): void {
    this.memoize(this.#memoized)
  }
  get(index: number, weight: number): void {
    this.push(this.#memo.get(index) ?? unknown, weight)
  }

  /** Large strings belong to the first object that they are handed to. */
  claim(className: string, bytes: number): void {
    if (bytes === 0) return
    if (!this.blobs.has(className) && this.blobs.size >= mostNames) return
    this.blobs.set(className, (this.blobs.get(className) ?? 0) + bytes)
  }

  /** Keeps of a value what names may be found in, so that long chains of values that weigh nothing are let go of. */
  #kept(slot: Slot): Slot {
    const { node, weight } = slot
    if (weight < heavy) {
      const needed = weight <= longestReference || node.kind === 'global' || node.kind === 'text'
      return needed ? slot : { ...slot, node: named(node.name) }
    }
    this.#keptValues += 1
    return this.#keptValues > keptValues ? { ...slot, node: named(node.name) } : slot
  }

  tuple(slots: readonly Slot[], weight: number): void {
    this.#stack.push(tupleOf(slots, weight, (slot) => this.#kept(slot)))
  }

  /** Puts members into the list, set or other collection on top. */
  add(slots: readonly Slot[], weight: number): void {
    const into = this.top()
    if (into.node.kind !== 'object' && into.node !== unknown) throw malformed()
    into.weight += weight + weightOf(slots)
    into.loose += looseOf(slots)
  }

  setItems(slots: readonly Slot[], weight: number): void {
    if (slots.length % 2 !== 0) throw malformed()
    this.add(slots, weight)
    const { node } = this.top()
    if (node === unknown) return
    for (let i = 0; i < slots.length; i += 2) {
      const [key, value] = [slots[i], slots[i + 1]]
      if (key === undefined || value === undefined || value.weight < heavy) continue
      node.entries ??= []
      const name = key.node.kind === 'text' ? (key.node.text ?? '?') : '?'
      if (node.entries.length < mostNames) node.entries.push({ name, slot: this.#kept(value) })
    }
  }

  /** What a value's state or arguments bring along is found through it later. */
  #madeFrom(node: Node, source: Slot): void {
    if (node.kind === 'plain' || source.weight < heavy) return
    node.from ??= []
    if (node.from.length < keptMembers) node.from.push(this.#kept(source))
  }

  /** `callable(*args)`, the class of which is then known as far as the callable tells. */
  reduce(callable: Slot, args: Slot, weight: number): void {
    const members = args.node.members ?? []
    const name = constructed(callable.node, members)
    const node: Node = { kind: 'object', name }
    // cloudpickle's setters are called with what they set the state of, which lies below and is what stays.
    const set = /_setstate$/.test(callable.node.name) ? members[0]?.node : undefined
    this.#madeFrom(set ?? node, args)
    // A class that was written out carries what its methods hold.
    this.#madeFrom(node, callable)
    const loose = args.loose + callable.loose
    const stillLoose = name === 'bytes' || name === 'bytearray'
    if (!stillLoose) this.claim(name, loose)
    this.push(node, weight + args.weight + callable.weight, stillLoose ? loose : 0)
  }

  build(weight: number): void {
    const state = this.pop()
    const object = this.top()
    this.#madeFrom(object.node, state)
    this.claim(object.node.name, state.loose)
    object.weight += weight + state.weight
  }
}

const weightOf = (slots: readonly Slot[]): number => slots.reduce((sum, { weight }) => sum + weight, 0)
const looseOf = (slots: readonly Slot[]): number => slots.reduce((sum, { loose }) => sum + loose, 0)

const tupleOf = (slots: readonly Slot[], weight: number, keep = (slot: Slot): Slot => slot): Slot => {
  const members = slots.slice(0, keptMembers).map(keep)
  const node: Node = { kind: 'tuple', name: 'tuple', members }
  return { node, weight: weight + weightOf(slots), loose: looseOf(slots) }
}

/** What known functions build, by their names; of others it is told below, or not at all. */
const builds: ReadonlyMap<string, string> = new Map([
  // How protocols below 3 write them.
  ['_codecs.encode', 'bytes'],
  ['__builtin__.bytearray', 'bytearray'],
  ['builtins.bytearray', 'bytearray'],
  ['numpy.core.numeric._frombuffer', 'numpy.ndarray'],
  ['numpy._core.numeric._frombuffer', 'numpy.ndarray'],
  ['torch._utils._rebuild_tensor', 'torch.Tensor'],
  ['torch._utils._rebuild_tensor_v2', 'torch.Tensor'],
  ['torch._utils._rebuild_parameter', 'torch.nn.Parameter'],
  ['torch.storage._load_from_bytes', 'torch.Storage'],
  ['cloudpickle.cloudpickle._make_function', 'function'],
])

const constructed = (callable: Node, args: readonly Slot[]): string => {
  const built = builds.get(callable.name)
  if (built !== undefined) return built
  if (/^copy_?reg\.(_reconstructor|__newobj__|__newobj_ex__)$|\._reconstruct$/.test(callable.name)) {
    const first = args[0]?.node
    if (first?.kind === 'global' || first?.kind === 'object') return first.name
  }
  if (/\._make_skeleton_class$/.test(callable.name)) return args[1]?.node.text ?? callable.name
  return callable.kind === 'global' || callable.kind === 'object' ? callable.name : '?'
}

/** Containers of data, whose inner names (`_mgr`, `blocks`) tell a user nothing. */
const isData = (name: string): boolean => /^(numpy|pandas|polars|pyarrow|scipy|torch|xarray|dask)\b/.test(name)

/** One line, printable, of bounded length: names end up in messages. */
const tame = (name: string): string => name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 100)

/** Steps that stand for nothing that a user has named. */
const silentNames = new Set(['__globals__', '__wrapped__', '__dict__', '__closure__', '__kwdefaults__', '__defaults__'])

/** What hangs on the object, by name: where most of a value's weight has names of its own, those. */
const holdingsOf = (root: Slot): PickleHolding[] => {
  const found: PickleHolding[] = []
  let steps = 0
  /** The heavy members of a value that have names, those of the tuples and objects that it was made from included. */
  const members = ({ node, weight }: Slot, depth: number): readonly Entry[] => {
    steps += 1
    if (weight < heavy || depth > deepest || steps > mostSteps || isData(node.name)) return []
    const inner = [...(node.members ?? []), ...(node.from ?? [])].flatMap((slot) => members(slot, depth + 1))
    return [...(node.entries ?? []), ...inner].slice(0, mostNames)
  }
  const walk = (entries: readonly Entry[], above: readonly string[], depth: number): void => {
    for (const { name, slot } of entries) {
      if (found.length >= mostNames) return
      const path = silentNames.has(name) ? above : [...above, name]
      const inner = depth < deepest ? members(slot, 0) : []
      const bytes = inner.reduce((sum, entry) => sum + entry.slot.weight, 0)
      if (bytes > slot.weight / 2) walk(inner, path, depth + 1)
      else found.push({ path: tame(path.join('.')) || '?', className: tame(slot.node.name), bytes: slot.weight })
    }
  }
  walk(members(root, 0), [], 0)
  return found.sort((a, b) => b.bytes - a.bytes)
}

/** Walks the first pickle in `from`. @throws what `read` throws; a file that is no pickle, or a part of one, is `unknown`. */
export const scanPickle = async (from: RandomRead, limits: PickleLimits = usual): Promise<PickleScan> => {
  const window = new Window(from, limits.read)
  const machine = new Machine(limits.entries)
  let root: Slot | undefined
  let why: string | undefined
  try {
    while (root === undefined) {
      if (!window.ready) await window.fill()
      const did = step(window, machine)
      if (did instanceof Promise) await did
      else if (did) root = did
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    why = error.message
  }
  if (root) machine.claim(root.node.name, root.loose)
  return {
    verdict: root === undefined ? 'unknown' : 'whole',
    ...(why !== undefined && { why }),
    walked: window.position,
    className: tame(root?.node.name ?? '?'),
    holdings: root === undefined ? [] : holdingsOf(root),
    blobs: [...machine.blobs]
      .map(([className, bytes]) => ({ className: tame(className), bytes }))
      .sort((a, b) => b.bytes - a.bytes),
  }
}

/** Executes one opcode; gives what was pickled when that was STOP. A promise where a line reaches beyond the window. */
const step = (window: Window, machine: Machine): Slot | undefined | void | Promise<void> => {
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
      return window.line((_, bytes) => machine.push(number, bytes + 2))
    case 0x4a: // BININT
      window.skip(4)
      machine.push(number, 5)
      return
    case 0x4b: // BININT1
      window.skip(1)
      machine.push(number, 2)
      return
    case 0x4d: // BININT2
      window.skip(2)
      machine.push(number, 3)
      return
    case 0x47: // BINFLOAT
      window.skip(8)
      machine.push(number, 9)
      return
    case 0x8a: // LONG1
      skipped(window, machine, number, window.u8(), 2)
      return
    case 0x8b: // LONG4
      skipped(window, machine, number, window.i32(), 5)
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
      if (machine.top().node.name === joblibArray) throw new Stop('joblib has put its arrays between the opcodes')
      return
    case 0x50: // PERSID
      return window.line((_, bytes) => machine.push(unknown, bytes + 2))
    case 0x51: {
      // BINPERSID
      const id = machine.pop()
      machine.push(unknown, 1 + id.weight)
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

/** The raw bytes of an array follow its description without an opcode (`joblib/numpy_pickle.py`). */
const joblibArray = 'joblib.numpy_pickle.NumpyArrayWrapper'

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
