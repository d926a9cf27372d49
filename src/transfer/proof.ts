import type { ObjectProof, Store } from '../stores/store.ts'
import { compositeEtag, digestRange, md5In, scratch } from './digest.ts'
import type { Source } from './identity.ts'

/** `how` and `why` are for people, without a full stop. `unknown` means that the sizes agree and nothing more can be told. */
export type Verdict =
  | { readonly is: 'equal'; readonly how: string }
  | { readonly is: 'different'; readonly why: string }
  | { readonly is: 'unknown'; readonly why: string }

/** What was sent, or what the local file holds. */
export interface Expected {
  /** Bytes. */
  readonly size: number
  readonly crc32: number
  /** The ETag that the store would make from the parts. */
  readonly etag?: string | undefined
}

const equalBy = (how: string): Verdict => ({ is: 'equal', how })
const unknown = (why: string): Verdict => ({ is: 'unknown', why })

const sizesDiffer = (stored: number, local: number): Verdict => ({
  is: 'different',
  why: `the store holds ${stored} bytes where ${local} are expected`,
})
const castagnoliDiffers: Verdict = { is: 'different', why: 'its CRC-32C differs from that of the local file' }
const crcDiffers: Verdict = { is: 'different', why: 'its CRC32 differs from that of the local file' }

/** Holds the store's proof of an object against what was sent. An ETag can prove, but never disprove: encryption changes it. */
export const judge = (proof: ObjectProof, expected: Expected): Verdict => {
  if (proof.size !== expected.size) return sizesDiffer(proof.size, expected.size)
  if (proof.size === 0) return equalBy('an empty file has nothing to prove')
  if (proof.crc32 !== undefined)
    return proof.crc32 === expected.crc32 ? equalBy('CRC32 of the whole object') : crcDiffers
  if (expected.etag === undefined) return unknown('the store keeps no checksum of it')
  if (proof.etag?.toLowerCase() === expected.etag) return equalBy("ETag made from the parts' MD5s")
  return unknown('the store keeps no checksum of the whole, and its ETag is not made from the MD5s of the parts')
}

const MiB = 1024 * 1024
/** The part sizes of boto3, MLflow's proxied route, this tool, and other tools' defaults; tried first. */
const usualParts = [8, 10, 16, 5, 32, 50, 64, 100, 128].map((n) => n * MiB)
const mostCuts = 8

/** Cuts of `size` bytes into `count` parts that are worth trying: whole MiB, the usual ones first. */
export const likelyCuts = (size: number, count: number): readonly number[] => {
  if (count <= 1) return count === 1 ? [Math.max(size, 1)] : []
  const fits = (part: number): boolean => Math.ceil(size / part) === count
  const cuts = new Set(usualParts.filter(fits))
  for (let part = Math.ceil(size / count / MiB) * MiB; cuts.size < mostCuts && fits(part); part += MiB) cuts.add(part)
  return [...cuts]
}

const etagForm = /^([0-9a-f]{32})-(\d{1,5})$/i

/**
 * Compares an object, by the store's proof alone, with the first `proof.size` bytes of a local file: for the question
 * whether a file is there already, and whether a short one is a beginning of it. Reads the local file at most a few times.
 */
export const compareWithLocal = async (source: Source, proof: ObjectProof, signal?: AbortSignal): Promise<Verdict> => {
  const { size } = proof
  if (size > source.size) return sizesDiffer(size, source.size)
  if (size === 0) return equalBy('an empty file has nothing to prove')
  const buffer = scratch()
  const whole = { offset: 0, length: size }
  if (proof.crc32 !== undefined) {
    const local = await digestRange(source, whole, { md5: false, buffer, signal })
    return local.crc32 === proof.crc32 ? equalBy('CRC32 of the whole object') : crcDiffers
  }
  if (proof.crc32c !== undefined) {
    const local = await digestRange(source, whole, { md5: false, crc32c: true, buffer, signal })
    return local.crc32c === proof.crc32c ? equalBy('CRC-32C of the whole object') : castagnoliDiffers
  }
  const stored = md5In(proof.etag)
  if (stored !== undefined) {
    const local = await digestRange(source, whole, { md5: true, buffer, signal })
    if (local.md5 === stored) return equalBy('MD5 of the whole object')
    return unknown('its ETag is not the MD5 of the local bytes, which encryption also brings about')
  }
  const form = etagForm.exec(proof.etag ?? '')
  if (form === null) return unknown('the store keeps no checksum of it')
  for (const part of likelyCuts(size, Number(form[2]))) {
    const md5s: (string | undefined)[] = []
    for (let at = 0; at < size; at += part) {
      const range = { offset: at, length: Math.min(part, size - at) }
      md5s.push((await digestRange(source, range, { md5: true, buffer, signal })).md5)
    }
    if (compositeEtag(md5s) === proof.etag?.toLowerCase()) return equalBy("ETag made from the parts' MD5s")
  }
  return unknown('its ETag is not made from MD5s of the local bytes in parts of a usual size')
}

/** Reads an object back in ranges and compares it with the beginning of a local file. Throws `unsupported` where the route has no ranges. */
export const compareByReading = async (
  store: Store,
  path: string,
  source: Source,
  length: number,
  signal?: AbortSignal,
): Promise<Verdict> => {
  const buffer = scratch()
  for (let at = 0; at < length; at += buffer.length) {
    const wanted = Math.min(buffer.length, length - at)
    const stored = await store.read(path, at, wanted, signal)
    const local = await source.read(buffer, at, wanted)
    if (Buffer.compare(stored, local) !== 0) {
      return { is: 'different', why: `its bytes from ${at} on differ from the local file` }
    }
  }
  return equalBy('every byte read back')
}
