/**
 * What an MLflow server of certain versions does with large uploads that go through it. `from` is the first version that
 * does it, `before` the first that does not. Defects of the client are in `checks/client/data`.
 */

/** The program that answers HTTP: gunicorn is the only one up to 3.2, uvicorn the default from 3.3.0 on (server/__init__.py). */
export type Engine = 'gunicorn' | 'uvicorn'

/** What the judgement of a row may look at. */
export interface Setting {
  /** The largest file that goes through the server in one request, in bytes; undefined where nothing is planned. */
  readonly largest: number | undefined
  /** A planned file, or one that may come, goes in parts that the server signs. */
  readonly inParts: boolean
  /** This machine sets MLFLOW_S3_UPLOAD_EXTRA_ARGS. */
  readonly extraArguments: boolean
}

export interface Defect {
  readonly engine?: Engine
  readonly from?: string
  readonly before?: string
  /** Where a plan is harmed; without a plan every row is told as information. */
  readonly severity: 'warning' | 'info'
  readonly applies: (of: Setting) => boolean
  /** The memory that one upload takes at the server, as a multiple of the file. */
  readonly memory?: number
  /** Continues "MLflow 3.11.1 under uvicorn …"; without a full stop. */
  readonly does: string
  /** Threads of github.com/mlflow/mlflow. */
  readonly threads: readonly string[]
  readonly remedy: string
  /** The version range of the server that does better. */
  readonly install?: string
}

/** Bytes; what a smaller file takes of memory and time, no server of today notices. Judgement, not measured. */
const noticed = 100_000_000
const large = ({ largest }: Setting): boolean => largest === undefined || largest >= noticed
const upgrade =
  'Upgrade the server, or have large files go in parts: that needs artifacts in S3, Google Cloud Storage or Azure Blob Storage, and MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true in the client.'

export const defects: readonly Defect[] = [
  {
    // 200 MiB to 3.11.1: 396 MiB above the idle server, and 3.4 times as long as 100 MiB (measured). The versions: #22729.
    engine: 'uvicorn',
    from: '3.3.0',
    before: '3.12.0',
    severity: 'warning',
    applies: large,
    memory: 2,
    does: 'keeps the whole body of an upload in memory, and copies all of it again for each piece that arrives: the time grows with the square of the size, and a file of 1 GB takes minutes',
    threads: ['#22665', '#22729'],
    remedy: upgrade,
    install: '>=3.15.0',
  },
  {
    // 200 MiB to 3.14.0: 399 MiB above the idle server (measured): the pieces, and then all of them joined. The versions: #24340.
    engine: 'uvicorn',
    from: '3.12.0',
    before: '3.15.0',
    severity: 'warning',
    applies: large,
    memory: 2,
    does: 'keeps the whole body of an upload in memory',
    threads: ['#24325', '#24340'],
    remedy: upgrade,
    install: '>=3.15.0',
  },
  {
    // Measured on 2.22.1, 3.2.0 and, with --gunicorn-opts, 3.17.2.
    engine: 'gunicorn',
    severity: 'info',
    applies: large,
    does: 'stores an upload that breaks off by a closed connection as if it were whole, under its final name',
    threads: [],
    remedy:
      'After a failed upload have mlflow-doctor scan look at what was stored. Under uvicorn, the default from 3.3.0 on, nothing is stored then.',
  },
  {
    // Read in the sources of 3.17.0, 3.17.2 (without) and 3.18.0 (with): s3_artifact_repo.py, create_multipart_upload.
    before: '3.18.0',
    severity: 'warning',
    applies: ({ inParts, extraArguments }) => inParts && extraArguments,
    does: 'begins uploads in parts without MLFLOW_S3_UPLOAD_EXTRA_ARGS, which this machine sets: where the bucket demands what they say, small files pass and large ones are refused',
    threads: [],
    remedy:
      'Give the bucket that encryption as its default, which needs no arguments; or upgrade the server; or send whole files through it: MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false in the client.',
    install: '>=3.18.0',
  },
]
