import { open } from 'node:fs/promises'
import type { RangeSource } from '../../src/formats/format.ts'

/** Files up to this size are held in memory: a sweep reads each of them dozens of times. */
const held = 8 * 1024 ** 2

export interface OpenedFile extends RangeSource {
  close(): Promise<void>
}

export const openFile = async (path: string): Promise<OpenedFile> => {
  const file = await open(path)
  const { size } = await file.stat()
  const piece = async (offset: number, length: number): Promise<Uint8Array> => {
    const into = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
    let got = 0
    while (got < into.length) {
      const { bytesRead } = await file.read(into, got, into.length - got, offset + got)
      if (bytesRead === 0) break
      got += bytesRead
    }
    return into.subarray(0, got)
  }
  if (size > held) return { size, read: piece, close: () => file.close() }
  const whole = await piece(0, size)
  await file.close()
  return { ...fromBytes(whole), close: async () => undefined }
}

export const fromBytes = (bytes: Uint8Array): RangeSource => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
})

/** The first `size` bytes, without a copy. */
export const cutTo = (source: RangeSource, size: number): RangeSource => ({
  size,
  read: (offset, length) => source.read(offset, Math.max(0, Math.min(length, size - offset))),
})

/** The same size, with `length` bytes at `at` replaced by what `fill` gives for them. */
const overlaid = (
  source: RangeSource,
  at: number,
  length: number,
  fill: (offset: number, length: number) => Promise<Uint8Array> | Uint8Array,
): RangeSource => ({
  size: source.size,
  read: async (offset, wanted) => {
    const got = Uint8Array.from(await source.read(offset, wanted))
    const from = Math.max(offset, at)
    const to = Math.min(offset + got.length, at + length)
    if (from < to) got.set(await fill(from - at, to - from), from - offset)
    return got
  },
})

const page = 4096
const zeros = (_offset: number, length: number): Uint8Array => new Uint8Array(length)

/** Damage that keeps the size, as a lost part, a crash or a mixed-up part leaves it; and a part that is missing altogether. */
export const damages: Readonly<Record<string, (source: RangeSource) => RangeSource | undefined>> = {
  'zero tail': (source) => {
    const from = Math.floor((source.size * 0.75) / page) * page
    return from === 0 ? undefined : overlaid(source, from, source.size - from, zeros)
  },
  'zero hole': (source) => {
    const from = Math.floor(source.size / 3)
    return source.size < page ? undefined : overlaid(source, from, from, zeros)
  },
  'head in the middle': (source) => {
    const length = Math.floor(source.size / 4)
    return source.size < page ? undefined : overlaid(source, length * 2, length, (at, n) => source.read(at, n))
  },
  'middle missing': (source) => {
    const from = Math.floor(source.size / 3)
    const size = source.size - from
    if (source.size < page) return undefined
    return {
      size,
      read: async (offset, length) => {
        const wanted = Math.min(length, size - offset)
        const before = await source.read(offset, Math.max(0, Math.min(wanted, from - offset)))
        const rest = wanted - before.length
        const after = rest === 0 ? [] : await source.read(Math.max(offset, from) + from, rest)
        return Uint8Array.from([...before, ...after])
      },
    }
  },
}
