import { Trouble } from '../errors.ts'
import type { Step } from '../report.ts'
import { openSource, type Source } from '../transfer/identity.ts'
import { ownFolder } from '../transfer/manifest.ts'
import { compareByReading, compareWithLocal, type Verdict } from '../transfer/proof.ts'
import { bytes, count, exactBytes } from '../words.ts'
import type { Place } from './types.ts'

/** Bytes of all files together that are read back where the store keeps no checksum: a look must not become a download. */
const mostRead = 64 * 1024 ** 2

/** `how` and `why` are for people, without a full stop. */
export type Content =
  | { readonly proved: true; readonly how: string }
  | { readonly proved: false; readonly state: 'failed' | 'declined'; readonly why: string }

const readBack = async (place: Place, path: string, source: Source, signal?: AbortSignal): Promise<Verdict> => {
  try {
    return await compareByReading(place.store, path, source, source.size, signal)
  } catch (error) {
    if (!(error instanceof Trouble) || error.kind !== 'unsupported') throw error
    return { is: 'unknown', why: 'this route offers no checksum of it, and no way to read a part of it back' }
  }
}

const compare = async (
  place: Place,
  path: string,
  file: string,
  mayRead: number,
  signal?: AbortSignal,
): Promise<{ readonly verdict: Verdict; readonly read: number }> => {
  const proof = await place.store.proof(path, signal)
  if (proof === undefined) return { verdict: { is: 'different', why: 'it is not stored' }, read: 0 }
  const source = await openSource(file)
  try {
    if (proof.size !== source.size) {
      const why = `${exactBytes(proof.size)} are stored, ${exactBytes(source.size)} are here`
      return { verdict: { is: 'different', why }, read: 0 }
    }
    const verdict = await compareWithLocal(source, proof, signal)
    if (verdict.is !== 'unknown' || source.size > mayRead) return { verdict, read: 0 }
    return { verdict: await readBack(place, path, source, signal), read: source.size }
  } finally {
    await source.close()
  }
}

const inWords = (ways: ReadonlyMap<string, number>): string =>
  [...ways].map(([how, files]) => `${count(files, 'file')} by: ${how}`).join('; ')

/**
 * Whether each file of the model is, byte for byte, what the local folder holds: by what was sent and verified in this run
 * (`done`), by the store's own checksums, or by reading small files back. Sizes prove nothing. A stored file that the
 * folder does not hold is not proved either. Reads only; throws `Trouble` where the store or a local file cannot be read.
 */
export const proveContent = async (place: Place, done: readonly Step[], signal?: AbortSignal): Promise<Content> => {
  const { source: tree, store, target } = place
  const declined = (why: string): Content => ({ proved: false, state: 'declined', why })
  if (tree === undefined) {
    const none = place.noSource === undefined ? '' : ` (${place.noSource})`
    return declined(`sizes alone prove no content; give --from${none}`)
  }
  const sent = new Set(
    done
      .filter(
        ({ target: of, action, state }) =>
          of === target.name && (action === 'upload' || action === 'copy') && state === 'verified',
      )
      .map(({ path }) => path),
  )
  const ways = new Map<string, number>()
  const note = (how: string) => ways.set(how, (ways.get(how) ?? 0) + 1)
  let left = mostRead
  for (const [path, { file, bytes: size }] of [...tree.files].toSorted(([, a], [, b]) => a.bytes - b.bytes)) {
    signal?.throwIfAborted()
    if (sent.has(path)) {
      note('compared or sent, and verified, in this run')
      continue
    }
    const { verdict, read } = await compare(place, path, file, left, signal)
    left -= read
    if (verdict.is === 'equal') {
      note(verdict.how)
      continue
    }
    const replace = `--overwrite ${path} replaces what is stored by ${file}`
    if (verdict.is === 'different') {
      return { proved: false, state: 'failed', why: `${path} differs from ${file}: ${verdict.why}. ${replace}` }
    }
    const large = size > left && read === 0 ? `, and it is too large to be read back (${bytes(size)})` : ''
    return declined(`nothing proves the content of ${path}: ${verdict.why}${large}. ${replace}`)
  }
  for await (const { path } of store.list(signal === undefined ? {} : { signal })) {
    if (tree.files.has(path) || path.startsWith(ownFolder)) continue
    return declined(`${path} is stored and is not in ${tree.dir}, so nothing proves its content`)
  }
  return { proved: true, how: inWords(ways) }
}
