import { defineCheck } from '../../src/check.ts'
import { modelBundle } from '../../src/needs/declarations.ts'
import { bytes, count } from '../../src/words.ts'
import { baseName, type Folder, needless, type Planned } from './bundled/needless.ts'

type Bundle = typeof modelBundle extends { readonly is?: infer V } ? NonNullable<V> : never
type Pickle = Bundle['pickles'][number]

/**
 * Bytes from which on something is worth telling: as much as this tool's own canaries may send at most (`--traffic`), which
 * no upload notices. In smaller models a tenth is told, from 10 MB on. Both are judgement, not measured.
 */
const notable = { bytes: 100_000_000, least: 10_000_000, share: 0.1 }
/** Names in one sentence. */
const named = 3

const facts = { couldSave: 'bytes', held: 'bytes', files: 'count', attribute: 'text', className: 'text' } as const

/** Tables, which hold data to learn from; arrays and tensors may be what was learnt. */
const table =
  /^(pandas|polars|pyarrow|dask|xarray|datasets)\b.*(Frame|Series|Table|RecordBatch|Dataset|DataArray|Array)$/

export default defineCheck({
  id: 'model/bundle',
  title: 'The model folder holds nothing large that does not belong to the model',
  severity: 'warning',
  on: ['check'],
  needs: [modelBundle],
  wants: [],
  facts,
  explain: {
    measures:
      'Looks through the folder that `--model` names, by names, sizes and a few reads: environments, repositories and caches; Hugging Face caches with blobs and snapshots; states of optimizers; checkpoints beside final weights; the same weights in several formats; data beside the code; a large input example; files that are the same (as a whole up to 16 MiB, above by size and by the first and last MiB). Pickles are walked opcode by opcode, never executed: what weighs in them is told with its class and the attribute or variable that it hangs on. Told is what weighs 100 MB, or a tenth of a smaller model and 10 MB.',
    breaks:
      'A pyfunc model that drags its training data along is uploaded with it at every log_model, and meets limits that the model alone would not. cloudpickle writes out every attribute of the model and every global variable that its methods name.',
    remedy:
      'Set such attributes to None before logging, or leave them out in __getstate__; name single packages in code_paths; log one format of the weights. Files that the model needs to predict go in artifacts={...}: these are uploaded, too, but not unpickled.',
  },
  async *run({ modelBundle: bundle }) {
    const { dir, total, files, model, twins } = bundle
    const at = (path: string) => `${dir.replace(/\/+$/, '')}/${path}`
    const share = (part: number) => `${Math.round((100 * part) / Math.max(1, total))} % of the upload`
    const counts = (size: number) =>
      size >= notable.bytes || (size >= notable.least && size >= notable.share * total && size > 0)
    const code = model?.refers.find(({ by }) => by.endsWith('.code'))?.path
    const examples = model?.refers.filter(({ needed }) => needed === 'example').map(({ path }) => path)
    const folder: Folder = { code: code === undefined ? undefined : `${code}/`, examples: new Set(examples) }

    const claimed = new Set<string>()
    let saved = 0
    let told = 0
    for (const row of needless) {
      const found = row.claims(
        files.filter(({ path }) => !claimed.has(path)),
        folder,
      )
      for (const { path } of found) claimed.add(path)
      const couldSave = sum(found)
      const [largest] = byWeight(found)
      if (largest === undefined || !counts(couldSave)) continue
      saved += couldSave
      told += 1
      yield {
        kind: 'finding',
        at: at(largest.path),
        says: `${bytes(couldSave)} in ${count(found.length, 'file')} (${share(couldSave)}) are ${row.what}: ${listed(found)}`,
        facts: { couldSave, files: found.length },
        remedy: row.remedy,
      }
    }

    const again = twins
      .map(({ paths, ...twin }) => ({ ...twin, paths: paths.filter((path) => !claimed.has(path)) }))
      .filter(({ paths, bytes: size }) => counts(size * (paths.length - 1)))
    for (const { paths, bytes: size, proof } of again) {
      const couldSave = size * (paths.length - 1)
      // What only looks the same is not counted as if it were.
      const proved = proof !== 'ends'
      if (proved) {
        saved += couldSave
        told += 1
      }
      yield {
        kind: 'finding',
        at: at(paths[0] ?? ''),
        ...(!proved && { severity: 'info' as const }),
        says: `${paths.slice(0, named).join(', ')}${more(paths.length)} ${sameness[proof]}, ${bytes(size)} each: ${share(couldSave)}`,
        facts: { couldSave, files: paths.length },
        remedy: {
          text: !proved
            ? 'Compare them as a whole, and log the file once where they are equal: under one name in artifacts={...}, and not in the pickle, in code_paths or in a second folder.'
            : 'Log the file once: under one name in artifacts={...}, and not in code_paths or in a second folder.',
        },
      }
    }

    const walked = bundle.pickles.filter(({ path }) => !claimed.has(path))
    for (const pickle of walked) {
      const pyfunc = isPyfunc(bundle, pickle)
      const tables = pickle.scan.holdings.filter(({ className }) => table.test(className))
      const couldSave = tables.reduce((all, { bytes: size }) => all + size, 0)
      const [first] = tables
      if (first !== undefined && counts(couldSave)) {
        saved += couldSave
        told += 1
        yield {
          kind: 'finding',
          at: at(pickle.path),
          says: `the pickle of ${bytes(pickle.bytes)} holds ${bytes(couldSave)} of tables (${share(couldSave)}): ${hanging(tables)}`,
          facts: { couldSave, held: couldSave, attribute: first.path, className: first.className },
          remedy: {
            text: 'If the model does not need them to predict, set these attributes to None before it is logged, or leave them out in __getstate__; pass data to methods in place of global variables, which cloudpickle writes out with the methods that name them. A model that is logged as code (python_model="model.py") has no pickle at all.',
          },
        }
      }
      const others = pickle.scan.holdings.filter(({ className }) => !table.test(className))
      const other = pyfunc ? inArrays(pickle, others) : undefined
      if (other !== undefined && counts(other.held)) {
        yield {
          kind: 'finding',
          at: at(pickle.path),
          severity: 'info',
          says: `the pickle of ${bytes(pickle.bytes)} holds ${bytes(other.held)} (${share(other.held)}) in ${other.where}`,
          facts: {
            held: other.held,
            ...(other.attribute !== undefined && { attribute: other.attribute }),
            className: other.className,
          },
          remedy: {
            text: 'What only the training needs, leave out in __getstate__. Weights are better saved to a file of their own, passed in artifacts={...} and loaded in load_context: the upload weighs the same, but a file can be sent in parts, compared and replaced alone, and is loaded without unpickling it.',
          },
        }
      }
      if (pickle.scan.verdict === 'unknown' && counts(pickle.bytes)) {
        yield {
          kind: 'gap',
          at: at(pickle.path),
          cannot: 'see',
          because: `the opcodes of this pickle were walked up to byte ${pickle.scan.walked} of ${pickle.bytes} (${pickle.scan.why ?? 'no reason known'}), so what hangs where in it is not known`,
          unexpected: false,
        }
      }
    }
    for (const { path, why } of bundle.unread) {
      yield { kind: 'gap', at: at(path), cannot: 'see', because: `it cannot be read: ${why}`, unexpected: true }
    }
    if (told > 1) {
      yield {
        kind: 'finding',
        at: dir,
        severity: 'info',
        says: `without all of that the upload would weigh ${bytes(total - saved)} in place of ${bytes(total)}`,
        facts: { couldSave: saved },
        remedy: { text: 'Save the model anew without it, and run the check on the new folder.' },
      }
    }
  },
})

