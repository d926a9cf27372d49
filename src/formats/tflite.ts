import { againstSize } from './against-size.ts'
import { hasAt, u16le, u32le, u64le } from './bytes.ts'
import { CutShort, type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'
import { type Field, type Message, schema } from './tflite-schema.ts'
import { zip } from './zip.ts'

/** A piece that is read at once, and how many are read beside head and tail: tables are small, and lie together. */
const pieceBytes = 64 * 1024
const mostPieces = 24
/** Objects that are followed, below a second's work: the largest models have some ten thousand. */
const mostObjects = 200_000
/** Of all vectors of tables: those that lie in each other would be gone through again and again. */
const mostMembers = 2 * mostObjects
/** Weights lie in buffers, each with its table before it; the last ones by place tell where they end. */
const lastBuffers = 3
/** No table has so many fields. */
const longestVtable = 1024

interface Due {
  readonly at: number
  readonly field: Exclude<Field, { readonly outside: true }>
}

/** Follows a flatbuffer's offsets (https://flatbuffers.dev/internals/), all of which point forward, and keeps the furthest end. */
class Walk {
  reach = 0
  readonly #file: Peek
  readonly #pieces = new Set<number>()
  readonly #seen = new Set<number>()
  #members = 0
  #due: Due[] = []

  constructor(file: Peek) {
    this.#file = file
  }

  async all(): Promise<void> {
    this.#due.push({ at: u32le(await this.#bytes(0, 4), 0), field: { table: 'model' } })
    for (let due = this.#due.pop(); due !== undefined && this.#seen.size < mostObjects; due = this.#due.pop()) {
      this.#use(due.at, 4)
      if (this.#seen.has(due.at) || !(await this.#reachable(due.at))) continue
      this.#seen.add(due.at)
      await this.#follow(due)
    }
  }

  async #follow({ at, field }: Due): Promise<void> {
    if ('table' in field) {
      await this.#table(at, field.table)
      return
    }
    const count = u32le(await this.#bytes(at, 4), 0)
    if ('tables' in field) {
      await this.#tables(at, count, field.tables)
      return
    }
    // A text ends with a zero that it does not count.
    const bytes = 'text' in field ? count + 1 : count * field.vectorOf
    this.#use(at, 4 + bytes)
  }

  async #table(at: number, message: Message): Promise<void> {
    const back = u32le(await this.#bytes(at, 4), 0) | 0
    const vtable = at - back
    const head = await this.#bytes(vtable, 4)
    const length = u16le(head, 0)
    const inline = u16le(head, 2)
    if (length < 4 || length > longestVtable) throw new SyntaxError('a table without a list of its fields')
    const offsets = await this.#bytes(vtable, length)
    const own = await this.#bytes(at, inline)
    for (const [number, field] of Object.entries(schema[message])) {
      const place = 4 + 2 * Number(number)
      const offset = place + 2 <= length ? u16le(offsets, place) : 0
      if (offset === 0) continue
      if ('outside' in field) {
        const size = u16le(offsets, place + 2)
        // Behind the flatbuffer, for weights beyond 2 GiB; 0 and 1 stand for none.
        const from = u64le(own, offset)
        if (place + 4 <= length && size !== 0 && from > 1) this.#use(from, u64le(own, size))
      } else {
        const to = u32le(own, offset)
        if (Number.isNaN(to)) throw new SyntaxError('a field outside of its table')
        this.#due.push({ at: at + offset + to, field })
      }
    }
  }

  async #tables(at: number, count: number, message: Message): Promise<void> {
    this.#use(at, 4 + 4 * count)
    this.#members += count
    if (this.#members > mostMembers) throw new RangeError(`${this.#members} tables`)
    const offsets = await this.#bytes(at + 4, 4 * count)
    const places = Array.from({ length: count }, (_, nth) => at + 4 + 4 * nth + u32le(offsets, 4 * nth))
    places.sort((a, b) => a - b)
    const near = message === 'buffer' ? this.#lastOf(places) : places
    for (const place of near) this.#due.push({ at: place, field: { table: message } })
  }

  /** Those that cost no read, and the last. */
  #lastOf(places: readonly number[]): number[] {
    const { head, tail, size } = this.#file
    const free = (place: number): boolean => place < head.length - longestVtable || place > size - tail.length
    return places.filter((place, nth) => free(place) || nth >= places.length - lastBuffers)
  }

  #use(at: number, length: number): void {
    this.reach = Math.max(this.reach, at + length)
  }

  /** False once all reads that a file may cost have been made for others. */
  async #reachable(at: number): Promise<boolean> {
    const { head, tail, size } = this.#file
    if (at + 4 <= head.length || at >= size - tail.length) return true
    const piece = Math.floor(at / pieceBytes)
    if (this.#pieces.has(piece)) return true
    if (this.#pieces.size >= mostPieces) return false
    this.#pieces.add(piece)
    await this.#file.read(piece * pieceBytes, pieceBytes)
    return true
  }

  #bytes(at: number, length: number): Promise<Uint8Array> {
    this.#use(at, length)
    return this.#file.exactly(at, length)
  }
}

const recognises = (head: Uint8Array): boolean => hasAt(head, 4, 'TFL3')

/** Metadata and labels, which the model itself is read without (tflite_support's `MetadataPopulator`). */
const zipMark = 'PK\x03\x04'

const judge = async (file: Peek, name: string): Promise<Verdict> => {
  if (!recognises(file.head)) return unknown('the mark of TensorFlow Lite is not there')
  const walk = new Walk(file)
  await walk.all()
  if (walk.reach > file.size) throw new CutShort(walk.reach)
  if (hasAt(await file.read(walk.reach, zipMark.length), 0, zipMark)) {
    const { judgement, because } = await zip.judge(file, name)
    if (judgement === 'broken') return suspect(`of the zip that is appended to it: ${because}`)
  }
  return againstSize(file.size, walk.reach, 'what it refers to reaches to')
}

/** TensorFlow Lite's models. Readers pass over bytes behind the flatbuffer, where tools append metadata. */
export const tflite: Format = {
  id: 'tflite',
  title: 'a TensorFlow Lite model',
  names: ['.tflite'],
  least: 16,
  recognises,
  judge,
}
