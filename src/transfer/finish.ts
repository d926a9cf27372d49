import { Trouble } from '../errors.ts'
import { isPassing, type Patience, pauseBefore, withRetry } from '../retry.ts'
import { changedSincePlan, sameObject } from '../stores/replaced.ts'
import type { OpenUpload, Part, Store, StoredFile } from '../stores/store.ts'
import { type Expected, judge, type Verdict } from './proof.ts'

interface Finishing {
  readonly store: Store
  readonly path: string
  readonly expected: Expected
  readonly patience: Patience
  readonly signal: AbortSignal | undefined
}

/** What the store says of the object now, held against what was sent; undefined when there is none. */
const look = async ({ store, path, expected, signal }: Finishing): Promise<Verdict | undefined> => {
  const proof = await store.proof(path, signal)
  return proof === undefined ? undefined : judge(proof, expected)
}

/** What may be in the place of the object. */
interface Consent {
  readonly ifAbsent: boolean
  readonly replaces?: StoredFile
}

/** The last look before an object is replaced. A store that compares by itself closes the gap that it leaves. */
export const refuseIfChanged = async (
  { store, path, signal }: Pick<Finishing, 'store' | 'path' | 'signal'>,
  replaces: StoredFile | undefined,
): Promise<void> => {
  if (replaces === undefined || sameObject(replaces, await store.stat(path, signal))) return
  throw changedSincePlan(`cannot replace ${path}`)
}

const isKind = (error: unknown, kind: Trouble['kind']): boolean => error instanceof Trouble && error.kind === kind

/**
 * Completes an upload. An answer that was lost is not a failure: after each error the object is looked at first, since the
 * store may have finished, or may still be finishing, what it was asked for.
 */
export const completeUpload = async (
  upload: OpenUpload,
  parts: readonly Part[],
  { ifAbsent, replaces }: Consent,
  finishing: Finishing,
): Promise<void> => {
  const { expected, patience, signal } = finishing
  const whole = {
    size: expected.size,
    crc32: expected.crc32,
    ifAbsent,
    ...(replaces === undefined ? {} : { replaces }),
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await refuseIfChanged(finishing, replaces)
      return await upload.complete(parts, whole, signal)
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof Trouble)) throw error
      const seen = await look(finishing).catch(() => undefined)
      if (seen?.is === 'equal') return
      const uploadGone = isKind(error, 'not-found')
      // Gone, and an object of the right size in its place: the earlier request has ended. Verification says how sure that is.
      if (uploadGone && seen?.is === 'unknown') return
      // A session that is over does not come back.
      if (uploadGone && upload.ordered === true) throw error
      if (attempt >= patience.tries || !(isPassing(error) || uploadGone)) throw error
      await pauseBefore(attempt + 1, patience, error, signal)
    }
  }
}

export const otherThanSent = (path: string, why: string): Trouble =>
  new Trouble({
    kind: 'conflict',
    what: `${path} was sent, and the store holds something else`,
    why,
    todo: 'See who else writes to this path, then scan the target again',
  })

/** The verdict on the finished object. Throws `conflict` when it is not what was sent. */
export const verify = async (finishing: Finishing): Promise<Exclude<Verdict, { is: 'different' }>> => {
  const { store, path, patience, signal } = finishing
  const missing = new Trouble({
    kind: 'unavailable',
    what: `cannot verify ${path}`,
    why: `${store.uri} accepted it, but does not show it`,
    todo: 'Scan the target again in a few minutes',
  })
  const verdict = await withRetry(
    async () => {
      const seen = await look(finishing)
      if (seen === undefined) throw missing
      return seen
    },
    patience,
    signal,
  )
  if (verdict.is !== 'different') return verdict
  throw otherThanSent(path, verdict.why)
}
