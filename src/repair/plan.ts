import type { Want } from '../check.ts'
import { each } from '../needs/each.ts'
import type { Step } from '../report.ts'
import { sharedFolder } from '../stores/abort-rule.ts'
import { manifestPath } from '../transfer/manifest.ts'
import { uploadFinder } from '../transfer/settle.ts'
import { planRule } from './lifecycle-rule.ts'
import { planAbort } from './plan-abort.ts'
import { planUpload } from './plan-upload.ts'
import { mayOverwrite, type Place, type Planned, type RepairOptions } from './types.ts'
import { mergeWants, type Wanted } from './wants.ts'

/** True for a step that is done or can be: nothing in the way of what depends on it. */
const isHopeful = ({ state }: Step): boolean => state !== 'failed' && state !== 'declined'

export const isModelFile = (path: string): boolean => path === 'MLmodel' || path.endsWith('/MLmodel')

/**
 * Small files first: by them a proxied store finds out whether large ones can be read back. MLmodel goes last, so that a
 * model never looks complete before its data is there.
 */
const inOrder = (uploads: readonly Planned[]): Planned[] =>
  uploads.toSorted(
    ({ step: a }, { step: b }) =>
      Number(isModelFile(a.path)) - Number(isModelFile(b.path)) || a.bytes - b.bytes || (a.path < b.path ? -1 : 1),
  )

const planReady = (place: Place, modelId: string, before: readonly Planned[]): Planned => {
  const common = { target: place.target.name, path: '', action: 'set-ready', effect: 'changes-status' } as const
  const step: Step = { ...common, bytes: 0, sent: 0, reused: 0, state: 'planned' }
  const hopeless = before.filter(({ step }) => !isHopeful(step))
  const because =
    place.tracking === undefined
      ? 'no tracking store is known that holds this model'
      : place.target.model?.modelId !== modelId
        ? `${modelId} is not the model of this target`
        : hopeless.length > 0
          ? `${hopeless.length} of its files cannot be restored`
          : place.source === undefined
            ? `sizes alone prove no content; give --from${place.noSource === undefined ? '' : ` (${place.noSource})`}`
            : undefined
  return { do: 'ready', modelId, step: because === undefined ? step : { ...step, state: 'declined', because } }
}

/** Planned only where something is to be sent: a target that is whole is not written to. */
const planManifest = (
  { target, store }: Place,
  uploads: readonly Planned[],
  { manifest }: RepairOptions,
): Planned[] => {
  const todo = uploads.some((planned) => planned.do === 'upload' && planned.step.state === 'planned')
  if (manifest === 'none' || !todo || !uploads.every(({ step }) => isHopeful(step))) return []
  const common = { target: target.name, path: manifestPath, action: 'write-manifest', effect: 'adds' } as const
  return [{ do: 'manifest', step: { ...common, route: store.route, bytes: 0, sent: 0, reused: 0, state: 'planned' } }]
}

/** A file that may be replaced is compared, and sent where it differs, also when no check can tell that it does. */
const withOverwritten = (
  files: Wanted['files'],
  { source, target }: Place,
  options: RepairOptions,
): Wanted['files'] => {
  const all = new Map(files)
  for (const path of source?.files.keys() ?? []) {
    if (mayOverwrite(options, target, path) && !all.has(path)) all.set(path, new Set())
  }
  return all
}

/** Once for each bucket and experiment. */
const planRules = async (places: readonly Place[], signal?: AbortSignal): Promise<Planned[]> => {
  const rules: Planned[] = []
  const seen = new Set<string>()
  for (const place of places) {
    const shared = sharedFolder(place.store.uri)
    if (seen.has(shared)) continue
    seen.add(shared)
    const planned = await planRule(place, signal)
    if (planned !== undefined) rules.push(planned)
  }
  return rules
}

/** What would be done for these wants, as plain data: this is the dry run. Reads stores and local files, changes nothing. */
export const plan = async (
  wants: readonly Want[],
  places: readonly Place[],
  options: RepairOptions,
): Promise<readonly Planned[]> => {
  const planned: Planned[] = []
  const last: Planned[] = []
  for (const place of places) {
    const wanted = mergeWants(wants, place.target.name)
    const uploads: Planned[] = []
    // For few files, a listing of the whole root may cost more than it saves.
    const find = wanted.files.size > 3 ? uploadFinder(place.store, options.signal) : undefined
    await each(withOverwritten(wanted.files, place, options), async ([path, sizes]) => {
      options.signal?.throwIfAborted()
      uploads.push(await planUpload(place, path, sizes, options, find))
    })
    planned.push(...inOrder(uploads), ...planManifest(place, uploads, options))
    for (const upload of wanted.uploads) {
      const takenUp = uploads.some(({ step }) => step.path === upload.path && step.state === 'planned')
      const abort = await planAbort(place, upload, takenUp, options)
      if (abort !== undefined) planned.push(abort)
    }
    last.push(...wanted.models.map((modelId) => planReady(place, modelId, uploads)))
  }
  if (options.addLifecycleRule === true) planned.push(...(await planRules(places, options.signal)))
  return [...planned, ...last]
}