const sameness: Readonly<Record<Bundle['twins'][number]['proof'], string>> = {
  link: 'are one file under several names, and copied once for each',
  hash: 'hold the same bytes',
  ends: 'have the same size and the same first and last MiB',
}

const sum = (files: readonly Planned[]): number => files.reduce((all, { bytes: size }) => all + size, 0)
const byWeight = (files: readonly Planned[]): readonly Planned[] => files.toSorted((a, b) => b.bytes - a.bytes)
const more = (all: number): string => (all > named ? ` and ${all - named} more` : '')

const listed = (files: readonly Planned[]): string =>
  `${byWeight(files)
    .slice(0, named)
    .map(({ path, bytes: size }) => `${path} (${bytes(size)})`)
    .join(', ')}${more(files.length)}`

const hanging = (holdings: Pickle['scan']['holdings']): string =>
  `${holdings
    .slice(0, named)
    .map(({ path, className, bytes: size }) => `${path} (${className}, ${bytes(size)})`)
    .join(', ')}${more(holdings.length)}`

/** The pickle that cloudpickle makes of a PythonModel. Other flavors' pickles hold what was learnt, as they should. */
const isPyfunc = ({ model }: Bundle, { path }: Pickle): boolean =>
  model === undefined
    ? baseName(path) === 'python_model.pkl'
    : model.refers.some((refers) => refers.path === path && refers.by === 'flavors.python_function.python_model')

interface Other {
  readonly held: number
  readonly where: string
  readonly className: string
  readonly attribute?: string
}

/** What weighs in the pickle besides tables: by name where names are known, else by class. */
const inArrays = ({ scan }: Pickle, others: Pickle['scan']['holdings']): Other | undefined => {
  const [first] = others
  if (first !== undefined) {
    const held = others.reduce((all, { bytes: size }) => all + size, 0)
    return { held, where: hanging(others), className: first.className, attribute: first.path }
  }
  const [blob] = scan.holdings.length === 0 ? scan.blobs : []
  if (blob === undefined) return undefined
  return {
    held: scan.blobs.reduce((all, { bytes: size }) => all + size, 0),
    where: scan.blobs
      .slice(0, named)
      .map(({ className, bytes: size }) => `${className} (${bytes(size)})`)
      .join(', '),
    className: blob.className,
  }
}
