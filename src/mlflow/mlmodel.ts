import { Lexer, parseDocument } from 'yaml'
import { Trouble } from '../errors.ts'
import { unsafeBecause } from '../stores/path.ts'
import { exampleKeys, type FileKey, fileKeysOf } from './flavors.ts'
import { schemeOf } from './location.ts'

/** What an MLmodel file promises about the folder that it lies in. */
export interface ModelFile {
  readonly modelId?: string
  readonly runId?: string
  /** The folder of the run's artifacts that it was logged to by MLflow 2; absent where the file names an address, as MLflow 3 does. */
  readonly artifactPath?: string
  readonly mlflowVersion?: string
  readonly flavors: readonly string[]
  /** Paths that must exist below the root, each with the key that names it. `folder` when it may be a folder. */
  readonly refers: readonly {
    readonly path: string
    readonly by: string
    readonly needed: 'loading' | 'environment' | 'example'
    /** The file that reads it in its turn, where MLmodel itself names that one only. */
    readonly through?: string
  }[]
  /** Referred paths that leave the model's folder: never followed, never sent. */
  readonly refused: readonly { readonly path: string; readonly by: string; readonly why: string }[]
  /** Bytes, of the files that count (facts: all but MLmodel, the environment files and, for pyfunc alone, code/). */
  readonly modelSize?: number
  /** True when `modelSize` leaves `code/` out. */
  readonly codeUncounted: boolean
}

/** Bytes. MLmodel files hold names and signatures: real ones are a few KiB. */
const largest = 1024 * 1024
/** Nesting of brackets, of dashes on one line, and columns of indentation: far above any real file, far below what the parser's recursion bears. */
const deepest = { brackets: 64, dashes: 16, indent: 512 }
/** Anchors and aliases together; resolving them takes the parser quadratic time, and MLflow writes hardly any. */
const mostAliases = 100
/** Pieces of YAML syntax: bounds the parser's time; the signature of a model with 10,000 columns is one of them. */
const mostTokens = 200_000

const malformed = (why: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what: 'cannot read the MLmodel file',
    why,
    todo: 'Look at the file: it is damaged, or MLflow did not write it',
  })

/** Bounds what the parser recurses into and repeats, by its own lexer, so that brackets inside of strings do not count. */
const checkShape = (text: string): void => {
  let brackets = 0
  let dashes = 0
  let atStart = true
  let aliases = 0
  let tokens = 0
  for (const token of new Lexer().lex(text)) {
    tokens += 1
    if (tokens > mostTokens) throw malformed('it has too many parts')
    if (token.startsWith('&') || token.startsWith('*')) aliases += 1
    if (aliases > mostAliases) throw malformed('it has too many anchors and aliases')
    if (token === '[' || token === '{') brackets += 1
    else if (token === ']' || token === '}') brackets -= 1
    else if (token === '-' || token === '?') dashes += 1
    else if (token === '\n' || token === '\r\n') dashes = 0
    else if (atStart && /^ +$/.test(token) && token.length > deepest.indent) throw malformed('it is nested too deeply')
    atStart = token.endsWith('\n')
    if (brackets > deepest.brackets || dashes > deepest.dashes) throw malformed('it is nested too deeply')
  }
}

type Entries = ReadonlyMap<unknown, unknown>

const rootOf = (text: string): Entries => {
  if (text.length > largest || Buffer.byteLength(text) > largest) throw malformed('it is larger than 1 MiB')
  let root: unknown
  try {
    checkShape(text)
    // Looking for keys that come twice would take quadratic time; Python, too, lets the last one win.
    const document = parseDocument(text, { logLevel: 'silent', uniqueKeys: false })
    const problem = document.errors[0] ?? document.warnings[0]
    // A warning is an unknown tag, which would have Python make an object.
    if (problem) throw malformed(`it is not plain YAML (${problem.code})`)
    root = document.toJS({ mapAsMap: true, maxAliasCount: mostAliases })
  } catch (error) {
    if (error instanceof Trouble) throw error
    throw malformed('it is not plain YAML')
  }
  if (!(root instanceof Map)) throw malformed('it is not a YAML mapping')
  return root
}

