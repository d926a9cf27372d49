/** The stack machine that reads pickles (`pickletools.py`, protocols 0 to 5), over names and weights in place of objects. */
import { type Dtype, dtypeOf } from './numpy-dtype.ts'
import { malformed, Stop } from './pickle-window.ts'

/** Bytes; strings from here on are told as large, and lighter entries are not followed by name. */
export const heavy = 64 * 1024
/** Names that are followed in one mapping, and how deep. */
export const mostNames = 200
/** Members of a tuple that are kept: arguments of constructors and states. */
const keptMembers = 9
/** Bytes of the longest opcode that takes a value from the memo. */
const longestReference = 17
/** Heavy values that are kept with what lies in them; each costs some 200 bytes of memory. Later ones count, but have no names. */
const keptValues = 200_000

/** What the machine knows of a value. */
export interface Node {
  /** A class or function is `global` and has its dotted name in `name`; of anything else `name` is its class. */
  kind: 'plain' | 'text' | 'global' | 'tuple' | 'object'
  name: string
  text?: string
  value?: number
  /** The first members of a tuple, and how many it has. */
  members?: readonly Slot[]
  length?: number
  /** Heavy members of a mapping by name. */
  entries?: Entry[]
  /** The heavy states and arguments that an object was made from: their names are its own. */
  from?: Slot[]
  /** Of a mapping that describes an array of joblib's: what tells how long the array is. */
  described?: Map<string, Node>
  /** Of NumPy's description of an element: the state that it was given. */
  state?: readonly Slot[]
}
export interface Entry {
  readonly name: string
  readonly slot: Slot
}

/** A place on the machine's stack. What comes out of the memo weighs no more than the reference. */
export interface Slot {
  readonly node: Node
  weight: number
  /** Bytes of large strings that no object has claimed yet. */
  loose: number
}

const plain = (name: string): Node => ({ kind: 'plain', name })
/** A value of which only the class is known. */
const named = (name: string): Node => ({ kind: 'object', name })
const number = plain('number')
const smallNumbers = Array.from({ length: 256 }, (_, value): Node => ({ ...number, value }))
/** A whole number, or one of which only the kind is known. */
export const numberNode = (value = Number.NaN): Node =>
  Number.isNaN(value) ? number : (smallNumbers[value] ?? { ...number, value })
export const none = plain('NoneType')
export const bytesNode = plain('bytes')
export const bytearrayNode = plain('bytearray')
export const longText = plain('str')
export const unknown = plain('?')

/** The stack machine over names and weights. */
export class Machine {
  readonly #most: number
  #stack: Slot[] = []
  #marks: number[] = []
  readonly #memo = new Map<number, Node>()
  /** How many values MEMOIZE has numbered; it counts what is kept nowhere, too. */
  #memoized = 0
  #keptValues = 0
  /** What the pickle refers to outside of itself (BINPERSID), in the order in which it does. */
  readonly persistent: Node[] = []
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
    if (node.name === 'number' || node === none || node === unknown) return
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
      if (key === undefined || value === undefined) continue
      const name = key.node.kind === 'text' ? (key.node.text ?? '?') : '?'
      if (describing.has(name)) {
        node.described ??= new Map()
        node.described.set(name, value.node)
      }
      if (value.weight < heavy) continue
      node.entries ??= []
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
    if (name === dtypeClass) node.members = members
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

  refer(id: Slot): void {
    if (this.persistent.length >= this.#most)
      throw new Stop(`it refers to more than ${this.#most} things outside of it`)
    this.persistent.push(id.node)
    this.push(unknown, 1 + id.weight)
  }

  build(weight: number): void {
    const state = this.pop()
    const object = this.top()
    this.#madeFrom(object.node, state)
    if (object.node.name === dtypeClass && state.node.members) object.node.state = state.node.members
    if (object.node.name === joblibArray && state.node.described) object.node.described = state.node.described
    this.claim(object.node.name, state.loose)
    object.weight += weight + state.weight
  }
}

/** Keys by which `NumpyArrayWrapper` keeps what tells how long its array is (`joblib/numpy_pickle.py`). */
const describing = new Set(['shape', 'dtype', 'numpy_array_alignment_bytes'])
const dtypeClass = 'numpy.dtype'
export const joblibArray = 'joblib.numpy_pickle.NumpyArrayWrapper'

export interface RawArray extends Dtype {
  /** Elements. */
  readonly count: number
  /** A byte that tells how many more to step over comes first. */
  readonly padded: boolean
}

/** The array whose bytes follow its description; undefined where that cannot be understood. */
export const rawArrayOf = (node: Node): RawArray | undefined => {
  const shape = node.described?.get('shape')
  const dtype = node.described?.get('dtype')
  if (shape?.members === undefined || shape.length === undefined || shape.length > shape.members.length)
    return undefined
  const sides = shape.members.map((side) => side.node.value ?? Number.NaN)
  const code = dtypeOf(dtype?.members?.[0]?.node.text)
  if (code === undefined || sides.some((side) => !Number.isInteger(side) || side < 0)) return undefined
  // The state of a description: version, byte order, subarray, names, fields, size, alignment, flags (`arraydescr_reduce`).
  const [size, flags] = [dtype?.state?.[5]?.node.value ?? -1, dtype?.state?.[7]?.node.value ?? 0]
  return {
    count: sides.includes(0) ? 0 : sides.reduce((product, side) => product * side, 1),
    bytes: size > 0 ? size : code.bytes,
    objects: code.objects || (flags & 1) === 1,
    padded: node.described?.get('numpy_array_alignment_bytes')?.value !== undefined,
  }
}

const weightOf = (slots: readonly Slot[]): number => slots.reduce((sum, { weight }) => sum + weight, 0)
const looseOf = (slots: readonly Slot[]): number => slots.reduce((sum, { loose }) => sum + loose, 0)

export const tupleOf = (slots: readonly Slot[], weight: number, keep = (slot: Slot): Slot => slot): Slot => {
  const members = slots.slice(0, keptMembers).map(keep)
  const node: Node = { kind: 'tuple', name: 'tuple', members, length: slots.length }
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
