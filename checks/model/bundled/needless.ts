/** What ends up in model folders by accident, known by its path. Each row claims files; a file is claimed by the first row that knows it. */
import type { Remedy } from '../../../src/check.ts'

export interface Planned {
  readonly path: string
  /** Bytes. */
  readonly bytes: number
}

/** What is known of the folder besides its files. */
export interface Folder {
  /** Where the model's own code lies, ending in `/`; undefined where it has none. */
  readonly code: string | undefined
  /** Files of the input example. */
  readonly examples: ReadonlySet<string>
}

interface Needless {
  /** Completes "1.2 GiB in 3 files are …". */
  readonly what: string
  readonly remedy: Remedy
  claims(files: readonly Planned[], folder: Folder): readonly Planned[]
}

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

const matching =
  (pattern: RegExp): Needless['claims'] =>
  (files) =>
    files.filter(({ path }) => pattern.test(path))

/** Files of weights, by the endings that the usual libraries write. */
const weights = /\.(safetensors|bin|pt|pth|h5|keras|msgpack|onnx|gguf)$/

const trainingState =
  /(^|\/)(optimizer(_\d+)?\.(pt|bin|pth|safetensors)|scheduler\.(pt|bin)|scaler\.pt|rng_state(_\d+)?\.pth|random_states_\d+\.pkl|[^/]*optim_states\.pt|[^/]*\.optim)$|(^|\/)optimizer_\d+\//

/** The folder that an environment lies in is the one with `pyvenv.cfg` (PEP 405). */
const environments = (files: readonly Planned[]): readonly string[] =>
  files.filter(({ path }) => /(^|\/)pyvenv\.cfg$/.test(path)).map(({ path }) => folderOf(path))

/** Checkpoints of Transformers, DeepSpeed and Lightning. */
const checkpointFolder = /^(.*?)(checkpoint-\d+|global_step\d+|epoch=\d+[^/]*)\//

/** Names under which `save_pretrained` and the hub keep one and the same weights in several formats, the preferred one first. */
const families: readonly (readonly RegExp[])[] = [
  [
    /^model(-\d+-of-\d+)?\.safetensors$/,
    /^pytorch_model(-\d+-of-\d+)?\.bin$/,
    /^tf_model(-\d+-of-\d+)?\.h5$/,
    /^flax_model(-\d+-of-\d+)?\.msgpack$/,
    /^rust_model\.ot$/,
    /^consolidated(\.\d+)?\.(pth|safetensors)$/,
  ],
  [/^diffusion_pytorch_model(-\d+-of-\d+)?\.safetensors$/, /^diffusion_pytorch_model(-\d+-of-\d+)?\.bin$/],
  [/^adapter_model(-\d+-of-\d+)?\.safetensors$/, /^adapter_model(-\d+-of-\d+)?\.bin$/],
]

/** What belongs to source code however large: sources and the libraries that they load. */
const ofCode = /\.(py|pyi|pyx|pyd|so(\.\d+)*|dll|dylib|jar|whl|c|h|cc|cpp|cu|cuh|rs|js|ts)$/i
/** Bytes; smaller files beside code are settings and texts. */
const largeBesideCode = 1_000_000

