import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Format, RangeSource } from '../../src/formats/format.ts'
import { formats, judge } from '../../src/formats/index.ts'
import { committed } from '../corpus/committed.ts'
import { seeded } from '../corpus/cuts.ts'
import { fromBytes } from '../corpus/source.ts'
import { filesBelow } from '../corpus/sweep.ts'

/** Files for verifiers that were made to harm: whole ones bent, sizes that no disk has, numbers that no file needs. */

/** A name by which a file falls to a format whatever it holds. */
export const nameFor = (format: Format): string => {
  const [name = 'x'] = format.names
  return name.startsWith('.') ? `x${name}` : name
}

/** Small whole files by the format that recognises them. */
export const samples = async (most: number, largest: number): Promise<ReadonlyMap<string, readonly Uint8Array[]>> => {
  const found = new Map<string, Uint8Array[]>(formats.map(({ id }) => [id, []]))
  for (const path of await filesBelow(committed)) {
    const bytes = new Uint8Array(await readFile(join(committed, path)))
    if (bytes.length > largest) continue
    const into = found.get((await judge(fromBytes(bytes), path)).format?.id ?? '')
    if (into !== undefined && into.length < most) into.push(bytes)
  }
  return found
}

/** What a field may claim: around the limits of 31, 32, 53, 63 and 64 bits. */
export const claims: readonly bigint[] = [
  0n,
  1n,
  127n,
  0xffffn,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]

export type Mutation =
  | { readonly kind: 'byte'; readonly at: number; readonly value: number }
  | {
      readonly kind: 'claim'
      readonly at: number
      readonly claim: bigint
      readonly bytes: 2 | 4 | 8
      readonly big: boolean
    }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'drop' | 'again' | 'zeros'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'nest'; readonly at: number; readonly mark: number; readonly length: number }

const claimed = (claim: bigint, bytes: number, big: boolean): Uint8Array => {
  const field = new Uint8Array(8)
  new DataView(field.buffer).setBigUint64(0, claim, !big)
  return big ? field.subarray(8 - bytes) : field.subarray(0, bytes)
}

/** `at` is a share of the length (0 to 1), so that it fits every file. */
export const mutate = (bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array => {
  let now: Uint8Array = Uint8Array.from(bytes)
  for (const mutation of mutations) {
    const at = Math.min(now.length, Math.floor(mutation.at * now.length))
    const before = now.subarray(0, at)
    const after = now.subarray(at)
    const joined = (...pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces))
    if (mutation.kind === 'byte') now = joined(before, Uint8Array.of(mutation.value), after.subarray(1))
    else if (mutation.kind === 'claim') {
      const field = claimed(mutation.claim, mutation.bytes, mutation.big)
      now = joined(before, field, after.subarray(field.length))
    } else if (mutation.kind === 'cut') now = joined(before)
    else if (mutation.kind === 'drop') now = joined(before, after.subarray(mutation.length))
    else if (mutation.kind === 'again') now = joined(before, now.subarray(0, mutation.length), after)
    else if (mutation.kind === 'zeros')
      now = joined(before, new Uint8Array(mutation.length), after.subarray(mutation.length))
    else if (mutation.kind === 'insert') now = joined(before, mutation.bytes, after)
    else if (mutation.kind === 'nest') now = joined(before, new Uint8Array(mutation.length).fill(mutation.mark), after)
  }
  return now
}

export interface Watched extends RangeSource {
  readonly reads: { readonly offset: number; readonly length: number }[]
}
export const watched = (source: RangeSource, onRead?: () => void): Watched => {
  const reads: { offset: number; length: number }[] = []
  return {
    size: source.size,
    reads,
    read: async (offset, length) => {
      reads.push({ offset, length })
      onRead?.()
      return source.read(offset, length)
    },
  }
}

/** What lies between a head and a tail that look right, where a file claims a pebibyte. */
export type Filler = 'zeros' | 'noise' | 'repeated' | number
/** Larger than any disk, and a size whose sums stay exact. */
export const pebibyte = 2 ** 50

/** Repeated over and over; nothing stands for zeros. */
const pattern = (sample: Uint8Array, filler: Filler): Uint8Array => {
  if (filler === 'zeros') return new Uint8Array(0)
  if (filler === 'noise') return noise
  return filler === 'repeated' ? sample : new Uint8Array(65_536).fill(filler)
}
const random = seeded(5)
/** A prime length, so that no page of it begins as another does. */
const noise = Uint8Array.from({ length: 1_048_573 }, () => Math.floor(random() * 256))

export const vast = (sample: Uint8Array, filler: Filler, size = pebibyte): RangeSource => {
  const tail = sample.subarray(Math.floor(sample.length / 2))
  const between = pattern(sample, filler)
  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(Math.min(length, size - offset))
      if (between.length > 0) {
        let at = 0
        while (at < bytes.length) {
          const piece = between.subarray((offset + at) % between.length).subarray(0, bytes.length - at)
          bytes.set(piece, at)
          at += piece.length
        }
      }
      if (offset < sample.length) bytes.set(sample.subarray(offset, offset + bytes.length))
      const tailAt = size - tail.length
      if (offset + bytes.length > tailAt) {
        bytes.set(tail.subarray(Math.max(0, offset - tailAt)), Math.max(0, tailAt - offset))
      }
      return bytes
    },
  }
}
