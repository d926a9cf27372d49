import { randomBytes } from 'node:crypto'
import { cp, mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Bytes of the data file of each model: large enough for several chunks, small enough for any machine. */
const dataBytes = 24 * 1024 * 1024

/** An empty Python dictionary in pickle protocol 4, framed as Python writes it: a stand-in for the wrapper class. */
const pickle = Buffer.from([0x80, 4, 0x95, 2, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x2e])

/** The files of a pyfunc model as `mlflow.pyfunc.log_model` of MLflow 3.17.2 lays them out. */
export const writeModel = async (dir: string, modelId: string, runId: string): Promise<void> => {
  const files: Record<string, string | Uint8Array> = {
    'artifacts/weights.bin': randomBytes(dataBytes),
    'python_model.pkl': pickle,
    'requirements.txt': 'mlflow==3.17.2\n',
    'conda.yaml':
      'channels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip\n- pip:\n  - mlflow==3.17.2\nname: mlflow-env\n',
    'python_env.yaml': 'python: 3.11.7\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n',
    MLmodel: [
      'flavors:',
      '  python_function:',
      '    artifacts:',
      '      weights:',
      '        path: artifacts/weights.bin',
      '        uri: /training/weights.bin',
      '    env:',
      '      conda: conda.yaml',
      '      virtualenv: python_env.yaml',
      '    loader_module: mlflow.pyfunc.model',
      '    python_model: python_model.pkl',
      'mlflow_version: 3.17.2',
      `model_id: ${modelId}`,
      `model_size_bytes: ${dataBytes + pickle.length}`,
      `run_id: ${runId}`,
      '',
    ].join('\n'),
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}

/** What happened to a model on its way into the store. */
export interface Damage {
  readonly name: string
  readonly story: string
  readonly status: 'PENDING' | 'READY' | 'UPLOAD_FAILED'
  /** Does to the stored folder what the failure did. */
  harm(stored: string): Promise<void>
}

const data = 'artifacts/weights.bin'

export const damages: readonly Damage[] = [
  { name: 'whole', story: 'logged without trouble', status: 'READY', harm: async () => {} },
  {
    name: 'killed',
    story: 'the client was killed before the data file was sent',
    status: 'PENDING',
    harm: (stored) => rm(join(stored, data)),
  },
  {
    name: 'truncated',
    story: 'the data file was cut in the middle, and the model says READY: it loads without an error',
    status: 'READY',
    harm: (stored) => truncate(join(stored, data), dataBytes / 2 + 12_345),
  },
  {
    name: 'refused',
    story: 'a proxy answered 413; the client gave up, and left a staged file that no listing shows',
    status: 'UPLOAD_FAILED',
    harm: async (stored) => {
      await cp(join(stored, data), join(stored, 'artifacts/.artifact.uploading.k2v9'))
      await truncate(join(stored, 'artifacts/.artifact.uploading.k2v9'), 1_000_000)
      await rm(join(stored, data))
    },
  },
  {
    name: 'empty',
    story: 'a request without a body left a zero-byte pickle',
    status: 'READY',
    harm: (stored) => truncate(join(stored, 'python_model.pkl'), 0),
  },
]
