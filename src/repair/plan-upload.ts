import { ifTrouble, Trouble } from '../errors.ts'
import type { Step } from '../report.ts'
import { unsafeBecause } from '../stores/path.ts'
import type { StoredFile } from '../stores/store.ts'
import { openSource, type Source } from '../transfer/identity.ts'
import { compareByReading, compareWithLocal, type Verdict } from '../transfer/proof.ts'
import { readBack } from '../transfer/read-back.ts'
import { type FindUploads, sight } from '../transfer/settle.ts'
import { bytes, exactBytes } from '../words.ts'
import { planRestore } from './plan-restore.ts'
import { proveSource } from './prove-source.ts'
import { mayOverwrite, type Place, type Planned, type RepairOptions } from './types.ts'

const otherSource = 'Give --from a folder with a whole one'

const whereLooked = ({ source, noSource, store }: Place, path: string): string => {
  const inStore =
    store.earlier === undefined ? '' : '; the store holds no earlier version and no staged file that proves to be it'
  if (source === undefined) {
    return `no source for it: ${noSource ?? 'no local folder was given'}${inStore}. Give --from a folder that holds it`
  }
  const left = source.problems?.find((problem) => problem.path === path || path.startsWith(`${problem.path}/`))
  if (left === undefined) return `it is not in ${source.dir}${inStore}`
  return `${source.dir}/${left.path} was left out: ${left.why}`
}

/** What is known of an object against the local file, by the store's proof or else by reading it back in ranges. */
const compare = async (
  { store }: Place,
  path: string,
  source: Source,
  { verification, signal }: RepairOptions,
): Promise<Verdict> => {
  const proof = await store.proof(path, signal)
  if (proof === undefined) return { is: 'unknown', why: 'the store tells nothing about it' }
  const told = await compareWithLocal(source, proof, signal)
  if (told.is !== 'unknown') return told
  if (proof.size === source.size) return readBack(verification, { store, path, source, why: told.why }, signal)
  try {
    return await compareByReading(store, path, source, proof.size, signal)
  } catch (error) {
    if (error instanceof Trouble && error.kind === 'unsupported') return told
    throw error
  }
}

interface Replacing {
  readonly state: 'planned' | 'verified' | 'declined'
  readonly because: string
}

/** Whether an object may make way: one that is whole never does, a proved beginning of the source may, all else needs consent. */
const mayReplace = (is: StoredFile, source: Source, verdict: Verdict, consent: boolean, path: string): Replacing => {
  if (verdict.is === 'equal' && is.size === source.size) {
    return { state: 'verified', because: `it is whole already: ${verdict.how}` }
  }
  const held = `${exactBytes(is.size)} are stored, ${exactBytes(source.size)} are here`
  if (verdict.is === 'equal')
    return { state: 'planned', because: `${held}; the stored ones are the beginning of the file` }
  if (consent) return { state: 'planned', because: `${held}; replaced as --overwrite allows` }
  const doubt =
    is.size === source.size ? verdict.why : `${held}, and they are not shown to be its beginning: ${verdict.why}`
  return { state: 'declined', because: `${doubt}. To replace what is stored: --overwrite ${path}` }
}

/** Bodies up to this size pass every proxy that anybody would put before MLflow: its own API sends such ones. */
const harmless = 512 * 1024

/** Why a file cannot go in the one request that this route has, found out before any of it is sent. */
const barredBy = async ({ store, bodyLimit }: Place, size: number): Promise<string | undefined> => {
  if (store.route !== 'proxied-put' || size <= harmless) return undefined
  const limit = await bodyLimit?.()
  if (limit === undefined || size <= limit.accepted) return undefined
  const todo = `mlflow-doctor check --size ${size} prints the line to change; with credentials for the store behind the server, --artifacts-destination goes round it`
  return `${limit.by} takes request bodies of at most ${exactBytes(limit.accepted)} (413 above), the file has ${exactBytes(size)}, and this route has one request for all of it. Nothing was sent. ${todo}`
}

/** One file that is wanted: from where, over what, and whether it may. Sends nothing. */
export const planUpload = async (
  place: Place,
  path: string,
  sizes: ReadonlySet<number>,
  options: RepairOptions,
  find?: FindUploads,
): Promise<Planned> => {
  const { store, target, source: tree, listed, manifest } = place
  const { signal, sightings } = options
  const entry = tree?.files.get(path)
  const expected = Math.max(0, ...sizes)
  const common = { target: target.name, path, action: 'upload', route: store.route, effect: 'adds' } as const
  const step: Step = { ...common, bytes: entry?.bytes ?? expected, sent: 0, reused: 0, state: 'planned' }
  const failed = (because: string): Planned => ({ do: 'upload', step: { ...step, state: 'failed', because } })

  const unsafe = unsafeBecause(path)
  if (unsafe !== undefined) return failed(`refused as a path: ${unsafe}`)
  if (entry === undefined) {
    // A place that cannot be looked into offers no source; the step says where else it looked.
    const kept = await planRestore(place, path, sizes, options).catch(ifTrouble)
    return kept ?? failed(whereLooked(place, path))
  }
  const wrong = [...sizes].find((size) => size !== entry.bytes)
  if (wrong !== undefined) {
    return failed(`${entry.file} has ${exactBytes(entry.bytes)}, and ${exactBytes(wrong)} are expected`)
  }
  try {
    const barred = await barredBy(place, entry.bytes)
    if (barred !== undefined) return failed(barred)
    const source = await openSource(entry.file)
    try {
      const consent = mayOverwrite(options, target, path)
      const proof = place.proveSources ? await proveSource(source, path, manifest?.files.get(path), signal) : undefined
      // Consent names this very file.
      if (proof?.is === 'refused' && !consent) {
        return failed(`${entry.file} is refused as a source: ${proof.why}. ${otherSource}`)
      }
      if (proof?.is === 'unknown' && place.sourceShort !== undefined && !consent) {
        return failed(`${entry.file} is refused as a source: ${place.sourceShort}. ${otherSource}`)
      }
      const shown = tree?.origin === undefined ? entry.file : `${entry.file} (${tree.origin})`
      const how = proof?.is === 'proved' ? { because: `the source is proved: ${proof.how}` } : {}
      const from = { ...step, bytes: source.size, source: shown, ...how }
      const there = { do: 'upload', file: entry.file, identity: source.identity } as const
      const replaces = listed === undefined ? await store.stat(path, signal) : listed.get(path)
      if (replaces === undefined) {
        // What is smaller than a part is sent in one request by every client.
        const mayBeBegun = store.kind === 'folder' || source.size >= store.limits.minPart
        const candidates = mayBeBegun ? await sight(store, path, sightings, signal, find) : []
        const held = Math.max(0, ...candidates.map(({ parts }) => parts.reduce((sum, part) => sum + part.size, 0)))
        const because = `an unfinished upload holds ${bytes(held)}; what of it matches is not sent again`
        return { ...there, step: held === 0 ? from : { ...from, because } }
      }
      const verdict = await compare(place, path, source, options)
      const decision = mayReplace(replaces, source, verdict, consent, path)
      if (decision.state === 'verified') return { ...there, step: { ...from, reused: source.size, ...decision } }
      if (decision.state === 'planned') await sight(store, path, sightings, signal, find)
      return { ...there, replaces, step: { ...from, effect: 'overwrites', ...decision } }
    } finally {
      await source.close()
    }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return failed(`${error.why}. ${error.todo}`)
  }
}