export const needless: readonly Needless[] = [
  {
    what: 'environments, repositories, caches and records of runs, which no model loads',
    remedy: {
      text: 'Name packages and files in code_paths, never the root of a project: what MLflow is given as a folder it copies whole, __pycache__ alone excepted. The libraries belong in pip_requirements.',
    },
    claims: (files) => {
      const roots = environments(files)
      const pattern =
        /(^|\/)(\.git|\.hg|\.svn|node_modules|__pycache__|\.(mypy|pytest|ruff)_cache|\.ipynb_checkpoints|\.tox|\.nox|mlruns|mlartifacts|wandb|lightning_logs)\/|\.incomplete$/
      return files.filter(
        ({ path }) => pattern.test(path) || roots.some((root) => root !== '' && path.startsWith(root)),
      )
    },
  },
  {
    what: 'blobs of a Hugging Face cache, whose snapshots hold the same files once more: links in the cache become copies when MLflow copies the folder',
    remedy: {
      text: 'Log one snapshot and not the cache: pass the folder that huggingface_hub.snapshot_download(repo_id, local_dir=...) fills. Unchanged weights need no upload at all where the place that serves the model reaches the hub: call from_pretrained(repo_id, revision=...) in load_context.',
    },
    claims: (files) => {
      const inCache = files.flatMap((file) => {
        const [, root, kind] = /^(.*?models--[^/]+\/)(blobs|snapshots)\//.exec(file.path) ?? []
        return root === undefined ? [] : [{ file, root, kind }]
      })
      const withSnapshots = new Set(inCache.flatMap(({ root, kind }) => (kind === 'snapshots' ? [root] : [])))
      return inCache.flatMap(({ file, root, kind }) => (kind === 'blobs' && withSnapshots.has(root) ? [file] : []))
    },
  },
  {
    what: 'states of optimizers and of the training loop, needed only to go on training',
    remedy: {
      text: 'Log what save_pretrained or torch.save(model.state_dict()) writes; leave the states where the training keeps its checkpoints.',
    },
    claims: matching(trainingState),
  },
  {
    what: 'checkpoints of the training beside the final weights',
    remedy: {
      text: 'Log the folder of the final model alone; give the Trainer another output_dir, or set save_only_model and save_total_limit.',
    },
    claims: (files) => {
      const final = new Map<string, number>()
      const spots = files.map((file) => {
        const above = checkpointFolder.exec(file.path)?.[1]
        if (above === undefined && weights.test(file.path)) {
          const folder = folderOf(file.path)
          final.set(folder, (final.get(folder) ?? 0) + file.bytes)
        }
        return { file, above }
      })
      /** Final weights beside a checkpoint, which they weigh half as much as at least: else they may be something small of their own. */
      const within = (above: string) => {
        const inside = spots.reduce(
          (most, one) => (one.above === above && weights.test(one.file.path) ? Math.max(most, one.file.bytes) : most),
          0,
        )
        return (final.get(above) ?? 0) >= Math.max(1, inside / 2)
      }
      const judged = new Map<string, boolean>()
      const replaced = (above: string) => {
        const known = judged.get(above) ?? within(above)
        judged.set(above, known)
        return known
      }
      const lightning = files.filter(({ path }) => path.endsWith('.ckpt') && (final.get(folderOf(path)) ?? 0) > 0)
      const beside = lightning.filter(({ path, bytes }) => (final.get(folderOf(path)) ?? 0) >= bytes / 8)
      return [...spots.flatMap(({ file, above }) => (above !== undefined && replaced(above) ? [file] : [])), ...beside]
    },
  },
  {
    what: 'the same weights in further formats',
    remedy: {
      text: 'Keep one format: model.save_pretrained(folder, safe_serialization=True) writes safetensors alone, and snapshot_download takes ignore_patterns=["*.bin", "*.h5", "*.msgpack", "*.ot", "original/*"].',
    },
    claims: (files) => {
      const folders = new Map<string, Planned[]>()
      for (const file of files) {
        const folder = folderOf(file.path)
        const inside = folders.get(folder)
        if (inside) inside.push(file)
        else folders.set(folder, [file])
      }
      return [...folders.values()].flatMap((inside) =>
        families.flatMap((formats) => {
          const found = formats.map((pattern) => inside.filter(({ path }) => pattern.test(baseName(path))))
          return found
            .filter(({ length }) => length > 0)
            .slice(1)
            .flat()
        }),
      )
    },
  },
  {
    what: 'data that lie beside the code of the model',
    remedy: {
      text: 'Name single packages and files in code_paths. What the model reads when it predicts belongs in artifacts={...} and is found in context.artifacts; what only the training reads, nowhere in the model.',
    },
    claims: (files, { code }) =>
      code === undefined
        ? []
        : files.filter(({ path, bytes }) => path.startsWith(code) && bytes >= largeBesideCode && !ofCode.test(path)),
  },
  {
    what: 'the input example, which is stored as it is given',
    remedy: { text: 'Pass a few rows: input_example=data.head(5).' },
    claims: (files, { examples }) => files.filter(({ path }) => examples.has(path)),
  },
]
