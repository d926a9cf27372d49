import type { MlflowVersion } from '../lab/venv.ts'

/** MLflow with its store. Cells with the same one share it, one after the other. */
export interface Site {
  /** Of the server; 3.17.2 unless told. */
  readonly version?: MlflowVersion
  readonly engine?: 'uvicorn' | 'gunicorn'
  /** `gcs` is gcp-storage-emulator behind a wrapper. */
  readonly store: 'folder' | 'seaweed' | 'versitygw' | 'azurite' | 'gcs'
  /** True when experiments live in the store itself and clients hold its keys. */
  readonly direct?: boolean
  /** The server's link to its store; of direct sites, the client's. */
  readonly relay?: Link
  readonly args?: readonly string[]
  readonly gunicornOpts?: string
  /** Bytes of the disk below the server's temp folder; unbounded unless told. */
  readonly serverTemp?: number
  /** Bytes of the disk that a folder store lies on. */
  readonly storeDisk?: number
  /** The name that the server has for its store's host: one that only the server can resolve. */
  readonly hiddenStore?: boolean
  /** What is wrong with the server's access to its store. */
  readonly access?: 'wrong secret' | 'no bucket' | 'read only' | 'write only'
  readonly workers?: number
}

export interface Link {
  readonly bytesPerSecond?: number
  /** Milliseconds before each answer. */
  readonly latency?: number
  /** Bytes of a connection, upstream, after which it is cut. */
  readonly cutAfter?: number
  /** Each connection pauses once, after so many bytes upstream, for so many milliseconds. */
  readonly pause?: { readonly after: number; readonly ms: number }
}

export type Front =
  | {
      /** Lines inside `server {}`; UPSTREAM stands for the address of what is behind. */
      readonly nginx: string
      /** Lines inside `location / {}`. */
      readonly location?: string
      /** Bytes of the disk that request bodies are buffered on. */
      readonly bodyDisk?: number
    }
  | { readonly haproxy: { readonly defaults?: string; readonly frontend?: string; readonly backend?: string } }

/** What truly stops the upload. */
export interface TrueLimit {
  readonly hop: string
  /** What the named setting must match. */
  readonly setting: RegExp
  /** The largest size that passes, exact. */
  readonly bytes?: number
  /** The time that was set; a measured one is within 10 %, or within `coarse` milliseconds where its own clock is that coarse. */
  readonly ms?: number
  readonly coarse?: number
}

export interface Cell {
  readonly name: string
  readonly site: Site
  /** From the client to the server, the outermost first. */
  readonly fronts?: readonly Front[]
  /** From the client to the first of them. */
  readonly uplink?: Link
  /** Bytes of the planned file. */
  readonly size: number
  readonly as?: 'log_model' | 'log_artifact'
  /** Variables of the client, and of the check beside it. */
  readonly env?: Readonly<Record<string, string>>
  /** `ulimit -f` of both, in bytes. */
  readonly fileSizeLimit?: number
  /** Bytes of the disk that the client's temp folder lies on. */
  readonly clientTemp?: number
  /** Of the client; 3.17.2 unless told. */
  readonly client?: MlflowVersion
  /** What the real upload does: else the cell is not what it claims to be. */
  readonly upload: 'passes' | 'fails'
  /** Of failing cells: what stops it. Of passing ones, where given: what the next larger sizes meet. */
  readonly limit?: TrueLimit
  /** True when not even the smallest file that takes the same route can get through. */
  readonly never?: true
  /** Adds `--deep`: limits of time show by paced requests, or where a canary meets them. */
  readonly deep?: true
  /** Bytes for the run without a size; 100 MB unless told, less where the line is slow. */
  readonly traffic?: number
  /** The forecasts that may be `unknown`, and why nobody could know. */
  readonly unknown?: { readonly full?: string; readonly fifth?: string; readonly capacity?: string }
  /** Part of `npm test`. */
  readonly usual?: true
}
