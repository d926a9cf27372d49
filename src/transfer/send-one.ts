import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Trouble } from '../errors.ts'
import { isPassing, type Patience, pauseBefore } from '../retry.ts'
import type { ObjectProof, Store, StoredFile } from '../stores/store.ts'
import { md5In } from './digest.ts'
import { refuseIfChanged, verify } from './finish.ts'
import type { Source } from './identity.ts'
import { judge, type Verdict } from './proof.ts'
import type { Sender } from './sender.ts'

interface One {
  readonly source: Source
  readonly store: Store
  readonly putOne: NonNullable<Store['putOne']>
  readonly path: string
  readonly ifAbsent: boolean
  readonly replaces?: StoredFile
  readonly sender: Sender
  readonly patience: Patience
  readonly signal: AbortSignal | undefined
}

export interface SentOne {
  readonly crc32: number
  readonly verdict: Exclude<Verdict, { is: 'different' }>
  /** Requests that carried the file. */
  readonly requests: number
}

/** What the answer to the request itself proves of what is stored. */
const judgeAnswer = (answer: ObjectProof, bytes: Uint8Array, crc: number): Verdict => {
  const verdict = judge(answer, { size: bytes.length, crc32: crc })
  const md5 = md5In(answer.etag)
  if (verdict.is !== 'unknown' || md5 === undefined) return verdict
  const same = createHash('md5').update(bytes).digest('hex') === md5
  return same ? { is: 'equal', how: 'MD5 of the whole object' } : verdict
}

/**
 * A file that fits into one request: visible at once, whole or not at all, so that nothing of it needs to be remembered.
 * After an error the object is looked at before it is sent again: the answer may be all that was lost.
 */
export const sendOne = async (one: One): Promise<SentOne> => {
  const { source, store, path, ifAbsent, replaces, sender, patience, signal } = one
  const how = { ifAbsent, ...(replaces === undefined ? {} : { replaces }) }
  return sender.lend(Math.max(1, source.size), signal, async (buffer) => {
    const bytes = await source.read(buffer, 0, source.size)
    const crc = crc32(bytes)
    const expected = { size: source.size, crc32: crc }
    const arrived = async (): Promise<boolean> => {
      const proof = await store.proof(path, signal).catch(() => undefined)
      return proof !== undefined && judgeAnswer(proof, bytes, crc).is === 'equal'
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        await source.confirm()
        if (attempt === 1) await refuseIfChanged({ store, path, signal }, replaces)
        const answer = await sender.send(source.size, signal, () => one.putOne(path, bytes, crc, how, signal))
        const verdict = judgeAnswer(answer, bytes, crc)
        if (verdict.is === 'equal') return { crc32: crc, verdict, requests: attempt }
        return { crc32: crc, verdict: await verify({ store, path, expected, patience, signal }), requests: attempt }
      } catch (error) {
        signal?.throwIfAborted()
        if (!(error instanceof Trouble) || error.kind === 'source-changed') throw error
        const again = error.kind === 'conflict' || isPassing(error)
        if (again && (await arrived())) {
          return { crc32: crc, verdict: { is: 'equal', how: 'the checksum of the whole object' }, requests: attempt }
        }
        if (attempt >= patience.tries || !isPassing(error)) throw error
        await pauseBefore(attempt + 1, patience, error, signal)
      }
    }
  })
}