/** The values under `a.b[*].c`, each with the key that leads to it written out. */
const valuesAt = (value: unknown, key: string, by: string): { value: unknown; by: string }[] => {
  const step = /^([^.[]*)(\[\*\])?\.?(.*)$/s.exec(key)
  const [name = '', all, rest = ''] = step?.slice(1) ?? []
  const found = value instanceof Map ? value.get(name) : undefined
  if (found === undefined || found === null) return []
  const here = `${by}.${name}`
  const next: [unknown, string][] = !all
    ? [[found, here]]
    : found instanceof Map
      ? [...found].map(([k, v]) => [v, `${here}.${String(k)}`])
      : Array.isArray(found)
        ? found.map((v, i) => [v, `${here}[${i}]`])
        : []
  return next.flatMap(([v, at]) => (rest === '' ? [{ value: v, by: at }] : valuesAt(v, rest, at)))
}

/** Why a path must not be followed, or undefined where it stays inside of the model. */
const unsafe = (path: string): string | undefined => {
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return 'it holds control characters'
  if (path.includes('\\')) return 'it holds a backslash'
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'it is absolute'
  if (/^[A-Za-z][\w+.-]*:/.test(path)) return 'it is a URI'
  if (path.startsWith('~')) return 'it begins with a home folder'
  const parts = path.split('/')
  if (parts.includes('..')) return 'it leads out of the model'
  if (parts.some((part) => part === '.' || part === '')) return 'it has an empty or a "." part'
  return path.length > 1024 ? 'it is longer than 1024 characters' : undefined
}

/** Printable, on one line and of bounded length: such names end up in messages. */
const tame = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 300)

interface Collected {
  readonly refers: Map<string, ModelFile['refers'][number]>
  readonly refused: Map<string, ModelFile['refused'][number]>
}

const collect = (into: Collected, holder: unknown, by: string, keys: readonly FileKey[]): void => {
  for (const one of keys) {
    if (one.withKey !== undefined && valuesAt(holder, one.withKey, by).length === 0) continue
    for (const found of valuesAt(holder, one.key, by)) {
      if (typeof found.value !== 'string' || found.value === '') continue
      const plain = one.byName ? (found.value.split(/[/\\]/).at(-1) ?? '') : found.value.replace(/\/+$/, '')
      const path = one.inside === undefined ? plain : `${one.inside}/${plain}`
      const why = path === '' ? 'it names the root of a file system' : unsafe(path)
      const at = tame(found.by)
      if (why !== undefined) into.refused.set(path, into.refused.get(path) ?? { path: tame(path), by: at, why })
      else if (!into.refers.has(path)) into.refers.set(path, { path, by: at, needed: one.needed })
    }
  }
}

const word = (root: Entries, key: string): string | undefined => {
  const value = root.get(key)
  return typeof value === 'string' && value !== '' && value.length <= 300 && !/[\u0000-\u001f\u007f]/.test(value)
    ? value
    : undefined
}

/**
 * What the text of an MLmodel file says. The text is hostile until shown otherwise: size, nesting and aliases are bounded,
 * and a path that could leave the model's folder is only reported.
 * @throws Trouble `unexpected-answer` where it is no MLmodel.
 */
export const parseModelFile = (text: string): ModelFile => {
  const root = rootOf(text)
  const flavorMap = root.get('flavors')
  if (!(flavorMap instanceof Map)) throw malformed('it has no flavors')
  const into: Collected = { refers: new Map(), refused: new Map() }
  const flavors: string[] = []
  for (const [name, flavor] of flavorMap as Entries) {
    if (typeof name !== 'string') continue
    flavors.push(tame(name))
    collect(into, flavor, `flavors.${name}`, fileKeysOf(name))
  }
  collect(into, root.get('saved_input_example_info'), 'saved_input_example_info', exampleKeys)
  // Every flavor of MLflow 3.17.2 that writes python_env.yaml has it read the requirements.txt beside it (`_PythonEnv.current`).
  for (const { path, by } of [...into.refers.values()]) {
    if (!by.endsWith('.env.virtualenv')) continue
    const read = `${path.slice(0, path.lastIndexOf('/') + 1)}requirements.txt`
    if (!into.refers.has(read)) into.refers.set(read, { path: read, by, needed: 'environment', through: path })
  }

  const modelId = word(root, 'model_id')
  const runId = word(root, 'run_id')
  const at = word(root, 'artifact_path')
  const artifactPath = at !== undefined && schemeOf(at) === '' && unsafeBecause(at) === undefined ? at : undefined
  const mlflowVersion = word(root, 'mlflow_version')
  const size = root.get('model_size_bytes')
  return {
    ...(modelId === undefined ? {} : { modelId }),
    ...(runId === undefined ? {} : { runId }),
    ...(artifactPath === undefined ? {} : { artifactPath }),
    ...(mlflowVersion === undefined ? {} : { mlflowVersion }),
    flavors,
    refers: [...into.refers.values()],
    refused: [...into.refused.values()],
    ...(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? { modelSize: size } : {}),
    // pyfunc.save_model adds up the files before it copies the code; every other flavor afterwards.
    codeUncounted: flavors.length === 1 && flavors[0] === 'python_function',
  }
}
