import { Cursor } from './cursor.ts'
import { CutShort, OutOfReads, type Peek, type Reference } from './format.ts'
import { type Field, lengthDelimited, NoField, nextField } from './protobuf.ts'

/** The messages on the way to a tensor (onnx/onnx.proto): which message each of their fields holds. */
const inside = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: { 13: 'entry' },
  entry: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>
type Message = keyof typeof inside

interface Open {
  readonly message: Message
  readonly end: number
  /** Of a tensor: what says where its bytes are. */
  readonly place: Map<string, string>
  external: boolean
  key: string
}

/** Lists of numbers and texts in an attribute, one field for each member; it holds nothing else then. */
const lists = [7, 8, 9]
/** Of a tensor: that its bytes are in a file of their own. */
const dataLocation = 14
const inFile = 1
/** A step over more than this costs a read. Exporters put all large tensors outside, or none. */
const far = 64 * 1024
const mostFar = 1
/** Fields that are followed, below a second's work. */
const mostFields = 2_000_000
const deepest = 64
const longestText = 4096
const mostFiles = 10_000

const numberOf = (text: string | undefined): number =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0

/** Files that tensors of the graph are in. `all` is false when the walk ended before the graph did. */
export const externalData = async (file: Peek): Promise<{ readonly refers: Reference[]; readonly all: boolean }> => {
  const found = new Map<string, number>()
  const all = await walk(file, (place) => {
    const path = place.get('location')
    if (path === undefined || (found.size >= mostFiles && !found.has(path))) return
    // Without a length, the tensor is the file's rest.
    const least = numberOf(place.get('offset')) + numberOf(place.get('length'))
    found.set(path, Math.max(found.get(path) ?? 0, least))
  }).catch((error: unknown) => {
    if (error instanceof OutOfReads || error instanceof NoField || error instanceof CutShort) return false
    throw error
  })
  const refers = [...found].map(([path, least]) => (least === 0 ? { path } : { path, least }))
  return { refers, all }
}

const walk = async (file: Peek, take: (place: ReadonlyMap<string, string>) => void): Promise<boolean> => {
  const cursor = new Cursor(file)
  const stack: Open[] = [{ message: 'model', end: file.size, place: new Map(), external: false, key: '' }]
  let steps = 0
  let external = 0
  for (let seen = 0; seen < mostFields; seen += 1) {
    const top = stack.at(-1)
    if (top === undefined) return true
    const field = await nextField(cursor, top.end)
    if (field === undefined) {
      stack.pop()
      if (top.external) {
        external += 1
        take(top.place)
      }
      continue
    }
    if (top.message === 'entry') await readEntry(cursor, field, top)
    const next = held(top.message, field)
    if (next !== undefined && stack.length < deepest) {
      const place = next === 'entry' ? top.place : new Map<string, string>()
      stack.push({ message: next, end: field.end, place, external: false, key: '' })
      cursor.goTo(field.from)
      continue
    }
    if (top.message === 'tensor' && field.number === dataLocation) top.external = field.value === inFile
    if (top.message === 'attribute' && lists.includes(field.number)) cursor.goTo(top.end)
    if (cursor.at - field.from > far) steps += 1
    if (steps > mostFar && external === 0) return true
  }
  return false
}

const held = (message: Message, { number, wire }: Field): Message | undefined => {
  const fields: Readonly<Record<number, Message>> = inside[message]
  return wire === lengthDelimited ? fields[number] : undefined
}

/** A key, then its value, in the place of the tensor that they belong to. */
const readEntry = async (cursor: Cursor, { number, from, end }: Field, entry: Open): Promise<void> => {
  if (end - from > longestText) return
  cursor.goTo(from)
  await cursor.buffer(end - from)
  const text = Buffer.from(cursor.take(end - from)).toString()
  if (number === 1) entry.key = text
  else if (number === 2) entry.place.set(entry.key, text)
}
